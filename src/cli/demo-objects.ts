import { crc32, deflateSync } from "node:zlib";
import type { Emulator } from "../emulator/index.js";

/** The demo's buckets; the credentials are made up and known to the emulator alone. */
export const DEMO = {
  bucket: "ossgate-demo",
  archive: "ossgate-demo-archive",
  region: "cn-hangzhou",
  domain: "demo.localhost",
  sdkName: "sdk.localhost",
  linkName: "links.localhost",
  linkRoute: "by-link",
  privateKey: "private/report.txt",
  uploadKey: "upload.txt",
  chineseKey: "图片/照片 1.txt",
} as const;

const PAGE = `<!doctype html>
<html lang="en"><meta charset="utf-8"><title>ossgate demo</title>
<body style="font: 1rem/1.5 system-ui; max-width: 40rem; margin: 3rem auto">
<h1>Served through ossgate</h1>
<p>This page and the image below are objects in a bucket. Your browser talks to the gateway alone.</p>
<p><img src="gradient.png" alt="a gradient" width="480" height="240"></p>
`;

/** Fills the emulator with what the demo's lines ask for. */
export function fillDemoBuckets(emulator: Emulator): void {
  const { bucket, archive, region, domain, privateKey, chineseKey } = DEMO;
  emulator.addBucket({ name: bucket, region, acl: "public-read", domains: [domain] });
  emulator.addBucket({ name: archive, region, acl: "private" });
  const text = { "Content-Type": "text/plain; charset=utf-8" };
  emulator.putObject(bucket, "hello.txt", "Hello from a bucket behind ossgate.\n", text);
  emulator.putObject(bucket, "index.html", PAGE, { "Content-Type": "text/html; charset=utf-8" });
  emulator.putObject(bucket, "gradient.png", gradientPng(480, 240), { "Content-Type": "image/png" });
  emulator.putObject(bucket, chineseKey, "一把带空格的钥匙。\n", text);
  emulator.putObject(bucket, "big.bin", Buffer.alloc(8 * 1024 * 1024, "ossgate "), {
    "Content-Type": "application/octet-stream",
  });
  const privateHeaders = { ...text, "x-oss-object-acl": "private" };
  emulator.putObject(bucket, privateKey, "Only a signed request reads this.\n", privateHeaders);
  emulator.putObject(archive, "hello.txt", "Hello from the private archive.\n", text);
}

/** A picture as PNG bytes (RFC 2083): 8-bit RGB rows without filter. */
function gradientPng(width: number, height: number): Buffer {
  const rows = Buffer.alloc(height * (1 + 3 * width));
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const at = y * (1 + 3 * width) + 1 + 3 * x;
      rows[at] = Math.round((255 * x) / width);
      rows[at + 1] = Math.round((255 * y) / height);
      rows[at + 2] = 160;
    }
  }
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 2, 0, 0, 0], 8);
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  const end = pngChunk("IEND", Buffer.alloc(0));
  return Buffer.concat([signature, pngChunk("IHDR", header), pngChunk("IDAT", deflateSync(rows)), end]);
}

function pngChunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, "latin1"), data]);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(data.length);
  const checksum = Buffer.alloc(4);
  checksum.writeUInt32BE(crc32(body));
  return Buffer.concat([length, body, checksum]);
}
