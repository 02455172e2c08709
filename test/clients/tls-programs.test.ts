import { randomBytes } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import t, { type Test } from "tap";
import { headerValue } from "../../src/core/headers.js";
import { TestAuthority } from "../support/tls-world.js";
import { BUCKET } from "./ali-oss.js";
import { curl, needs, type Ran, runProgram, startOpenWorld, temporaryDirectory } from "./programs.js";
import { digestOf, sha256, tlsFor, type World } from "./world.js";

const NEEDS_CURL = needs("curl", "curl");
const NEEDS_PYTHON = needs("python3", "python3");
const MIB = 1024 * 1024;

interface OpenWorld extends World {
  readonly url: string;
  readonly caFile: string;
  /** curl that trusts the authority. */
  curl(args: readonly string[], input?: Buffer): Promise<Ran>;
}

async function startOpen(t: Test): Promise<OpenWorld> {
  const ca = new TestAuthority(t);
  const world = await startOpenWorld(t, tlsFor(ca));
  const url = `https://127.0.0.1:${world.gateway.port}`;
  return { ...world, url, caFile: ca.caFile, curl: (args, input) => curl(["--cacert", ca.caFile, ...args], input) };
}

for (const [version, shown, logged] of [
  ["--http2", "2", "HTTP/2.0"],
  ["--http1.1", "1.1", "HTTP/1.1"],
] as const) {
  t.test(`curl ${version}: files up and down, from pipes, in parts and many at once`, NEEDS_CURL, async (t) => {
    const { emulator, gateway, url, curl } = await startOpen(t);
    const directory = await temporaryDirectory(t);
    const body = randomBytes(3 * MIB + 5);
    const file = join(directory, "up.bin");
    await writeFile(file, body);
    const tell = ["-w", "%{stderr}%{http_version} %{http_code} %{ssl_verify_result}"];

    for (const expect of ["Expect:", "Expect: 100-continue"]) {
      const args = [version, "--expect100-timeout", "60", ...tell, "-H", expect, "-T", file, `${url}/up.bin`];
      t.equal((await curl(args)).stderr, `${shown} 200 0`, expect);
      t.strictSame(digestOf(emulator.readObject(BUCKET, "up.bin")), digestOf(body));
    }
    const piped = await curl([version, ...tell, "-T", "-", `${url}/piped.bin`], body);
    t.equal(piped.stderr, `${shown} 200 0`);
    t.strictSame(digestOf(emulator.readObject(BUCKET, "piped.bin")), digestOf(body));
    t.equal(headerValue(emulator.captures.at(-1)?.rawHeaders ?? [], "transfer-encoding"), "chunked", "of no length");

    const whole = await curl([version, ...tell, `${url}/up.bin`]);
    t.equal(whole.stderr, `${shown} 200 0`);
    t.strictSame(digestOf(whole.stdout), digestOf(body));
    const part = await curl([version, ...tell, "-r", "1000000-1999999", `${url}/up.bin`]);
    t.equal(part.stderr, `${shown} 206 0`);
    t.strictSame(digestOf(part.stdout), digestOf(body.subarray(1_000_000, 2_000_000)));
    const head = await curl([version, "-I", `${url}/up.bin`]);
    t.match(head.stdout.toString(), new RegExp(`content-length: ${body.length}\r\n`, "i"));
    t.match((await curl([version, ...tell, "-X", "DELETE", `${url}/piped.bin`])).stderr, `${shown} 204 0`);
    t.match((await curl([version, ...tell, `${url}/piped.bin`])).stderr, `${shown} 404 0`);

    const names = Array.from({ length: 30 }, (_, i) => `many-${i}`);
    for (const name of names) emulator.putObject(BUCKET, name, randomBytes(50_000));
    const before = await gateway.metric("ossgate_client_connections_total");
    const outputs = names.flatMap((name) => [`${url}/${name}`, "-o", join(directory, name)]);
    const many = await curl([version, "--parallel", "-f", ...outputs]);
    t.equal(many.code, 0, many.stderr);
    const opened = (await gateway.metric("ossgate_client_connections_total")) - before;
    if (shown === "2") t.equal(opened, 1, "all on one connection");
    else t.ok(opened > 1, "at once on several");
    const digests = await Promise.all(names.map(async (name) => sha256(await readFile(join(directory, name)))));
    t.strictSame(
      digests,
      names.map((name) => sha256(emulator.readObject(BUCKET, name))),
    );
    const protocols = new Set(gateway.accessLog.map(({ protocol }) => protocol));
    t.strictSame([...protocols], [logged]);
  });
}

t.test("curl with TLS 1.2 alone, with TLS 1.3 alone, and with neither", NEEDS_CURL, async (t) => {
  const { emulator, url, curl } = await startOpen(t);
  emulator.putObject(BUCKET, "a", "hello");
  for (const range of [
    ["--tlsv1.2", "--tls-max", "1.2"],
    ["--tlsv1.3", "--tls-max", "1.3"],
  ]) {
    t.equal((await curl([...range, `${url}/a`])).stdout.toString(), "hello", range.join(" "));
  }
  const old = await curl(["--tlsv1.0", "--tls-max", "1.1", "--ciphers", "DEFAULT@SECLEVEL=0", `${url}/a`]);
  t.equal(old.code, 35, `the handshake fails: ${old.stderr}`);
});

t.test("an authority that curl does not know is refused", NEEDS_CURL, async (t) => {
  const { gateway, url } = await startOpen(t);
  const strangers = new TestAuthority(t);
  t.equal((await curl(["--cacert", strangers.caFile, `${url}/a`])).code, 60);
  t.equal(gateway.accessLog.length, 0);
});

t.test("Python's http.client writes and reads over TLS on one connection", NEEDS_PYTHON, async (t) => {
  const { emulator, gateway, caFile } = await startOpen(t);
  const source = `
import hashlib, http.client, json, ssl, sys
context = ssl.create_default_context(cafile=sys.argv[2])
c = http.client.HTTPSConnection("127.0.0.1", int(sys.argv[1]), context=context)
out = []
def call(*args, **more):
    c.request(*args, **more)
    r = c.getresponse()
    out.append([r.status, hashlib.sha256(r.read()).hexdigest()])
data = bytes(range(256)) * 8192
call("PUT", "/py.bin", body=data)
call("PUT", "/chunked.bin", body=(data[i:i + 10000] for i in range(0, len(data), 10000)), encode_chunked=True)
call("GET", "/py.bin")
call("GET", "/chunked.bin", headers={"Range": "bytes=0-9"})
call("GET", "/missing")
out.append([c.sock.version(), ""])
json.dump(out, sys.stdout)
`;
  const data = Buffer.alloc(2 * MIB, Buffer.from(Array.from({ length: 256 }, (_, byte) => byte)));
  const { code, stdout, stderr } = await runProgram("python3", ["-I", "-c", source, String(gateway.port), caFile]);
  t.equal(code, 0, stderr);
  const out = JSON.parse(stdout.toString()) as [number, string][];
  t.strictSame(
    out.map(([status]) => status),
    [200, 200, 200, 206, 404, "TLSv1.3"],
  );
  t.equal(out[2]?.[1], sha256(data));
  t.equal(out[3]?.[1], sha256(data.subarray(0, 10)));
  t.strictSame(digestOf(emulator.readObject(BUCKET, "chunked.bin")), digestOf(data));
  t.equal(await gateway.metric("ossgate_client_connections_total"), 1);
});
