import { createRequire } from "node:module";
import fc from "fast-check";
import t from "tap";
import { headerValue } from "../../src/core/headers.js";
import { Secret } from "../../src/core/secret.js";
import { decodePath, splitTarget } from "../../src/core/target.js";
import { parseQuery, queryValue } from "../../src/signing/canonical.js";
import { HeaderSigner } from "../../src/signing/header-signer.js";
import { presignV1Url } from "../../src/signing/sign.js";
import { parseHttpDateMs } from "../../src/signing/time.js";
import * as v1 from "../../src/signing/v1.js";
import { anyMethod, anyText, keyWithoutDotSegments, signedHeaders, subResources } from "../unit/signing/arbitraries.js";

// oss-client is a V1 signer in TypeScript by other authors than ali-oss. The parts of it that the tests use:
type Values = Readonly<Record<string, string>>;
interface OssClient {
  signatureUrl(name: string, options: Record<string, unknown>): string;
  createHttpClientRequestParams(params: {
    readonly method: string;
    readonly bucket: string;
    readonly object: string;
    readonly headers: Values;
    readonly subResource: Values;
    readonly query: Values;
  }): { readonly url: string; readonly options: { readonly headers: Values } };
}
const { OSSObject } = createRequire(import.meta.url)("oss-client") as {
  readonly OSSObject: new (options: Values) => OssClient;
};

const bucket = "examplebucket";
const keys = { accessKeyId: "ak", accessKeySecret: "sk" };
const credentials = { ...keys, accessKeySecret: new Secret(keys.accessKeySecret) };
const client = new OSSObject({ ...keys, bucket, endpoint: "http://oss-cn-hangzhou.aliyuncs.com" });
const signer = new HeaderSigner({ bucket, region: "cn-hangzhou", product: "oss", version: "v1" });
const runs = { numRuns: 300, seed: 20250101 };

const flat = (values: Values): string[] => Object.entries(values).flat();

/** Of names with the same first letter it keeps the order that it was given: see the departure below. */
const sorted = (values: Values): Values =>
  Object.fromEntries(Object.entries(values).sort(([a], [b]) => (a < b ? -1 : 1)));

function sentAs(url: string): { readonly key: string; readonly rawQuery: string } {
  const { rawPath, rawQuery } = splitTarget(url.slice(url.indexOf("/", "http://".length)));
  return { key: decodePath(rawPath).slice(1), rawQuery };
}

t.test("V1 URLs of oss-client have the signature that ours have, and mean the same key", async (t) => {
  const hasToken = fc.boolean();
  const check = fc.property(
    keyWithoutDotSegments,
    anyMethod,
    signedHeaders,
    subResources,
    hasToken,
    (key, method, headers, sub, hasToken) => {
      const token: Values = hasToken ? { "security-token": "CAIS+token/with=specials==" } : {};
      const subResource = sorted({ ...sub, ...token });
      const url = client.signatureUrl(key, { ...headers, method, subResource: { ...subResource } });
      const sent = sentAs(url);
      const theirs = parseQuery(sent.rawQuery);
      const input = { method, bucket, key, query: Object.entries(subResource), headers: flat(headers) };
      const ours = parseQuery(presignV1Url(input, credentials, Number(queryValue(theirs, "Expires"))));
      return sent.key === key && queryValue(ours, "Signature") === queryValue(theirs, "Signature");
    },
  );
  fc.assert(check, runs);
  t.pass("300 runs");
});

t.test("V1 headers of oss-client are the same as ours", async (t) => {
  const query = fc.dictionary(fc.stringMatching(/^[a-z]{1,6}-unsigned$/), anyText, { maxKeys: 3 });
  const check = fc.property(
    keyWithoutDotSegments,
    anyMethod,
    signedHeaders,
    subResources,
    query,
    (object, method, given, sub, query) => {
      const params = { method, bucket, object, headers: given, subResource: sorted(sub), query };
      const { url, options } = client.createHttpClientRequestParams(params);
      const { authorization, "x-oss-date": date, ...headers } = options.headers;
      const sent = sentAs(url);
      const added = signer.sign({
        method,
        key: sent.key,
        query: parseQuery(sent.rawQuery),
        headers: flat(headers),
        credentials,
        nowMs: parseHttpDateMs(date ?? "") ?? Number.NaN,
      });
      return headerValue(added, "authorization") === authorization && headerValue(added, "x-oss-date") === date;
    },
  );
  fc.assert(check, runs);
  t.pass("300 runs");
});

// Where it departs from oss-semantics §2.1. Both values are fixed, so that a change on either side is noticed.

/** The signature of a GET, theirs, and that of a string to sign written by hand for the same expiry. */
function signatures(key: string, subResource: Values, resource: string): readonly [theirs: string, byHand: string] {
  const url = client.signatureUrl(key, { method: "GET", subResource: { ...subResource } });
  const query = parseQuery(sentAs(url).rawQuery);
  const stringToSign = `GET\n\n\n${queryValue(query, "Expires")}\n${resource}`;
  return [queryValue(query, "Signature") ?? "", v1.signature(credentials.accessKeySecret, stringToSign)];
}

function ourResource(key: string, subResource: Values): string {
  return v1.canonicalizedResource({ method: "GET", bucket, key, query: Object.entries(subResource), headers: [] });
}

t.test("departure: oss-client sorts sub-resources by their first letter alone, we by their names", async (t) => {
  const given = { "x-oss-b": "1", "x-oss-a": "2", acl: "3" };
  const [theirs, byHand] = signatures("k", given, "/examplebucket/k?acl=3&x-oss-b=1&x-oss-a=2");
  t.equal(theirs, byHand);
  t.equal(ourResource("k", given), "/examplebucket/k?acl=3&x-oss-a=2&x-oss-b=1");
});

t.test("departure: oss-client signs whatever it is given as a sub-resource, we what is listed", async (t) => {
  const given = { acl: "1", foo: "2" };
  const [theirs, byHand] = signatures("k", given, "/examplebucket/k?acl=1&foo=2");
  t.equal(theirs, byHand);
  t.equal(ourResource("k", given), "/examplebucket/k?acl=1");
});

t.test(
  "departure: oss-client signs a key with dot segments and asks for the key without, we sign what is sent",
  async (t) => {
    const [theirs, byHand] = signatures("a/../b", {}, "/examplebucket/a/../b");
    t.equal(theirs, byHand);
    t.equal(sentAs(client.signatureUrl("a/../b", {})).key, "b");
    t.equal(ourResource("b", {}), "/examplebucket/b");
  },
);
