import fc from "fast-check";
import t from "tap";
import { headerValue } from "../../../src/core/headers.js";
import { Secret } from "../../../src/core/secret.js";
import { parseQuery, queryValue, V1_SIGNED_PARAMETERS } from "../../../src/signing/canonical.js";
import { classify } from "../../../src/signing/classify.js";
import { presignV1Url, presignV4Url } from "../../../src/signing/sign.js";
import { parseHttpDateMs, parseIsoBasicMs } from "../../../src/signing/time.js";
import * as v1 from "../../../src/signing/v1.js";
import * as v4 from "../../../src/signing/v4.js";
import { type RequestToVerify, verifyRequest } from "../../../src/signing/verify.js";
import { aliClient, aliRequest, aliSignUtils, bucket, keys, requestOfUrl } from "./ali-oss.js";

const runs = { numRuns: 200, seed: 20250101 };
const secret = new Secret(keys.accessKeySecret);
const stsToken = "CAIS+token/with=specials==";

/** When the request says it was signed: ali-oss takes the time from the clock. */
function signedAtMs({ rawQuery, headers }: RequestToVerify): number {
  const query = parseQuery(rawQuery);
  const text = headerValue(headers, "x-oss-date") ?? queryValue(query, "x-oss-date") ?? "";
  return parseHttpDateMs(text) ?? parseIsoBasicMs(text) ?? Number(queryValue(query, "Expires")) * 1000 - 1000;
}

function verdictOf(request: RequestToVerify, hasToken = false) {
  const known = { accessKeyId: keys.accessKeyId, accessKeySecret: secret };
  return verifyRequest(request, classify(request.method, request.rawQuery, request.headers), {
    nowMs: signedAtMs(request),
    region: "cn-hangzhou",
    product: "oss",
    findCredentials: () => (hasToken ? { ...known, securityToken: stsToken } : known),
  });
}

const isVerified = (request: RequestToVerify, signatureClass: string, hasToken = false): boolean => {
  const verdict = verdictOf(request, hasToken);
  return verdict.ok && verdict.signatureClass === signatureClass;
};

const anyText = fc.string({ unit: "binary", maxLength: 12 });
const hardPart = fc.constantFrom(
  " ",
  "%",
  "%25",
  "+",
  "'",
  '"',
  "/",
  "//",
  "/./",
  "/../",
  "?",
  "#",
  "&=",
  "\\",
  "😀",
  "图",
  "\n",
);
// No leading slash: OSS refuses such keys (oss-semantics §7.2), and ali-oss takes it off.
const key = fc
  .array(fc.oneof(anyText, hardPart, fc.string({ maxLength: 5 })), { minLength: 1, maxLength: 6 })
  .map((parts) => parts.join("").replace(/^\/+/, ""))
  .filter((text) => text !== "");
const method = fc.constantFrom("GET", "HEAD", "PUT", "POST", "DELETE");

const ossHeaderName = fc
  .tuple(fc.constantFrom("x-oss-", "X-Oss-Meta-", "x-oss-meta-"), fc.stringMatching(/^[a-z][a-z0-9-]{0,6}$/))
  .map((parts) => `${parts.join("")}z`);
const headerText = fc.string({ maxLength: 10 });
const ossHeaders = fc
  .uniqueArray(fc.tuple(ossHeaderName, headerText), { maxLength: 4, selector: ([name]) => name.toLowerCase() })
  .map((pairs) => Object.fromEntries(pairs));
const bodyHeaders = fc.record(
  { "Content-Type": fc.constantFrom("text/plain", "image/jpg; a=b"), "Content-MD5": fc.base64String({ minLength: 4 }) },
  { requiredKeys: [] },
);
const headers = fc.tuple(ossHeaders, bodyHeaders).map(([a, b]) => ({ ...a, ...b }));

