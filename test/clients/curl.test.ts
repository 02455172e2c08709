import { randomBytes } from "node:crypto";
import { readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import t from "tap";
import { headerValue } from "../../src/core/headers.js";
import { BUCKET } from "./ali-oss.js";
import { curl, needs, startOpenWorld, temporaryDirectory } from "./programs.js";
import { BUCKET_HOST, DOMAIN, digestOf } from "./world.js";

const NEEDS_CURL = needs("curl", "curl");
const MIB = 1024 * 1024;

/** Head lines of `curl -i` and `-I`, lower-cased names, and what follows the head. */
function takeApart(output: Buffer) {
  const end = output.indexOf("\r\n\r\n");
  const [statusLine = "", ...lines] = output.subarray(0, end).toString("latin1").split("\r\n");
  const headers = new Map(
    lines.map((line) => {
      const colon = line.indexOf(":");
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()] as const;
    }),
  );
  return { statusLine, headers, body: output.subarray(end + 4) };
}

t.test("curl reads by address and by domain", NEEDS_CURL, async (t) => {
  const { emulator, gateway } = await startOpenWorld(t);
  const body = randomBytes(3 * MIB + 5);
  emulator.putObject(BUCKET, "图片/照片 1.bin", body, { "Content-Type": "image/x-test" });
  const path = "/%E5%9B%BE%E7%89%87/%E7%85%A7%E7%89%87%201.bin";
  const { statusLine, headers, body: got } = takeApart((await curl(["-i", gateway.url + path])).stdout);
  t.equal(statusLine, "HTTP/1.1 200 OK");
  t.strictSame(digestOf(got), digestOf(body));
  t.equal(headers.get("etag"), emulator.getObject(BUCKET, "图片/照片 1.bin")?.etag);
  t.equal(headers.get("content-length"), String(body.length));
  t.equal(headers.get("content-type"), "image/x-test");
  const { rawTarget, rawHeaders } = emulator.captures.at(-1) ?? { rawTarget: "", rawHeaders: [] };
  t.equal(rawTarget, path);
  t.equal(headerValue(rawHeaders, "host"), BUCKET_HOST);
  t.match(headerValue(rawHeaders, "user-agent"), /^curl\//);

  const resolve = `${DOMAIN}:${gateway.port}:127.0.0.1`;
  const byDomain = await curl(["--resolve", resolve, `http://${DOMAIN}:${gateway.port}${path}`]);
  t.strictSame(digestOf(byDomain.stdout), digestOf(body));
});

t.test("curl -r, -I and a conditional request are answered as OSS does", NEEDS_CURL, async (t) => {
  const { emulator, gateway } = await startOpenWorld(t);
  const { etag } = emulator.putObject(BUCKET, "range.txt", "0123456789");
  const url = `${gateway.url}/range.txt`;
  for (const [range, body, contentRange] of [
    ["2-4", "234", "bytes 2-4/10"],
    ["7-", "789", "bytes 7-9/10"],
    ["-3", "789", "bytes 7-9/10"],
  ] as const) {
    const answer = takeApart((await curl(["-i", "-r", range, url])).stdout);
    t.match(answer.statusLine, / 206 /, range);
    t.equal(answer.headers.get("content-range"), contentRange);
    t.equal(answer.body.toString(), body);
  }
  const beyond = takeApart((await curl(["-i", "-r", "20-30", url])).stdout);
  t.match(beyond.statusLine, / 200 /, "OSS's own answer to a range that is not there: the whole object");
  t.equal(beyond.body.toString(), "0123456789");

  const head = await curl(["-I", url]);
  t.equal(head.code, 0);
  const { statusLine, headers, body } = takeApart(head.stdout);
  t.match(statusLine, / 200 /);
  t.equal(headers.get("content-length"), "10");
  t.equal(body.length, 0);
  t.equal(emulator.captures.at(-1)?.method, "HEAD");
  const unchanged = takeApart((await curl(["-i", "-H", `If-None-Match: ${etag}`, url])).stdout);
  t.match(unchanged.statusLine, / 304 /);
  t.equal(unchanged.body.length, 0);
});

t.test("curl -T uploads a file, with Expect: 100-continue and without", NEEDS_CURL, async (t) => {
  const { emulator, gateway } = await startOpenWorld(t);
  const body = randomBytes(2 * MIB + 3);
  const file = join(await temporaryDirectory(t), "up.bin");
  await writeFile(file, body);
  for (const expect of ["Expect: 100-continue", "Expect:"]) {
    // More than any test takes: should no 100 come, curl fails instead of sending the body after a second.
    const patience = ["--expect100-timeout", "60"];
    const { code, stderr } = await curl([...patience, "-f", "-H", expect, "-T", file, `${gateway.url}/up.bin`]);
    t.equal(code, 0, expect + stderr);
    t.strictSame(digestOf(emulator.readObject(BUCKET, "up.bin")), digestOf(body));
    const { rawHeaders, continueSent } = emulator.captures.at(-1) ?? { rawHeaders: [], continueSent: null };
    t.equal(continueSent, expect !== "Expect:", "100 comes from OSS itself");
    t.equal(headerValue(rawHeaders, "content-length"), String(body.length));
  }
});

t.test("an upload that OSS refuses sends no body when curl expects 100-continue", NEEDS_CURL, async (t) => {
  const { emulator, gateway } = await startOpenWorld(t);
  const file = join(await temporaryDirectory(t), "up.bin");
  await writeFile(file, randomBytes(5 * MIB));
  const url = `http://closed.localhost:${gateway.port}/up.bin`;
  const patience = ["--expect100-timeout", "60"];
  const { stdout } = await curl(["-i", ...patience, "-H", "Expect: 100-continue", "-T", file, url]);
  const { statusLine, body } = takeApart(stdout);
  t.match(statusLine, / 403 /);
  t.match(body.toString(), /<Code>AccessDenied<\/Code>/);
  t.match(emulator.captures.at(-1), { continueSent: false, bodyBytes: 0 });
  t.strictSame(emulator.keys("closedbucket"), []);
  const { receivedBytes } = await gateway.logged((entry) => entry.method === "PUT");
  t.equal(receivedBytes, 0, "not even to the gateway");
});

t.test("curl -T - uploads from a pipe, chunked and with a Content-Encoding that stays", NEEDS_CURL, async (t) => {
  const { emulator, gateway } = await startOpenWorld(t);
  const text = "一行文字\n".repeat(50_000);
  const headers = ["-H", "Content-Encoding: gzip", "-H", "Content-Type: text/plain"];
  const zipped = gzipSync(text);
  const { code } = await curl(["-f", ...headers, "-T", "-", `${gateway.url}/zipped.txt`], zipped);
  t.equal(code, 0);
  t.equal(headerValue(emulator.captures.at(-1)?.rawHeaders ?? [], "transfer-encoding"), "chunked");
  t.strictSame(digestOf(emulator.readObject(BUCKET, "zipped.txt")), digestOf(zipped), "stored as it was sent");
  const raw = takeApart((await curl(["-i", `${gateway.url}/zipped.txt`])).stdout);
  t.equal(raw.headers.get("content-encoding"), "gzip");
  t.equal(gunzipSync(raw.body).toString(), text);
  const unzipped = await curl(["--compressed", `${gateway.url}/zipped.txt`]);
  t.strictSame(digestOf(unzipped.stdout), digestOf(Buffer.from(text)));
});

t.test("curl -C - goes on with a download that broke off", NEEDS_CURL, async (t) => {
  const { emulator, gateway } = await startOpenWorld(t);
  const body = randomBytes(2 * MIB);
  emulator.putObject(BUCKET, "big.bin", body);
  emulator.faults.failNext(1, { kind: "resetMidBody", afterBytes: MIB });
  const file = join(await temporaryDirectory(t), "big.bin");
  const broken = await curl(["-f", "-o", file, `${gateway.url}/big.bin`]);
  t.ok([18, 56].includes(broken.code), `curl notices: ${broken.code}`);
  const have = (await stat(file)).size;
  t.ok(have > 0 && have < body.length, `${have} bytes are there`);
  const resumed = await curl(["-f", "-C", "-", "-o", file, `${gateway.url}/big.bin`]);
  t.equal(resumed.code, 0);
  t.equal(headerValue(emulator.captures.at(-1)?.rawHeaders ?? [], "range"), `bytes=${have}-`);
  t.strictSame(digestOf(await readFile(file)), digestOf(body));
});

t.test("curl --http1.0 reads and writes", NEEDS_CURL, async (t) => {
  const { emulator, gateway } = await startOpenWorld(t);
  const body = randomBytes(MIB);
  const file = join(await temporaryDirectory(t), "old.bin");
  await writeFile(file, body);
  t.equal((await curl(["--http1.0", "-f", "-T", file, `${gateway.url}/old.bin`])).code, 0);
  t.strictSame(digestOf(emulator.readObject(BUCKET, "old.bin")), digestOf(body));
  const answer = takeApart((await curl(["--http1.0", "-i", `${gateway.url}/old.bin`])).stdout);
  t.match(answer.statusLine, / 200 /);
  t.equal(answer.headers.get("transfer-encoding"), undefined);
  t.strictSame(digestOf(answer.body), digestOf(body));
  t.equal((await gateway.logged((entry) => entry.method === "GET")).protocol, "HTTP/1.0");
});

t.test(
  "curl --path-as-is: dot segments, double slashes and escapes reach OSS as they were written",
  NEEDS_CURL,
  async (t) => {
    const { emulator, gateway } = await startOpenWorld(t);
    const targets = ["/a/./b/../c", "/a//b", "/a%2Fb", "/a%2e%2e/b", "/a+b", "/100%25", "/a;b=c,d", "/q?x=1&y=%2F+"];
    for (const target of targets) {
      await curl(["--path-as-is", gateway.url + target]);
      t.equal(emulator.captures.at(-1)?.rawTarget, target);
    }
    emulator.putObject(BUCKET, "a/./b/../c", "as it is");
    t.equal((await curl(["--path-as-is", `${gateway.url}/a/./b/../c`])).stdout.toString(), "as it is");
  },
);

t.test("curl does many transfers on one connection", NEEDS_CURL, async (t) => {
  const { emulator, gateway } = await startOpenWorld(t);
  const names = Array.from({ length: 20 }, (_, index) => `many/${index}`);
  for (const name of names) emulator.putObject(BUCKET, name, `${name}\n`);
  const { stdout } = await curl(names.map((name) => `${gateway.url}/${name}`));
  t.equal(stdout.toString(), names.map((name) => `${name}\n`).join(""));
  t.equal(await gateway.metric("ossgate_client_connections_total"), 1);
});
