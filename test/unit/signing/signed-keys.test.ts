import fc from "fast-check";
import t from "tap";
import { OPERATIONS } from "../../../src/core/operations.js";
import { enc, parseQuery } from "../../../src/signing/canonical.js";
import { type AskedRequest, type FilteredRequest, filterSignedRequest } from "../../../src/signing/signed-request.js";
import { ask, bound, METHODS, PREFIX, parseAsked, RULES, RULES_NAMES } from "./asked.js";
import { OSS_HEADERS, PARAMETERS } from "./known-names.js";

const filterBound = (asked: Partial<AskedRequest>): FilteredRequest => filterSignedRequest(ask(asked), bound("all"));

t.test(
  "the key prefix is put before every key, and an empty key is never the object of the prefix's name",
  async (t) => {
    t.match(filterBound({ key: "a/b" }), { ok: true, key: "tenant/a/b" });
    t.match(filterBound({ key: "../b" }), { ok: true, key: "tenant/../b" }, "OSS knows no dot segments");
    for (const method of ["HEAD", "PUT", "POST", "DELETE"]) {
      t.match(filterBound({ method, key: "" }), { ok: false, denial: { code: "OPERATION_NOT_ALLOWED" } }, method);
    }
    t.match(filterBound({ key: "" }), { ok: true, key: "", operation: "ListObjects" });
  },
);

const LISTS: Readonly<Record<string, readonly (readonly [string, string])[]>> = {
  "": [["prefix", "tenant/"]],
  "prefix=": [["prefix", "tenant/"]],
  "prefix=a%2F&marker=a%2Fb": [
    ["prefix", "tenant/a/"],
    ["marker", "tenant/a/b"],
  ],
  "marker=": [
    ["marker", ""],
    ["prefix", "tenant/"],
  ],
  "list-type=2&start-after=b&continuation-token=c": [
    ["list-type", "2"],
    ["start-after", "tenant/b"],
    ["continuation-token", "c"],
    ["prefix", "tenant/"],
  ],
  "versions&key-marker=b&version-id-marker=c": [
    ["versions", ""],
    ["key-marker", "tenant/b"],
    ["version-id-marker", "c"],
    ["prefix", "tenant/"],
  ],
  "uploads&prefix=..%2F&key-marker=b&upload-id-marker=c": [
    ["uploads", ""],
    ["prefix", "tenant/../"],
    ["key-marker", "tenant/b"],
    ["upload-id-marker", "c"],
  ],
};

for (const [rawQuery, wanted] of Object.entries(LISTS)) {
  t.test(`GET /?${rawQuery} lists nothing outside the key prefix`, async (t) => {
    const filtered = filterBound({ key: "", rawQuery });
    t.equal(filtered.ok && filtered.key, "");
    t.strictSame(filtered.ok && filtered.query, wanted);
  });
}

t.test("operations that name other keys are refused under a key prefix, by what makes them so", async (t) => {
  const source = ["x-oss-copy-source", "/examplebucket/tenant/a"];
  const cases: readonly (readonly [line: string, headers: readonly string[], code: string, named: string])[] = [
    ["PUT k", source, "HEADER_NOT_ALLOWED", "x-oss-copy-source"],
    ["PUT k?partNumber=1&uploadId=A", source, "HEADER_NOT_ALLOWED", "x-oss-copy-source"],
    ["PUT k?symlink", ["x-oss-symlink-target", "tenant/a"], "PARAMETER_NOT_ALLOWED", "symlink"],
    ["POST ?delete", [], "PARAMETER_NOT_ALLOWED", "delete"],
  ];
  for (const [line, headers, code, named] of cases) {
    const filtered = filterBound({ ...parseAsked(line), headers });
    t.match(filtered, { ok: false, denial: { code } }, line);
    t.ok(!filtered.ok && filtered.denial.reason.includes(named), line);
    t.equal(filterSignedRequest(ask({ ...parseAsked(line), headers }), RULES.all).ok, true, `${line} without prefix`);
  }
});

