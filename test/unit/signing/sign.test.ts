import t from "tap";
import { headerValue } from "../../../src/core/headers.js";
import { Secret } from "../../../src/core/secret.js";
import { parseQuery, queryValue } from "../../../src/signing/canonical.js";
import { DayKeyCache, deriveDayKey } from "../../../src/signing/day-key.js";
import { presignV1Url, presignV4Url, signV1Header, signV4Header } from "../../../src/signing/sign.js";
import { parseHttpDateMs, parseIsoBasicMs } from "../../../src/signing/time.js";
import { authParameters, flat, knownOf, readVectors, scopeOf, type Vector } from "./vectors.js";

const vectors = readVectors("signatures");
const plainInput = (v: Vector, headers = v.headers) => ({
  method: v.method,
  bucket: v.bucket,
  key: v.key,
  query: Object.entries(v.query),
  headers: flat(headers),
});
const without = (headers: Vector["headers"], ...names: string[]) =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => !names.includes(name.toLowerCase())));

for (const v of vectors.filter(({ version, location }) => version === "V1" && location === "url")) {
  t.test(`${v.name}: the presigned V1 URL has the published signature`, async (t) => {
    const added = parseQuery(presignV1Url(plainInput(v), knownOf(v), Number(v.expires)));
    t.equal(queryValue(added, "Signature"), v.expected);
    t.equal(queryValue(added, "OSSAccessKeyId"), v.accessKeyId);
    t.equal(queryValue(added, "Expires"), String(v.expires));
    t.equal(queryValue(added, "security-token"), v.securityToken);
    t.equal(added.length, v.securityToken === undefined ? 3 : 4);
  });
}

for (const v of vectors.filter(({ version, location }) => version === "V4" && location === "url")) {
  t.test(`${v.name}: the presigned V4 URL has the published signature and parameters`, async (t) => {
    const options = {
      nowMs: parseIsoBasicMs(v.date ?? "") ?? Number.NaN,
      expiresSeconds: Number(v.expires),
      region: v.region,
      product: v.product ?? "oss",
      additionalHeaders: v.additionalHeaders ?? [],
    };
    const added = parseQuery(presignV4Url(plainInput(v), knownOf(v), options));
    const expected = [...authParameters(v), ["x-oss-signature", v.expected] as const];
    t.same(new Map(added), new Map(expected));
    t.equal(added.length, expected.length);
  });
}

// The published headers that sign() adds itself; a vector with Date alone cannot be made, for sign() sends x-oss-date.
for (const v of vectors.filter(({ version, location }) => version === "V4" && location === "header")) {
  t.test(`${v.name}: the V4 header has the published signature`, async (t) => {
    const headers = without(v.headers, "x-oss-date", "x-oss-content-sha256", "x-oss-security-token");
    const nowMs = parseIsoBasicMs(v.date ?? "") ?? Number.NaN;
    const options = { nowMs, ...scopeOf(v), additionalHeaders: v.additionalHeaders ?? [] };
    const added = signV4Header(plainInput(v, headers), knownOf(v), options);
    const authorization = headerValue(added, "authorization");
    if (v.expectedAuthorization !== undefined) t.equal(authorization, v.expectedAuthorization);
    t.equal(authorization?.endsWith(`Signature=${v.expected}`), true);
    t.equal(headerValue(added, "x-oss-date"), v.date);
    t.equal(headerValue(added, "x-oss-content-sha256"), "UNSIGNED-PAYLOAD");
    t.equal(headerValue(added, "x-oss-security-token"), v.securityToken);
  });
}

const withOssDate = vectors.filter((v) => v.version === "V1" && v.location === "header" && v.headers["x-oss-date"]);

t.test("seven V1 header vectors carry x-oss-date", async (t) => t.equal(withOssDate.length, 7));

for (const v of withOssDate) {
  t.test(`${v.name}: the V1 header has the published signature`, async (t) => {
    const headers = without(v.headers, "x-oss-date", "x-oss-security-token");
    const nowMs = parseHttpDateMs(v.date ?? "") ?? Number.NaN;
    const added = signV1Header(plainInput(v, headers), knownOf(v), nowMs);
    t.equal(headerValue(added, "authorization"), `OSS ${v.accessKeyId}:${v.expected}`);
    t.equal(headerValue(added, "x-oss-date"), v.date);
    t.equal(headerValue(added, "x-oss-security-token"), v.securityToken);
  });
}

t.test("additional headers that the request lacks are left out of the list", async (t) => {
  const input = { method: "GET", bucket: "b", key: "k", query: [], headers: ["Range", "bytes=0-9"] };
  const credentials = { accessKeyId: "ak", accessKeySecret: new Secret("sk") };
  const options = { nowMs: 0, region: "cn-hangzhou", additionalHeaders: ["Host", "RANGE", "range", "content-type"] };
  t.match(headerValue(signV4Header(input, credentials, options), "authorization"), ",AdditionalHeaders=range,");
});

t.test("the day-key cache gives the derived key, and a replaced secret under the same id is seen", async (t) => {
  const scope = { date8: "20250101", region: "cn-hangzhou", product: "oss" };
  const cache = new DayKeyCache(8);
  const first = cache.get("ak", new Secret("one"), scope);
  t.same(first, deriveDayKey(new Secret("one"), scope));
  t.equal(cache.get("ak", new Secret("one"), scope), first, "the same bytes are handed out again");
  t.same(cache.get("ak", new Secret("two"), scope), deriveDayKey(new Secret("two"), scope));
  t.equal(cache.size, 1);
});

t.test("keys of different days, regions, products and ids are kept apart", async (t) => {
  const scope = { date8: "20250101", region: "cn-hangzhou", product: "oss" };
  const cache = new DayKeyCache(8);
  const others = [{ date8: "20250102" }, { region: "cn-beijing" }, { product: "oss-cloudbox" }];
  const keys = [scope, ...others.map((other) => ({ ...scope, ...other }))].map((s) =>
    cache.get("ak", new Secret("s"), s),
  );
  t.equal(new Set(keys.map((key) => Buffer.from(key).toString("hex"))).size, 4);
  cache.get("ak2", new Secret("s"), scope);
  t.equal(cache.size, 5);
});

t.test("a full day-key cache drops the key that was not used for the longest time", async (t) => {
  const cache = new DayKeyCache(2);
  const secret = new Secret("s");
  const scope = { date8: "20250101", region: "r", product: "oss" };
  const a = cache.get("a", secret, scope);
  const b = cache.get("b", secret, scope);
  cache.get("a", secret, scope);
  cache.get("c", secret, scope);
  t.equal(cache.size, 2);
  t.equal(cache.get("a", secret, scope), a, "used last, so kept");
  t.not(cache.get("b", secret, scope), b, "derived anew");
});
