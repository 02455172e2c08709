import { generateKeyPairSync } from "node:crypto";
import { once } from "node:events";
import { createServer as createHttpServer } from "node:http";
import type { AddressInfo } from "node:net";
import t from "tap";
import { KNOWN_PUBLIC_KEY_URL } from "../../../src/signing/callback.js";
import { clientsGone, closedPort, startOrigin } from "../../fault/support/sockets.js";
import { answerWith, keysFrom, makeOssKeys, startKeyServer } from "../../support/callback-keys.js";
import { TEST_TLS } from "../emulator/certificate.js";

const KNOWN = new URL(KNOWN_PUBLIC_KEY_URL);
const keyUrl = (name: string): URL => new URL(`https://gosspublic.alicdn.com/${name}`);
const { publicPem } = makeOssKeys();
const DAY_MS = 24 * 3_600_000;

t.test("a key is fetched once, by the vendor's name, and kept for a day", async (t) => {
  const server = await startKeyServer(t, answerWith(publicPem));
  const keys = keysFrom(server.port);
  const [first, second] = await Promise.all([keys.get(KNOWN, 0), keys.get(KNOWN, 0)]);
  t.equal(first?.export({ type: "spki", format: "pem" }), publicPem);
  t.equal(second, first, "one flight");
  t.equal(await keys.get(KNOWN, DAY_MS - 1), first);
  t.same(server.requests, [`GET /callback_pub_key_v1.pem gosspublic.alicdn.com`]);
  t.not(await keys.get(KNOWN, DAY_MS), null);
  t.equal(server.requests.length, 2);
});

t.test("what is no RSA public key of the usual size is none", async (t) => {
  const pem = (type: "spki" | "pkcs8", key: { export: (o: { type: string; format: "pem" }) => unknown }): string =>
    String(key.export({ type, format: "pem" }));
  const rsa = generateKeyPairSync("rsa", { modulusLength: 1_024 });
  const answers: [name: string, body: string][] = [
    ["nothing", ""],
    ["a page", "<html>captive portal</html>"],
    ["a private key", pem("pkcs8", rsa.privateKey as never)],
    ["a certificate", TEST_TLS.cert],
    ["an EC key", pem("spki", generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey as never)],
    ["an Ed25519 key", pem("spki", generateKeyPairSync("ed25519").publicKey as never)],
    ["an RSA-PSS key", pem("spki", generateKeyPairSync("rsa-pss", { modulusLength: 1_024 }).publicKey as never)],
    ["two keys", publicPem + publicPem],
    ["a cut key", publicPem.replace(/.{20}\n-----END/, "\n-----END")],
    ["text before it", `key:\n${publicPem}`],
  ];
  for (const [name, body] of answers) {
    const failures: string[] = [];
    const server = await startKeyServer(t, answerWith(body));
    t.equal(await keysFrom(server.port, failures).get(KNOWN, 0), null, name);
    t.equal(failures.length, 1, name);
  }
  const server = await startKeyServer(t, answerWith(pem("spki", rsa.publicKey as never)));
  t.not(await keysFrom(server.port).get(KNOWN, 0), null, "a longer RSA key is one");
});

t.test("a redirect is not followed", async (t) => {
  for (const status of [301, 302, 307, 308]) {
    const target = await startKeyServer(t, answerWith(publicPem));
    const location = `https://gosspublic.alicdn.com:${target.port}/k.pem`;
    const server = await startKeyServer(t, answerWith(publicPem, status, { Location: location }));
    const failures: string[] = [];
    t.equal(await keysFrom(server.port, failures).get(KNOWN, 0), null);
    t.match(failures, [new RegExp(String(status))]);
    t.equal(server.requests.length, 1);
    t.equal(target.requests.length, 0);
  }
});

t.test("only 200 is an answer", async (t) => {
  for (const status of [204, 206, 400, 403, 404, 500, 503]) {
    const server = await startKeyServer(t, answerWith(status === 204 ? "" : publicPem, status));
    t.equal(await keysFrom(server.port).get(KNOWN, 0), null, String(status));
  }
});

t.test("an answer that is too long is cut off, whether it says its length or not", async (t) => {
  const length = 64 * 1024 * 1024;
  for (const headers of [{ "Content-Length": String(length) }, {}]) {
    let sent = 0;
    const server = await startKeyServer(t, (_req, res) => {
      res.writeHead(200, headers);
      const chunk = Buffer.alloc(16 * 1024, publicPem);
      const write = (): void => {
        while (sent < length && !res.destroyed) {
          sent += chunk.length;
          if (!res.write(chunk)) return void res.once("drain", write);
        }
      };
      res.on("error", () => {});
      write();
    });
    t.equal(await keysFrom(server.port).get(KNOWN, 0), null);
    t.ok(sent < length, `${sent} bytes were taken`);
  }
});