/** One request of each operation; that there is one for each is checked. */
const EXAMPLES: readonly (readonly [line: string, operation: string | null])[] = [
  ["GET ?list-type=2", "ListObjectsV2"],
  ["GET ", "ListObjects"],
  ["GET ?versions", "ListObjectVersions"],
  ["GET ?uploads", "ListMultipartUploads"],
  ["GET ?bucketInfo", "GetBucketInfo"],
  ["GET ?location", "GetBucketLocation"],
  ["GET ?stat", "GetBucketStat"],
  ["POST ?delete", "DeleteMultipleObjects"],
  ["HEAD k?objectMeta", "GetObjectMeta"],
  ["GET k?versionId=A1", "GetObjectVersion"],
  ["DELETE k?versionId=A1", "DeleteObjectVersion"],
  ["GET k?acl", "GetObjectACL"],
  ["PUT k?acl", "PutObjectACL"],
  ["PUT k?copy", "CopyObject"],
  ["PUT k?copy&partNumber=1&uploadId=A", "UploadPartCopy"],
  ["POST k?append&position=0", "AppendObject"],
  ["GET k?symlink", "GetSymlink"],
  ["PUT k?symlink", "PutSymlink"],
  ["GET k?tagging", "GetObjectTagging"],
  ["PUT k?tagging", "PutObjectTagging"],
  ["DELETE k?tagging", "DeleteObjectTagging"],
  ["POST k?restore", "RestoreObject"],
  ["GET k", null],
  ["HEAD k", null],
  ["PUT k", null],
  ["DELETE k", null],
  ["POST k?uploads", null],
  ["PUT k?partNumber=1&uploadId=A", null],
  ["POST k?uploadId=A", null],
  ["DELETE k?uploadId=A", null],
  ["GET k?uploadId=A", null],
];

/** `copy` in an example stands for the header. */
function exampleOf(line: string): AskedRequest {
  const { rawQuery, ...rest } = parseAsked(line);
  const headers = rawQuery.startsWith("copy") ? ["x-oss-copy-source", "/examplebucket/a"] : [];
  return ask({ ...rest, rawQuery: rawQuery.replace(/^copy&?/, ""), headers });
}

t.test("there is an example of every operation", async (t) => {
  const named = EXAMPLES.flatMap(([, operation]) => (operation === null ? [] : [operation]));
  t.strictSame([...named].sort(), [...OPERATIONS].sort());
});

for (const [line, operation] of EXAMPLES) {
  t.test(`${line} is ${operation ?? "plain"}: possible where that is allowed, and nowhere else`, async (t) => {
    const asked = exampleOf(line);
    t.match(filterSignedRequest(asked, RULES.all), { ok: true, operation });
    if (operation === null) {
      t.equal(filterSignedRequest(asked, RULES.put).ok, true, "plain reads and writes need no name");
      return;
    }
    const operations = OPERATIONS.filter((other) => other !== operation);
    const refused = filterSignedRequest(asked, { ...RULES.all, operations: new Set(operations) });
    t.equal(refused.ok, false, "all operations but this one");
    const alone = { ...RULES.plain, operations: new Set(OPERATIONS.filter((other) => other === operation)) };
    t.match(filterSignedRequest(asked, alone), { ok: true, operation }, "this operation alone");
  });
}

// Properties: whatever comes in.

const anyText = fc.string({ unit: "binary", maxLength: 6 });
const parameterName = fc.oneof(fc.constantFrom(...PARAMETERS), anyText);
const value = fc.oneof(fc.constantFrom("", "1", "A1", "2", "url", "style/thumb", "image/resize,w_1"), anyText);
const rawPair = fc.oneof(
  fc.tuple(parameterName, fc.option(value)).map(([name, v]) => (v === null ? enc(name) : `${enc(name)}=${enc(v)}`)),
  fc.string({ maxLength: 6 }),
);
const rawQuery = fc.array(rawPair, { maxLength: 4 }).map((pairs) => pairs.join("&"));
const PLAIN_HEADERS = ["Range", "If-Match", "Accept", "Content-Type", "Cache-Control", "Cookie", "Connection", "Host"];
const headerName = fc.constantFrom(...OSS_HEADERS, ...PLAIN_HEADERS, "Authorization", "X-Amz-Acl", "X-Other");
const headers = fc
  .array(fc.tuple(headerName, fc.constantFrom("", "1", "range", "OSS a:b", "Basic x", "/examplebucket/a")), {
    maxLength: 4,
  })
  .map((lines) => lines.flat());