const listed = [...V1_SIGNED_PARAMETERS].filter((name) => name !== "security-token");
const subResourceName = fc.oneof(fc.constantFrom(...listed), fc.stringMatching(/^x-oss-[a-z-]{1,8}z$/));
const subResources = fc.dictionary(subResourceName, anyText, { maxKeys: 5 });
// Names on whose order localeCompare and the bytes agree, and values that are not empty: the named tests below have the rest.
const plainName = fc.stringMatching(/^[a-z][a-z0-9]{0,8}$/).filter((name) => !name.startsWith("x"));
const queryParameters = fc.dictionary(
  plainName,
  anyText.filter((value) => value !== ""),
  { maxKeys: 4 },
);

t.test("V1 URLs of ali-oss verify, and are the same as ours", async (t) => {
  const [client, sts] = [aliClient(), aliClient({ stsToken, refreshSTSTokenInterval: 1 })];
  const check = fc.property(key, method, headers, subResources, fc.boolean(), (key, method, headers, sub, hasToken) => {
    const url = (hasToken ? sts : client).signatureUrl(key, { ...headers, method, subResource: { ...sub } }, false);
    const request = requestOfUrl(method, url, headers);
    const query = parseQuery(request.rawQuery);
    const credentials = { ...keys, accessKeySecret: secret, ...(hasToken && { securityToken: stsToken }) };
    const input = { method, bucket, key, query: Object.entries(sub), headers: request.headers };
    const ours = parseQuery(presignV1Url(input, credentials, Number(queryValue(query, "Expires"))));
    return (
      request.key === key &&
      isVerified(request, "v1-url", hasToken) &&
      queryValue(ours, "Signature") === queryValue(query, "Signature")
    );
  });
  fc.assert(check, runs);
  t.pass("200 runs");
});

t.test("V4 URLs of ali-oss verify, and are the same as ours", async (t) => {
  const [client, sts] = [aliClient(), aliClient({ stsToken, refreshSTSTokenInterval: 1 })];
  const additional = fc.subarray(["Range", "x-other"]);
  const expiry = fc.integer({ min: 1, max: 604_800 });
  const check = fc.asyncProperty(
    key,
    method,
    headers,
    queryParameters,
    fc.record({ names: additional, expiresSeconds: expiry, hasToken: fc.boolean() }),
    async (key, method, ossHeaders, queries, { names, expiresSeconds, hasToken }) => {
      const headers = { ...ossHeaders, Range: "bytes=0-9", "X-Other": " o " };
      const signer = hasToken ? sts : client;
      const url = await signer.signatureUrlV4(method, expiresSeconds, { headers, queries }, key, names);
      const request = requestOfUrl(method, url, headers);
      const credentials = { ...keys, accessKeySecret: secret, ...(hasToken && { securityToken: stsToken }) };
      const input = { method, bucket, key, query: Object.entries(queries), headers: request.headers };
      const options = { nowMs: signedAtMs(request), region: "cn-hangzhou", expiresSeconds, additionalHeaders: names };
      const ours = parseQuery(presignV4Url(input, credentials, options));
      const theirs = parseQuery(request.rawQuery);
      return (
        request.key === key &&
        isVerified(request, "v4-url", hasToken) &&
        ours.every(([name, value]) => queryValue(theirs, name) === value)
      );
    },
  );
  await fc.assert(check, runs);
  t.pass("200 runs");
});

t.test("requests of ali-oss with a V1 header verify", async (t) => {
  const [client, sts] = [aliClient(), aliClient({ stsToken, refreshSTSTokenInterval: 1 })];
  const unsigned = fc.dictionary(
    plainName.map((name) => `${name}-unsigned`),
    anyText,
    { maxKeys: 3 },
  );
  const object = fc.option(key, { nil: undefined });
  const check = fc.property(
    object,
    method,
    headers,
    subResources,
    fc.record({ query: unsigned, hasToken: fc.boolean() }),
    (object, method, headers, subres, { query, hasToken }) => {
      const params = { method, headers, subres, query, ...(object !== undefined && { object }) };
      const request = aliRequest(hasToken ? sts : client, params);
      return request.key === (object ?? "") && isVerified(request, "v1-header", hasToken);
    },
  );
  fc.assert(check, runs);
  t.pass("200 runs");
});