t.test("a server that never answers, or never ends its answer, is left after the time", async (t) => {
  const answers: [name: string, answer: Parameters<typeof startKeyServer>[1]][] = [
    ["silent", () => {}],
    ["half a body", (_req, res) => void res.writeHead(200, { "Content-Length": "1000" }).write(publicPem)],
  ];
  for (const [name, answer] of answers) {
    const failures: string[] = [];
    const server = await startKeyServer(t, answer);
    const keys = keysFrom(server.port, failures, { timeoutMs: 100 });
    t.equal(await keys.get(KNOWN, 0), null, name);
    t.match(failures, [/within 100 ms/], name);
  }
});

t.test(
  "a server that takes the connection and never speaks TLS is left after the time, and its connection ends",
  async (t) => {
    const failures: string[] = [];
    const { port } = await startOrigin(t, (socket) => socket.on("end", () => socket.end()).resume());
    t.equal(await keysFrom(port, failures, { timeoutMs: 100 }).get(KNOWN, 0), null);
    t.match(failures, [/within 100 ms/]);
    await clientsGone(port);
  },
);

t.test("a server that is down gives no key", async (t) => {
  t.equal(await keysFrom(await closedPort()).get(KNOWN, 0), null);
});

t.test("a certificate of another name or of nobody we know is no vendor's", async (t) => {
  const other = await startKeyServer(t, answerWith(publicPem), TEST_TLS);
  t.equal(await keysFrom(other.port, [], { ca: TEST_TLS.cert }).get(KNOWN, 0), null, "another name");
  const server = await startKeyServer(t, answerWith(publicPem));
  t.equal(await keysFrom(server.port, [], { ca: TEST_TLS.cert }).get(KNOWN, 0), null, "unknown authority");
  t.same([...other.requests, ...server.requests], [], "nothing was asked");
});

t.test("plain http is never asked", async (t) => {
  let count = 0;
  const server = createHttpServer((_req, res) => {
    count += 1;
    res.end(publicPem);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  t.teardown(() => server.close());
  const keys = keysFrom((server.address() as AddressInfo).port);
  t.equal(await keys.get(new URL(KNOWN_PUBLIC_KEY_URL.replace("https", "http")), 0), null);
  t.equal(count, 0);
  t.equal(keys.size, 0);
});

t.test("a failure is kept for 30 s, then the key is tried again", async (t) => {
  const server = await startKeyServer(t, answerWith("", 503));
  const keys = keysFrom(server.port);
  t.equal(await keys.get(KNOWN, 0), null);
  server.reply(answerWith(publicPem));
  t.equal(await keys.get(KNOWN, 29_999), null);
  t.equal(server.requests.length, 1);
  t.not(await keys.get(KNOWN, 30_000), null);
  t.equal(server.requests.length, 2);
  t.equal(keys.size, 1, "the failure is forgotten");
});

t.test(
  "of 10,000 URLs five a minute are fetched, little is kept, and the known key is there all the same",
  async (t) => {
    const server = await startKeyServer(t, answerWith("", 404));
    const keys = keysFrom(server.port);
    const results = await Promise.all(Array.from({ length: 10_000 }, (_, i) => keys.get(keyUrl(`k${i}.pem`), i)));
    t.ok(results.every((key) => key === null));
    t.equal(server.requests.length, 5);
    t.ok(keys.size <= 5, `${keys.size} entries`);
    server.reply(answerWith(publicPem));
    t.not(await keys.get(KNOWN, 10_000), null);
    t.equal(await keys.get(keyUrl("new.pem"), 59_999), null);
    t.not(await keys.get(keyUrl("new.pem"), 60_000), null, "the minute of the first is over");
  },
);

t.test("however long strangers go on, 16 keys and 16 failures are kept, and a key in use stays", async (t) => {
  const server = await startKeyServer(t, (req, res) => {
    const isGood = req.url?.includes("good") || req.url === KNOWN.pathname;
    res.writeHead(isGood ? 200 : 404).end(publicPem);
  });
  const keys = keysFrom(server.port);
  await keys.get(KNOWN, 0);
  for (let i = 0; i < 40; i += 1) {
    const nowMs = i * 30_000;
    await Promise.all([keys.get(keyUrl(`good${i}.pem`), nowMs), keys.get(keyUrl(`bad${i}.pem`), nowMs)]);
    t.not(await keys.get(KNOWN, nowMs), null);
  }
  t.equal(server.requests.length, 81);
  t.equal(keys.size, 32);
});