const asked = fc.record({
  method: fc.constantFrom(...METHODS),
  key: fc.constantFrom("", "k", "a/b"),
  bucket: fc.constant("examplebucket"),
  rawQuery,
  headers,
  carriesVerifiedSignature: fc.boolean(),
});
const rules = fc.constantFrom(...RULES_NAMES.map((name) => RULES[name]), bound("all"), bound("put"));
const runs = { numRuns: 3_000, seed: 20250101 };

const LISTED_HEADER =
  /^(accept|accept-(encoding|language)|user-agent|referer|origin|range|if-.*|content-(type|md5|encoding|disposition|language)|cache-control|expires|x-oss-(meta-.*|forbid-overwrite|hash-crc64ecma|object-acl|tagging|copy-source.*))$/i;
const SIGNATURE =
  /^(OSSAccessKeyId|Expires|Signature|security-token|x-oss-(signature(-version)?|credential|date|expires|additional-headers|security-token|access-key-id|content-sha256))$/i;
const isKnown = (name: string): boolean => PARAMETERS.includes(name) || /^(x-oss-|response-)/.test(name);

t.test(
  "whatever comes in: what goes out is on the list and came in, and nothing that OSS knows was dropped",
  async (t) => {
    let admitted = 0;
    const check = fc.property(asked, rules, (asked, rules) => {
      const filtered = filterSignedRequest(asked, rules);
      if (!filtered.ok) return filtered.denial.reason !== "";
      admitted += 1;
      const sent = new Map(filtered.query);
      const incoming = parseQuery(asked.rawQuery).filter(
        ([name]) => !(asked.carriesVerifiedSignature && SIGNATURE.test(name)),
      );
      const isKept = incoming.every(([name, value]) => !isKnown(name) || sent.get(name)?.endsWith(value ?? ""));
      const isOwn = [...sent.keys()].every(
        (name) =>
          isKnown(name) && (incoming.some(([own]) => own === name) || (name === "prefix" && rules.keyPrefix !== "")),
      );
      const names = filtered.headers.filter((_, i) => i % 2 === 0);
      const asks = asked.headers.filter((name, i) => i % 2 === 0 && name.toLowerCase().startsWith("x-oss-"));
      const isHeaderKept = asks.every(
        (name) => names.includes(name) || (asked.carriesVerifiedSignature && SIGNATURE.test(name)),
      );
      return isKept && isOwn && isHeaderKept && names.every((name) => LISTED_HEADER.test(name));
    });
    fc.assert(check, runs);
    t.ok(admitted > 100, `${admitted} of 3000 requests went on`);
  },
);

t.test("whatever comes in: a DELETE with a parameter never becomes a DELETE without it", async (t) => {
  let refused = 0;
  const check = fc.property(asked, rules, (asked, rules) => {
    const filtered = filterSignedRequest({ ...asked, method: "DELETE", carriesVerifiedSignature: false }, rules);
    const count = parseQuery(asked.rawQuery).length;
    if (!filtered.ok) refused += count > 0 ? 1 : 0;
    return !filtered.ok || filtered.query.length === count;
  });
  fc.assert(check, runs);
  t.ok(refused > 1_000, `${refused} of 3000 requests had a parameter and were refused`);
});

t.test("whatever comes in: a key prefix holds", async (t) => {
  const check = fc.property(asked, fc.constantFrom(bound("all"), bound("put"), bound("reads")), (asked, rules) => {
    const filtered = filterSignedRequest(asked, rules);
    if (!filtered.ok) return true;
    if (filtered.key !== "") return filtered.key === PREFIX + asked.key && asked.key !== "";
    if (!/^List/.test(filtered.operation ?? "")) return /^GetBucket/.test(filtered.operation ?? "");
    const keys = filtered.query.filter(([name, value]) => value !== "" && /^(prefix|.*marker|start-after)$/.test(name));
    const ids = ["upload-id-marker", "version-id-marker"];
    return (
      keys.some(([name]) => name === "prefix") &&
      keys.every(([name, value]) => ids.includes(name) || (value ?? "").startsWith(PREFIX))
    );
  });
  fc.assert(check, runs);
  t.pass("3000 runs");
});