t.test("requests of ali-oss with a V4 header verify", async (t) => {
  const v4Client = aliClient({ authorizationV4: true });
  const sts = aliClient({ authorizationV4: true, stsToken, refreshSTSTokenInterval: 1 });
  const check = fc.property(
    fc.option(key, { nil: undefined }),
    method,
    headers,
    queryParameters,
    fc.record({ hasToken: fc.boolean(), additionalHeaders: fc.subarray(["range", "User-Agent"]) }),
    (object, method, ossHeaders, query, { hasToken, additionalHeaders }) => {
      const headers = { ...ossHeaders, range: "bytes=0-9" };
      const params = { method, headers, query, additionalHeaders, ...(object !== undefined && { object }) };
      const request = aliRequest(hasToken ? sts : v4Client, params);
      return request.key === (object ?? "") && isVerified(request, "v4-header", hasToken);
    },
  );
  fc.assert(check, runs);
  t.pass("200 runs");
});

// With headerEncoding latin1 ali-oss sends header values as UTF-8 bytes, each as one character, as Node reads them too.
// The letters around keep ali-oss from trimming half a character: see the test of that name.
const unicodeValue = fc.string({ unit: "grapheme", maxLength: 8 }).map((text) => `a${text}z`);

for (const authorizationV4 of [false, true]) {
  t.test(`${authorizationV4 ? "V4" : "V1"}: header values beyond ASCII verify as they are on the wire`, async (t) => {
    const client = aliClient({ authorizationV4, headerEncoding: "latin1" });
    const check = fc.property(key, unicodeValue, (object, value) => {
      const request = aliRequest(client, { method: "PUT", object, headers: { "x-oss-meta-a": value } });
      const sent = headerValue(request.headers, "x-oss-meta-a") ?? "";
      const isOnTheWire = Buffer.from(sent, "latin1").toString("utf8") === value;
      return isOnTheWire && isVerified(request, authorizationV4 ? "v4-header" : "v1-header");
    });
    fc.assert(check, runs);
    t.pass("200 runs");
  });
}

t.test("any change to a signed URL of ali-oss breaks it", async (t) => {
  const client = aliClient();
  const change = fc.constantFrom("method", "key", "acl", "x-oss-meta-a", "Signature");
  const check = fc.property(key, change, (key, change) => {
    const url = client.signatureUrl(key, { method: "GET", subResource: { acl: "1" } }, false);
    const request = requestOfUrl("GET", url);
    const changed = {
      method: { ...request, method: "PUT" },
      key: { ...request, key: `${key} ` },
      acl: { ...request, rawQuery: request.rawQuery.replace("acl=1", "acl=2") },
      "x-oss-meta-a": { ...request, headers: ["x-oss-meta-a", "1"] },
      Signature: { ...request, rawQuery: request.rawQuery.replace("Signature=", "Signature=A") },
    }[change];
    const verdict = verdictOf(changed);
    return !verdict.ok && verdict.code === "SignatureDoesNotMatch";
  });
  fc.assert(check, runs);
  t.pass("200 runs");
});

// Where ali-oss departs from what the other SDKs and, by oss-semantics §2, OSS do. Both values are fixed, so that a
// change on either side is noticed.

const v4Headers = { "x-oss-date": "20250101T000000Z", "x-oss-content-sha256": "UNSIGNED-PAYLOAD" };

/** The query line of the canonical request, ours and theirs. */
function queryLines(query: Record<string, string | null>): readonly [ours: string, theirs: string] {
  const headers = Object.entries(v4Headers).flat();
  const ours = v4.canonicalRequest({ method: "GET", bucket, key: "k", query: Object.entries(query), headers }, []);
  const theirs = aliSignUtils.getCanonicalRequest("GET", { headers: v4Headers, queries: query }, bucket, "k");
  const line = (canonicalRequest: string): string => canonicalRequest.split("\n")[2] ?? "";
  return [line(ours), line(theirs)];
}

t.test("departure: ali-oss sorts the V4 query by locale, we by bytes", async (t) => {
  const [ours, theirs] = queryLines({ b: "1", Z: "2", _a: "3" });
  t.equal(ours, "Z=2&_a=3&b=1");
  t.equal(theirs, "_a=3&b=1&Z=2");
});

