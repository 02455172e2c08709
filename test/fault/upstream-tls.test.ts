import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { Agent } from "node:http";
import { join } from "node:path";
import { createServer, type TLSSocket } from "node:tls";
import t, { type Test } from "tap";
import { headerValue } from "../../src/core/headers.js";
import { startEmulator, startGateway, type TestGateway } from "../support/gateway.js";
import { ask, gatewayCode } from "./support/client.js";
import { checkLogged, checkQuiet, configText, fill, OSS_HOST, type Rig } from "./support/rig.js";
import { closedPort } from "./support/sockets.js";

function hasOpenssl(): boolean {
  try {
    execFileSync("openssl", ["version"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

const skip = hasOpenssl() ? false : "the openssl program is not installed";

interface Certificate {
  readonly key: string;
  readonly cert: string;
  /** A certificate that signed itself is its own authority. */
  readonly caFile: string;
}

/** @param names as in a certificate: `DNS:oss.test`, `IP:127.0.0.1` */
function makeCertificate(t: Test, ...names: readonly string[]): Certificate {
  const directory = t.testdir();
  const keyFile = join(directory, "key.pem");
  const caFile = join(directory, "cert.pem");
  const subject = ["-subj", "/CN=ossgate test", "-addext", `subjectAltName=${names.join(",")}`];
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", keyFile];
  execFileSync("openssl", ["req", "-x509", ...key, "-out", caFile, "-days", "2", ...subject], { stdio: "ignore" });
  return { key: readFileSync(keyFile, "utf8"), cert: readFileSync(caFile, "utf8"), caFile };
}

interface TlsRig extends Rig {
  readonly certificate: Certificate;
}

interface TlsOptions {
  /** Of the endpoint's URL. */
  readonly host: string;
  readonly names: readonly string[];
  readonly isTrusted?: boolean;
  readonly route?: Readonly<Record<string, unknown>>;
  readonly bucket?: Readonly<Record<string, unknown>>;
}

async function startTlsRig(
  t: Test,
  { host, names, isTrusted = true, route = {}, bucket }: TlsOptions,
): Promise<TlsRig> {
  const certificate = makeCertificate(t, ...names);
  const emulator = fill(await startEmulator(t, { tls: certificate }));
  const gw = await startGateway(
    t,
    configText({
      endpoint: `https://${host}:${emulator.port}`,
      bucket: {
        ...(isTrusted ? { caFile: certificate.caFile } : {}),
        ...(host === "127.0.0.1" ? {} : { dns: { addresses: ["127.0.0.1"] } }),
        ...bucket,
      },
      route,
    }),
  );
  return { emulator, gw, certificate };
}

const PUT = { method: "PUT", body: "data" };

async function checkServes(t: Test, gw: TestGateway): Promise<void> {
  for (let i = 0; i < 3; i += 1) {
    const answer = await ask(gw.port, "/hello.txt");
    t.equal(answer.status, 200);
    t.equal(answer.body.toString(), "hello");
    t.equal((await ask(gw.port, "/put.txt", PUT)).status, 200);
  }
  t.ok(gw.accessLog.every(({ error, attempts }) => error === undefined && attempts === undefined));
}

t.test("an authority of its own is trusted for its bucket, for downloads and uploads", { skip }, async (t) => {
  const { emulator, gw } = await startTlsRig(t, { host: "oss.test", names: ["DNS:oss.test"] });
  await checkServes(t, gw);
  t.equal(emulator.readObject("examplebucket", "put.txt").toString(), "data");
  await checkQuiet(t, { emulator, gw });
});

t.test("a certificate that nobody vouches for is 502, and nothing is sent", { skip }, async (t) => {
  for (const options of [{}, PUT]) {
    const { emulator, gw } = await startTlsRig(t, { host: "oss.test", names: ["DNS:oss.test"], isTrusted: false });
    const answer = await ask(gw.port, "/hello.txt", options);
    t.equal(answer.status, 502);
    t.equal(gatewayCode(answer), "UPSTREAM_TLS");
    t.equal(emulator.captures.length, 0);
    await checkLogged(t, gw, { status: 502, error: "UPSTREAM_TLS" });
    await checkQuiet(t, { emulator, gw });
  }
});

t.test("a certificate of another name is 502, also when it is of the Host that is sent", { skip }, async (t) => {
  for (const options of [{}, PUT]) {
    const { emulator, gw } = await startTlsRig(t, { host: "oss.test", names: ["DNS:other.test", `DNS:${OSS_HOST}`] });
    const answer = await ask(gw.port, "/hello.txt", options);
    t.equal(answer.status, 502);
    t.equal(gatewayCode(answer), "UPSTREAM_TLS");
    t.equal(emulator.captures.length, 0);
    await checkLogged(t, gw, { status: 502, error: "UPSTREAM_TLS" });
    await checkQuiet(t, { emulator, gw });
  }
});

t.test("an endpoint that is an address is verified as that address", { skip }, async (t) => {
  const { emulator, gw } = await startTlsRig(t, { host: "127.0.0.1", names: ["IP:127.0.0.1"] });
  await checkServes(t, gw);
  await checkQuiet(t, { emulator, gw });
});

t.test("an endpoint that is an address is not verified as the Host that is sent", { skip }, async (t) => {
  for (const options of [{}, PUT]) {
    const { emulator, gw } = await startTlsRig(t, { host: "127.0.0.1", names: [`DNS:${OSS_HOST}`, "IP:127.0.0.9"] });
    const answer = await ask(gw.port, "/hello.txt", options);
    t.equal(answer.status, 502);
    t.equal(gatewayCode(answer), "UPSTREAM_TLS");
    t.equal(emulator.captures.length, 0);
    await checkQuiet(t, { emulator, gw });
  }
});

t.test("SNI is the endpoint's host and never the Host header; an address sends none", { skip }, async (t) => {
  const { key, cert, caFile } = makeCertificate(t, "DNS:oss.test", "IP:127.0.0.1");
  const names: (string | false)[] = [];
  const hosts: string[] = [];
  const server = createServer({ key, cert }, (socket: TLSSocket) => {
    names.push(socket.servername ?? false);
    let request = "";
    socket.on("error", () => {});
    socket.on("data", (chunk) => {
      request += chunk.toString();
      if (!request.endsWith("\r\n\r\n")) return;
      hosts.push(/^host: (.*)\r$/im.exec(request)?.[1] ?? "");
      socket.end("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.teardown(() => server.close());
  const address = server.address();
  const port = typeof address === "object" ? address?.port : 0;
  for (const host of ["oss.test", "127.0.0.1"]) {
    const dns = host === "127.0.0.1" ? {} : { dns: { addresses: ["127.0.0.1"] } };
    const gw = await startGateway(t, configText({ endpoint: `https://${host}:${port}`, bucket: { caFile, ...dns } }));
    t.equal((await ask(gw.port, "/a")).status, 200);
    t.equal((await ask(gw.port, "/a", { method: "PUT", body: "" })).status, 200);
  }
  t.same(names, ["oss.test", "oss.test", false, false]);
  t.same(hosts, Array(4).fill(OSS_HOST));
});

t.test("two Hosts that alternate over one pool cause no new connection", { skip }, async (t) => {
  for (const host of ["oss.test", "127.0.0.1"]) {
    const { emulator, gw } = await startTlsRig(t, {
      host,
      names: ["DNS:oss.test", "IP:127.0.0.1"],
      bucket: { domains: ["img.example.com", "www.example.com"], connections: 1 },
      route: { match: { hosts: ["img.example.com", "www.example.com"] }, hostHeader: "client" },
    });
    const agent = new Agent({ keepAlive: true });
    t.teardown(() => agent.destroy());
    for (let i = 0; i < 10; i += 1) {
      const Host = i % 2 === 0 ? "img.example.com" : "www.example.com";
      // The emulator knows neither domain; that it answers is what counts.
      t.ok((await ask(gw.port, "/hello.txt", { agent, headers: { Host } })).headers["x-oss-request-id"]);
    }
    const hosts = emulator.captures.map(({ rawHeaders }) => headerValue(rawHeaders, "host"));
    t.same(new Set(hosts), new Set(["img.example.com", "www.example.com"]));
    t.equal(emulator.acceptedConnections, 1, host);
    agent.destroy();
    await checkQuiet(t, { emulator, gw });
  }
});

t.test("a stale TLS connection costs no request an error", { skip }, async (t) => {
  const { emulator, gw } = await startTlsRig(t, { host: "oss.test", names: ["DNS:oss.test"] });
  for (const method of ["GET", "HEAD", "DELETE"]) {
    t.ok((await ask(gw.port, "/hello.txt")).status < 500);
    emulator.faults.failNext(1, { kind: "resetOnReuse" });
    t.ok((await ask(gw.port, "/hello.txt", { method })).status < 500, method);
    t.equal(emulator.faults.pending, 0);
  }
  t.ok(gw.accessLog.every(({ error }) => error === undefined));
  t.equal(await gw.metric(`ossgate_upstream_set_aside_total{bucket="media"}`), 0);
  await checkQuiet(t, { emulator, gw });
});

t.test("an upstream that speaks no TLS is 502", async (t) => {
  const emulator = fill(await startEmulator(t));
  for (const options of [{}, PUT]) {
    const gw = await startGateway(t, configText({ endpoint: `https://127.0.0.1:${emulator.port}` }));
    const answer = await ask(gw.port, "/hello.txt", options);
    t.equal(answer.status, 502);
    t.equal(gatewayCode(answer), "UPSTREAM_TLS");
    await gw.gateway.stop(0);
  }
  await emulator.until(() => emulator.openSockets() === 0);
});

t.test("a TLS port that is closed is 502 UPSTREAM_REFUSED", async (t) => {
  const gw = await startGateway(t, configText({ endpoint: `https://127.0.0.1:${await closedPort()}` }));
  for (const options of [{}, PUT]) {
    t.equal(gatewayCode(await ask(gw.port, "/hello.txt", options)), "UPSTREAM_REFUSED");
  }
});
