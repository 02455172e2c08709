import fc from "fast-check";
import t from "tap";
import { headerValue } from "../../src/core/headers.js";
import { type OssCredentials, Secret } from "../../src/core/secret.js";
import { parseQuery } from "../../src/signing/canonical.js";
import { HeaderSigner } from "../../src/signing/header-signer.js";
import { parseHttpDateMs, parseIsoBasicMs } from "../../src/signing/time.js";
import * as v1 from "../../src/signing/v1.js";
import * as v4 from "../../src/signing/v4.js";
import { aliClient, aliRequest, aliSignUtils, bucket, keys } from "../unit/signing/ali-oss.js";
import { anyMethod, anyText, objectKey, signedHeaders, subResources } from "../unit/signing/arbitraries.js";

const stsToken = "CAIS+token/with=specials==";
const permanent: OssCredentials = { accessKeyId: keys.accessKeyId, accessKeySecret: new Secret(keys.accessKeySecret) };
const temporary: OssCredentials = { ...permanent, securityToken: stsToken };
const runs = { numRuns: 300, seed: 20250101 };
const object = fc.option(objectKey, { nil: undefined });

// Names on whose order localeCompare and the bytes agree, and values that are not empty; `null` is a bare name. Where
// they differ is among the departures in test/unit/signing/ali-oss.test.ts.
const value = fc.oneof(
  fc.constant(null),
  anyText.filter((text) => text !== ""),
);
const plainQuery = fc.dictionary(fc.stringMatching(/^[a-w][a-z0-9]{0,8}$/), value, { maxKeys: 4 });

const ADDED = ["x-oss-date", "x-oss-content-sha256", "x-oss-security-token", "authorization"];

for (const version of ["v4", "v1"] as const) {
  const signer = new HeaderSigner({ bucket, region: "cn-hangzhou", product: "oss", version });
  const authorizationV4 = version === "v4";
  const clients = {
    permanent: aliClient({ authorizationV4 }),
    temporary: aliClient({ authorizationV4, stsToken, refreshSTSTokenInterval: 1 }),
  };
  const parameters =
    version === "v4" ? plainQuery.map((query) => ({ query })) : subResources.map((subres) => ({ subres }));

  t.test(`${version}: the gateway's signer adds to a request exactly what ali-oss adds to it`, async (t) => {
    const check = fc.property(
      object,
      anyMethod,
      signedHeaders,
      parameters,
      fc.boolean(),
      (object, method, headers, parameters, hasToken) => {
        const client = hasToken ? clients.temporary : clients.permanent;
        const sent = aliRequest(client, { method, headers, ...parameters, ...(object !== undefined && { object }) });
        const theirs = (name: string): string | undefined => headerValue(sent.headers, name);
        const own = sent.headers.filter((_, i) => !ADDED.includes((sent.headers[i - (i % 2)] ?? "").toLowerCase()));
        const date = theirs("x-oss-date") ?? "";
        const added = signer.sign({
          method: sent.method,
          key: sent.key,
          query: parseQuery(sent.rawQuery),
          headers: own,
          credentials: hasToken ? temporary : permanent,
          nowMs: parseIsoBasicMs(date) ?? parseHttpDateMs(date) ?? Number.NaN,
        });
        return ADDED.every((name) => headerValue(added, name) === theirs(name));
      },
    );
    fc.assert(check, runs);
    t.pass("300 runs");
  });
}

// Repeated parameters: ali-oss has them only in the form of a list. Both values are fixed.

t.test("departure: of repeated parameters ali-oss signs all in V1, we the first, which OSS takes", async (t) => {
  const headers = { "x-oss-date": "Wed, 01 Jan 2025 00:00:00 GMT" };
  const request = { headers, parameters: ["versionId=2", "versionId=1"] as unknown as Record<string, string> };
  const theirs = aliSignUtils.buildCanonicalString("GET", `/${bucket}/k`, request);
  t.match(theirs, /\/examplebucket\/k\?versionId=1&versionId=2$/);
  const query = parseQuery("versionId=2&versionId=1");
  t.equal(
    v1.canonicalizedResource({ method: "GET", bucket, key: "k", query, headers: [] }),
    "/examplebucket/k?versionId=2",
  );
});

t.test("repeated parameters are all signed in V4, for which the SDKs have no common rule", async (t) => {
  const line = (rawQuery: string): string | undefined =>
    v4
      .canonicalRequest({ method: "GET", bucket, key: "k", query: parseQuery(rawQuery), headers: [] }, [])
      .split("\n")[2];
  t.equal(line("b=2&a&b=1&b=2&b"), "a&b&b=1&b=2&b=2");
  t.equal(line("b&b=2&b=1&a&b=2"), "a&b&b=1&b=2&b=2", "whatever their order");
});