t.test("departure: ali-oss sorts V4 names as they are, we as they are encoded", async (t) => {
  const [ours, theirs] = queryLines({ a: "1", é: "2" });
  t.equal(ours, "%C3%A9=2&a=1");
  t.equal(theirs, "a=1&%C3%A9=2");
});

t.test("departure: ali-oss signs an empty V4 value as `name=`, we as `name`", async (t) => {
  const [ours, theirs] = queryLines({ foo: "" });
  t.equal(ours, "foo");
  t.equal(theirs, "foo=");
  t.same(queryLines({ foo: null }), ["foo", "foo"]);
});

t.test("a V4 URL of ali-oss with such names does not verify, as it would not at OSS", async (t) => {
  for (const queries of [{ b: "1", Z: "2" }, { foo: "" }]) {
    const url = await aliClient().signatureUrlV4("GET", 60, { headers: {}, queries }, "k");
    t.match(verdictOf(requestOfUrl("GET", url)), { ok: false, code: "SignatureDoesNotMatch" });
  }
});

const v1Headers = { "x-oss-date": "Wed, 01 Jan 2025 00:00:00 GMT" };
const resource = `/${bucket}/k`;
const ourV1 = (query: Record<string, string>, headers: Record<string, string> = v1Headers): string => {
  const flat = Object.entries(headers).flat();
  const input = { method: "GET", bucket, key: "k", query: Object.entries(query), headers: flat };
  return v1.stringToSign(input, v1.dateLine(flat));
};
const aliV1 = (parameters: Record<string, string>, headers: Record<string, string> = v1Headers): string =>
  aliSignUtils.buildCanonicalString("GET", resource, { headers, parameters });

t.test("departure: ali-oss signs in V1 whatever it is given as a sub-resource, we what is listed", async (t) => {
  const head = `GET\n\n\n${v1Headers["x-oss-date"]}\nx-oss-date:${v1Headers["x-oss-date"]}\n`;
  t.equal(ourV1({ acl: "1", foo: "2" }), `${head}/examplebucket/k?acl=1`);
  t.equal(aliV1({ acl: "1", foo: "2" }), `${head}/examplebucket/k?acl=1&foo=2`);
});

t.test("departure: ali-oss signs an empty date for a V1 request that has Date alone, we the Date", async (t) => {
  const headers = { date: "Wed, 01 Jan 2025 00:00:00 GMT" };
  t.equal(ourV1({}, headers), `GET\n\n\n${headers.date}\n/examplebucket/k`);
  t.equal(aliV1({}, headers), "GET\n\n\n\n/examplebucket/k");
});

t.test(
  "departure: ali-oss trims a no-break space, or half a character on the wire, off a V1 header, we do not",
  async (t) => {
    const wire = { ...v1Headers, "x-oss-meta-a": Buffer.from("à").toString("latin1") };
    t.match(ourV1({}, wire), "\nx-oss-meta-a:à\n/");
    t.match(aliV1({}, wire), "\nx-oss-meta-a:\u00c3\n/");
    const text = { ...v1Headers, "x-oss-meta-a": "x\u3000" };
    t.match(ourV1({}, text), "\nx-oss-meta-a:x\u3000\n/");
    t.match(aliV1({}, text), "\nx-oss-meta-a:x\n/");
  },
);

t.test("departure: ali-oss throws for an additional header that the request lacks, we leave it out", async (t) => {
  const { accessKeyId: id, accessKeySecret } = keys;
  const region = "cn-hangzhou";
  const ali = () =>
    aliSignUtils.authorizationV4(id, accessKeySecret, region, "GET", { headers: v4Headers }, bucket, "k", ["range"]);
  t.throws(ali, { message: "Can't find additional header range in request headers." });
  const input = { method: "GET", bucket, key: "k", query: [], headers: [] };
  const options = { nowMs: 0, region, expiresSeconds: 1, additionalHeaders: ["range"] };
  const ours = parseQuery(presignV4Url(input, { accessKeyId: id, accessKeySecret: secret }, options));
  t.equal(queryValue(ours, "x-oss-additional-headers"), undefined);
});
