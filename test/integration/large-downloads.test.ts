import { createHash } from "node:crypto";
import { request } from "node:http";
import t from "tap";
import { startEmulator, startGateway } from "../support/gateway.js";

const SIZES = [0, 1, 1023, 4096, 16_383, 16_384, 16_385, 65_536, 262_143, 262_144, 262_145, 1_000_003, 9_000_001];

function bytesOf(size: number, seed: number): Buffer {
  const body = Buffer.alloc(size);
  for (let i = 0; i < size; i += 1) body[i] = (i * 31 + seed * 17 + (i >> 8)) & 0xff;
  return body;
}

const hash = (body: Buffer): string => createHash("sha256").update(body).digest("hex");

/** Reads an answer in small steps, so that the gateway's writes and reads stop and go on. */
function download(port: number, path: string): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const req = request({ host: "127.0.0.1", port, path, agent: false }, (res) => {
      const chunks: Buffer[] = [];
      res.on("data", (chunk: Buffer) => {
        chunks.push(Buffer.from(chunk));
        res.pause();
        setImmediate(() => res.resume());
      });
      res.on("end", () => resolve(Buffer.concat(chunks)));
      res.on("error", reject);
    });
    req.on("error", reject);
    req.end();
  });
}

t.test("bodies of every size arrive whole, also many at a time over the same upstream connections", async (t) => {
  const emulator = await startEmulator(t);
  emulator.addBucket({ name: "examplebucket", region: "cn-hangzhou", acl: "public-read" });
  const hashes = new Map<string, string>();
  for (const [index, size] of SIZES.entries()) {
    const body = bytesOf(size, index);
    emulator.putObject("examplebucket", `o${size}`, body, { "Content-Type": "application/octet-stream" });
    hashes.set(`/o${size}`, hash(body));
  }
  const { port } = await startGateway(
    t,
    `listeners: [{ name: web, address: "127.0.0.1:0" }]
admin: { address: "127.0.0.1:0" }
buckets:
  b: { bucket: examplebucket, region: cn-hangzhou, endpoint: "${emulator.url}", connections: 4 }
routes:
  - { name: all, match: { hosts: [127.0.0.1] }, bucket: b }
`,
  );
  for (let round = 0; round < 3; round += 1) {
    const answers = await Promise.all(
      [...hashes].map(async ([path]) => [path, hash(await download(port, path))] as const),
    );
    for (const [path, found] of answers) t.equal(found, hashes.get(path), `${path} in round ${round}`);
  }
});
