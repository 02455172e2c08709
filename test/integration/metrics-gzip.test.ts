import { get, type IncomingMessage } from "node:http";
import { gunzipSync } from "node:zlib";
import t from "tap";
import { takesGzip } from "../../src/server/admin-gzip.js";
import { startGateway } from "../support/gateway.js";

const CONFIG = `
listeners: [{ name: web, address: "127.0.0.1:0" }]
admin: { address: "127.0.0.1:0" }
buckets: { one: { bucket: examplebucket, region: cn-beijing, endpoint: "http://127.0.0.1:9" } }
routes: [{ name: img, match: { hosts: [img.test] }, bucket: one }]
`;

interface Page {
  readonly status: number | undefined;
  readonly headers: IncomingMessage["headers"];
  readonly body: Buffer;
}

function fetchRaw(url: string, acceptEncoding: string | null, method = "GET"): Promise<Page> {
  return new Promise((resolve, reject) => {
    const headers = acceptEncoding === null ? {} : { "Accept-Encoding": acceptEncoding };
    get(url, { headers, agent: false, method }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on("data", (chunk: Buffer) => chunks.push(chunk));
      answer.on("end", () =>
        resolve({ status: answer.statusCode, headers: answer.headers, body: Buffer.concat(chunks) }),
      );
    }).on("error", reject);
  });
}

const names = (page: string): readonly string[] => [...page.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name ?? "");

t.test("the metrics page is compressed for those who ask for it, and as it is for others", async (t) => {
  const { adminUrl } = await startGateway(t, CONFIG);
  const plain = await fetchRaw(`${adminUrl}/metrics`, null);
  const zipped = await fetchRaw(`${adminUrl}/metrics`, "gzip");
  for (const { status, headers, body } of [plain, zipped]) {
    t.equal(status, 200);
    t.equal(headers.vary, "Accept-Encoding");
    t.match(headers["content-type"], /^text\/plain; version=0\.0\.4/);
    t.equal(Number(headers["content-length"]), body.length);
  }
  t.equal(plain.headers["content-encoding"], undefined);
  t.equal(zipped.headers["content-encoding"], "gzip");
  const text = gunzipSync(zipped.body).toString();
  t.same(names(text), names(plain.body.toString()), "the same metrics");
  t.ok(zipped.body.length < plain.body.length / 4, `${plain.body.length} became ${zipped.body.length}`);
  const head = await fetchRaw(`${adminUrl}/metrics`, "gzip", "HEAD");
  t.equal(head.headers["content-encoding"], "gzip");
  t.equal(head.body.length, 0);
});

t.test("what Accept-Encoding says counts", async (t) => {
  const cases: readonly (readonly [value: string | undefined, isTaken: boolean])[] = [
    [undefined, false],
    ["", false],
    ["gzip", true],
    ["GZIP", true],
    ["deflate, gzip;q=0.5", true],
    ["gzip;q=0", false],
    ["gzip ; q=0.000", false],
    ["gzip;q=0.001", true],
    ["*", true],
    ["*;q=0", false],
    ["*, gzip;q=0", false],
    ["gzip, *;q=0", true],
    ["identity", false],
    ["br, zstd", false],
    ["notgzip", false],
  ];
  for (const [value, isTaken] of cases) t.equal(takesGzip(value), isTaken, String(value));
});
