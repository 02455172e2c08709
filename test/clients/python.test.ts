import { randomBytes } from "node:crypto";
import t from "tap";
import { BUCKET } from "./ali-oss.js";
import { needs, runProgram, startOpenWorld } from "./programs.js";
import { DOMAIN, digestOf, sha256 } from "./world.js";

const NEEDS_PYTHON = needs("python3", "python3");
const MIB = 1024 * 1024;

/** Runs a Python program whose arguments are the port and more; what it prints is JSON. */
async function python(source: string, args: readonly (string | number)[]): Promise<unknown> {
  const { code, stdout, stderr } = await runProgram("python3", ["-I", "-c", source, ...args.map(String)]);
  if (code !== 0) throw new Error(stderr);
  return JSON.parse(stdout.toString());
}

t.test("Python's http.client writes, reads and deletes on one connection", NEEDS_PYTHON, async (t) => {
  const { emulator, gateway } = await startOpenWorld(t);
  const source = `
import hashlib, http.client, json, sys
c = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]))
out = []
def call(*args, **more):
    c.request(*args, **more)
    r = c.getresponse()
    body = r.read()
    out.append([r.status, len(body), hashlib.sha256(body).hexdigest()])
data = bytes(range(256)) * 8192
call("PUT", "/py%20+/%E4%B8%AD.bin", body=data)
call("PUT", "/chunked.bin", body=(data[i:i + 10000] for i in range(0, len(data), 10000)), encode_chunked=True)
call("GET", "/py%20+/%E4%B8%AD.bin")
call("HEAD", "/chunked.bin")
call("GET", "/missing")
call("DELETE", "/chunked.bin")
call("GET", "/py%20+/%E4%B8%AD.bin", headers={"Range": "bytes=0-9"})
json.dump(out, sys.stdout)
`;
  const data = Buffer.alloc(2 * MIB, Buffer.from(Array.from({ length: 256 }, (_, byte) => byte)));
  const out = (await python(source, [gateway.port])) as [number, number, string][];
  t.strictSame(
    out.map(([status]) => status),
    [200, 200, 200, 200, 404, 204, 206],
  );
  t.strictSame(out[2], [200, data.length, sha256(data)]);
  t.strictSame(out[6], [206, 10, sha256(data.subarray(0, 10))]);
  t.strictSame(digestOf(emulator.readObject(BUCKET, "py +/中.bin")), digestOf(data));
  t.equal(await gateway.metric("ossgate_client_connections_total"), 1);
});

t.test("Python's urllib reads by address and by domain", NEEDS_PYTHON, async (t) => {
  const { emulator, gateway } = await startOpenWorld(t);
  const body = randomBytes(MIB);
  emulator.putObject(BUCKET, "a b.bin", body);
  const source = `
import hashlib, json, sys, urllib.error, urllib.request
port, domain = sys.argv[1:]
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
out = []
for host in (None, domain):
    request = urllib.request.Request(f"http://127.0.0.1:{port}/a%20b.bin", headers={"Host": host} if host else {})
    with opener.open(request) as r:
        out.append([r.status, hashlib.sha256(r.read()).hexdigest()])
try:
    opener.open(f"http://127.0.0.1:{port}/missing")
except urllib.error.HTTPError as error:
    out.append([error.code, "NoSuchKey" in error.read().decode()])
json.dump(out, sys.stdout)
`;
  t.strictSame(await python(source, [gateway.port, `${DOMAIN}:${gateway.port}`]), [
    [200, sha256(body)],
    [200, sha256(body)],
    [404, true],
  ]);
});

t.test("a client that shuts down its sending side after the request gets the whole answer", NEEDS_PYTHON, async (t) => {
  const { emulator, gateway } = await startOpenWorld(t);
  const body = randomBytes(4 * MIB);
  emulator.putObject(BUCKET, "half.bin", body);
  const source = `
import hashlib, json, socket, sys
def talk(request):
    s = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
    s.sendall(request)
    s.shutdown(socket.SHUT_WR)
    answer = b""
    while piece := s.recv(65536):
        answer += piece
    heads = []
    while answer.startswith(b"HTTP/1."):
        head, _, answer = answer.partition(b"\\r\\n\\r\\n")
        heads.append(int(head.split(b" ")[1]))
    return [heads[-1], len(answer), hashlib.sha256(answer).hexdigest()]
host = b"Host: 127.0.0.1\\r\\n"
data = b"half" * 100000
json.dump([
    talk(b"GET /half.bin HTTP/1.1\\r\\n" + host + b"\\r\\n"),
    talk(b"GET /half.bin HTTP/1.0\\r\\n" + host + b"\\r\\n"),
    talk(b"PUT /put.bin HTTP/1.1\\r\\n" + host + b"Content-Length: %d\\r\\n\\r\\n" % len(data) + data),
], sys.stdout)
`;
  const empty = sha256("");
  t.strictSame(await python(source, [gateway.port]), [
    [200, body.length, sha256(body)],
    [200, body.length, sha256(body)],
    [200, 0, empty],
  ]);
  t.equal(emulator.readObject(BUCKET, "put.bin").toString(), "half".repeat(100_000));
});

t.test("a request that comes one byte at a time is understood", NEEDS_PYTHON, async (t) => {
  const { emulator, gateway } = await startOpenWorld(t);
  const source = `
import json, socket, sys
s = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
for byte in b"PUT /slow.txt HTTP/1.1\\r\\nHost: 127.0.0.1\\r\\nContent-Length: 5\\r\\nConnection: close\\r\\n\\r\\nhello":
    s.sendall(bytes([byte]))
answer = b""
while piece := s.recv(65536):
    answer += piece
json.dump(answer.split(b"\\r\\n")[0].decode(), sys.stdout)
`;
  t.equal(await python(source, [gateway.port]), "HTTP/1.1 200 OK");
  t.equal(emulator.readObject(BUCKET, "slow.txt").toString(), "hello");
});
