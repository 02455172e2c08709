import t from "tap";
import {
  canonicalHeaders,
  canonicalQuery,
  enc,
  isOssHeader,
  isV1SignedParameter,
  parseQuery,
  queryValue,
  signaturesEqual,
  V1_SIGNED_PARAMETERS,
  wireText,
} from "../../../src/signing/canonical.js";
import { httpDate, isoBasic, parseHttpDateMs, parseIsoBasicMs } from "../../../src/signing/time.js";
import * as v1 from "../../../src/signing/v1.js";

const queries: readonly [claim: string, rawQuery: string, pairs: readonly [string, string | null][]][] = [
  ["an empty query has no parameters", "", []],
  [
    "a parameter without = has a null value, one with = an empty one",
    "acl&foo=",
    [
      ["acl", null],
      ["foo", ""],
    ],
  ],
  ["+ and %20 are a space, %2B is a plus", "a=b+c%20d%2Be", [["a", "b c d+e"]]],
  ["a name is decoded as a value is", "%61%62+c=1", [["ab c", "1"]]],
  ["only the first = separates", "k=a=b==", [["k", "a=b=="]]],
  ["a second ? belongs to the value", "versionId=v?x=1", [["versionId", "v?x=1"]]],
  [
    "empty segments are no parameters",
    "&&a=1&&b&",
    [
      ["a", "1"],
      ["b", null],
    ],
  ],
  [
    "repetitions stay, in order",
    "a=2&a=1",
    [
      ["a", "2"],
      ["a", "1"],
    ],
  ],
  [
    "a % without two hex digits stays",
    "a=100%&b=%zz%20&c=%2",
    [
      ["a", "100%"],
      ["b", "%zz "],
      ["c", "%2"],
    ],
  ],
  [
    "escapes that are not UTF-8 stay, their neighbours decode",
    "a=%ff%20&b=%E5%9B%BE%",
    [
      ["a", "%ff%20"],
      ["b", "图%"],
    ],
  ],
  ["an empty name is kept", "=v", [["", "v"]]],
];

for (const [claim, rawQuery, pairs] of queries) {
  t.test(`parseQuery: ${claim}`, async (t) => {
    t.same(parseQuery(rawQuery), pairs);
  });
}

t.test("queryValue takes the first of repeated parameters", async (t) => {
  const query = parseQuery("a&b=1&b=2");
  t.equal(queryValue(query, "a"), "");
  t.equal(queryValue(query, "b"), "1");
  t.equal(queryValue(query, "B"), undefined);
});

t.test("enc leaves exactly the unreserved characters alone", async (t) => {
  const ascii = Array.from({ length: 128 }, (_, code) => String.fromCharCode(code));
  const plain = ascii.filter((c) => enc(c) === c).join("");
  t.equal(plain, "-.0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz~");
  t.equal(enc("!'()*/ +"), "%21%27%28%29%2A%2F%20%2B");
  t.equal(enc("😀"), "%F0%9F%98%80");
});

t.test("the canonical query sorts by encoded name bytewise and drops the = of empty values", async (t) => {
  t.equal(canonicalQuery(parseQuery("acl&foo=&_z=2&Bar=1&%2Bp=v&ä=1")), "%2Bp=v&%C3%A4=1&Bar=1&_z=2&acl&foo");
});

t.test("repeated parameters are all in the canonical query, whatever their order in the URL", async (t) => {
  t.equal(canonicalQuery(parseQuery("a=2&b&a=1&a")), "a&a=1&a=2&b");
  t.equal(canonicalQuery(parseQuery("a&a=1&b&a=2")), "a&a=1&a=2&b");
});

t.test("V1 signs the listed parameters and every x-oss-* one, in their exact case", async (t) => {
  t.equal(V1_SIGNED_PARAMETERS.size, 91);
  for (const name of ["acl", "uploadId", "security-token", "continuation-token", "x-oss-process", "x-oss-anything"]) {
    t.equal(isV1SignedParameter(name), true, name);
  }
  for (const name of [
    "ACL",
    "prefix",
    "list-type",
    "max-keys",
    "Expires",
    "Signature",
    "utm_source",
    "X-OSS-process",
  ]) {
    t.equal(isV1SignedParameter(name), false, name);
  }
});

t.test("the V1 resource takes the first of a repeated parameter", async (t) => {
  const input = { method: "GET", bucket: "b", key: "k", headers: [], query: parseQuery("acl=1&acl=2&z=3") };
  t.equal(v1.canonicalizedResource(input), "/b/k?acl=1");
});

t.test("the V1 resource sorts names by their UTF-8 bytes, above U+FFFF too", async (t) => {
  const input = { method: "GET", bucket: "b", key: "k", headers: [], query: parseQuery("x-oss-😀&x-oss-\uffee") };
  t.equal(v1.canonicalizedResource(input), "/b/k?x-oss-\uffee&x-oss-😀");
});

t.test("bucket and service requests have their own V1 resources", async (t) => {
  const base = { method: "GET", headers: [], query: [] };
  t.equal(v1.canonicalizedResource({ ...base, bucket: "b", key: "" }), "/b/");
  t.equal(v1.canonicalizedResource({ ...base, bucket: "", key: "" }), "/");
});

t.test("canonical headers are lower case, trimmed, sorted, and repetitions joined", async (t) => {
  const headers = ["X-OSS-Meta-B", " two ", "Host", "h", "x-oss-meta-a", "1", "x-oss-meta-b", "\tthree"];
  t.equal(canonicalHeaders(headers, isOssHeader), "x-oss-meta-a:1\nx-oss-meta-b:two,three\n");
});

t.test("only spaces and tabs are trimmed from a header value", async (t) => {
  const wire = Buffer.from(" à\u00a0 ").toString("latin1");
  t.equal(canonicalHeaders(["x-oss-meta-a", wire], isOssHeader), "x-oss-meta-a:à\u00a0\n");
});

t.test("header bytes that are UTF-8 sign as the text they spell, others as they are", async (t) => {
  t.equal(wireText("plain"), "plain");
  t.equal(wireText(Buffer.from("图 😀").toString("latin1")), "图 😀");
  t.equal(wireText("caf\u00e9"), "caf\u00e9");
  t.equal(wireText("图"), "图");
});

t.test("signatures are equal only when all of them is", async (t) => {
  t.equal(signaturesEqual("abc=", "abc="), true);
  t.equal(signaturesEqual("", ""), true);
  for (const other of ["abc", "abd=", "ABC=", "abc=="]) t.equal(signaturesEqual("abc=", other), false, other);
});

t.test("dates read back what they write, and nothing else is a date", async (t) => {
  const timeMs = Date.UTC(2024, 1, 29, 23, 59, 58);
  t.equal(httpDate(timeMs), "Thu, 29 Feb 2024 23:59:58 GMT");
  t.equal(isoBasic(timeMs), "20240229T235958Z");
  t.equal(parseHttpDateMs(httpDate(timeMs)), timeMs);
  t.equal(parseIsoBasicMs(isoBasic(timeMs)), timeMs);
  for (const text of ["", "2024-02-29", "Thu, 29 Feb 2024 23:59:58 UTC", "Wed, 31 Feb 2024 00:00:00 GMT"]) {
    t.equal(parseHttpDateMs(text), null, text);
  }
  for (const text of ["", "20240229", "20240230T000000Z", "20240229T250000Z", "2024-02-29T00:00:00Z"]) {
    t.equal(parseIsoBasicMs(text), null, text);
  }
});
