import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import t from "tap";
import { headerValue } from "../../../src/core/headers.js";
import { type OssCredentials, Secret } from "../../../src/core/secret.js";
import { HeaderSigner, type RequestToSign } from "../../../src/signing/header-signer.js";
import { signV1Header, signV4Header } from "../../../src/signing/sign.js";
import { parseHttpDateMs, parseIsoBasicMs } from "../../../src/signing/time.js";
import { flat, knownOf, readVectors, scopeOf, type Vector } from "./vectors.js";

const ADDED = ["x-oss-date", "x-oss-content-sha256", "x-oss-security-token"];
const vectors = readVectors("signatures").filter(({ location }) => location === "header");

function requestOf(v: Vector): RequestToSign {
  const headers = flat(
    Object.fromEntries(Object.entries(v.headers).filter(([name]) => !ADDED.includes(name.toLowerCase()))),
  );
  const date = v.date ?? "";
  const nowMs = parseIsoBasicMs(date) ?? parseHttpDateMs(date) ?? Number.NaN;
  return { method: v.method, key: v.key, query: Object.entries(v.query), headers, credentials: knownOf(v), nowMs };
}

// Lists of additional headers are for clients that sign their Host; the gateway has no use for them.
const v4Vectors = vectors.filter((v) => v.version === "V4" && v.bucket !== "" && !v.additionalHeaders);
const v1Vectors = vectors.filter((v) => v.version === "V1" && v.bucket !== "" && v.headers["x-oss-date"]);

t.test("the published vectors of requests that a gateway can make are there", async (t) => {
  t.same([v4Vectors.length, v1Vectors.length], [18, 7]);
});

for (const v of v4Vectors) {
  t.test(`${v.name}: the signer's V4 header has the published signature`, async (t) => {
    const signer = new HeaderSigner({ bucket: v.bucket, ...scopeOf(v), version: "v4" });
    const added = signer.sign(requestOf(v));
    t.equal(headerValue(added, "authorization")?.endsWith(`Signature=${v.expected}`), true);
    t.equal(headerValue(added, "x-oss-security-token"), v.securityToken);
  });
}

for (const v of v1Vectors) {
  t.test(`${v.name}: the signer's V1 header has the published signature`, async (t) => {
    const signer = new HeaderSigner({ bucket: v.bucket, region: "", product: "oss", version: "v1" });
    const added = signer.sign(requestOf(v));
    t.equal(headerValue(added, "authorization"), `OSS ${v.accessKeyId}:${v.expected}`);
  });
}

const bucket = "examplebucket";
const region = "cn-hangzhou";
const DAY_MS = 86_400_000;
const START = Date.UTC(2025, 0, 1);
const permanent: OssCredentials = { accessKeyId: "ak", accessKeySecret: new Secret("sk") };
const pairs: readonly OssCredentials[] = [
  permanent,
  { accessKeyId: "ak", accessKeySecret: new Secret("another secret of the same id") },
  { accessKeyId: "STS.ak", accessKeySecret: new Secret("图"), securityToken: "CAIS+token/with=specials==" },
];

/** One signer for all, so that everything it keeps from earlier requests is in use. */
const signers = {
  v4: new HeaderSigner({ bucket, region, product: "oss", version: "v4" }),
  v1: new HeaderSigner({ bucket, region, product: "oss", version: "v1" }),
};

const text = fc.string({ unit: "binary", maxLength: 12 });
const headerText = fc.string({ maxLength: 12 });
const name = fc.constantFrom("acl", "response-content-type", "X", "_x", "é", "uploadId", "prefix", "");
const query = fc.array(fc.tuple(name, fc.option(text)), { maxLength: 4 });
const headerName = fc.constantFrom(
  "Range",
  "x-oss-meta-a",
  "X-Oss-Meta-B",
  "CONTENT-TYPE",
  "content-md5",
  "Connection",
);
const headers = fc.array(fc.tuple(headerName, headerText), { maxLength: 5 }).map((list) => list.flat());
const moment = fc.oneof(
  fc.integer({ min: START, max: START + 3_000 }),
  fc.integer({ min: START - DAY_MS, max: START + DAY_MS }),
);
const request = fc.record({
  method: fc.constantFrom("GET", "HEAD", "PUT", "POST", "DELETE"),
  key: text,
  query,
  headers,
  credentials: fc.constantFrom(...pairs),
  nowMs: moment,
});

t.test("whatever came before, the signer gives what the plain functions give", async (t) => {
  const check = fc.property(request, (request) => {
    const input = { ...request, bucket };
    const { credentials, nowMs } = request;
    const isSameV4 = isDeepStrictEqual(signers.v4.sign(request), signV4Header(input, credentials, { nowMs, region }));
    return isSameV4 && isDeepStrictEqual(signers.v1.sign(request), signV1Header(input, credentials, nowMs));
  });
  fc.assert(check, { numRuns: 500, seed: 20250101 });
  t.pass("500 runs");
});

t.test("the first moment of the epoch is signed like any other", async (t) => {
  const request = { method: "GET", key: "k", query: [], headers: [], credentials: permanent, nowMs: 0 };
  for (const [version, wanted] of [
    ["v4", "19700101T000000Z"] as const,
    ["v1", "Thu, 01 Jan 1970 00:00:00 GMT"] as const,
  ]) {
    const added = new HeaderSigner({ bucket, region, product: "oss", version }).sign(request);
    t.equal(headerValue(added, "x-oss-date"), wanted);
  }
});

t.test("a retry one second later has another date and another signature", async (t) => {
  const request = { method: "GET", key: "k", query: [], headers: [], credentials: permanent };
  for (const signer of Object.values(signers)) {
    const [first, second] = [START, START + 1_000].map((nowMs) => signer.sign({ ...request, nowMs }));
    t.not(headerValue(first ?? [], "x-oss-date"), headerValue(second ?? [], "x-oss-date"));
    t.not(headerValue(first ?? [], "authorization"), headerValue(second ?? [], "authorization"));
  }
});
