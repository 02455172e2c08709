import { createRequire } from "node:module";
import fc from "fast-check";
import t from "tap";
import { Secret } from "../../src/core/secret.js";
import { decodePath, splitTarget } from "../../src/core/target.js";
import { parseQuery, queryValue } from "../../src/signing/canonical.js";
import { classify } from "../../src/signing/classify.js";
import { presignV1Url } from "../../src/signing/sign.js";
import { verifyRequest } from "../../src/signing/verify.js";
import { objectKey } from "../unit/signing/arbitraries.js";

// OpenDAL signs in Rust, by authors and with libraries that have nothing in common with the vendor's SDKs.
interface Presigned {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
}
interface Operator {
  presignRead(path: string, expiresSeconds: number): Promise<Presigned>;
  presignWrite(path: string, expiresSeconds: number): Promise<Presigned>;
  presignStat(path: string, expiresSeconds: number): Promise<Presigned>;
}
const { Operator } = createRequire(import.meta.url)("opendal") as {
  readonly Operator: new (scheme: "oss", options: Readonly<Record<string, string>>) => Operator;
};

const bucket = "examplebucket";
const accessKeySecret = new Secret("sk");
const securityToken = "CAIS+token/with=specials==";
const endpoint = "http://oss-cn-hangzhou.aliyuncs.com";
const options = { bucket, endpoint, root: "/" };

const TOKEN_VARIABLE = "ALIBABA_CLOUD_SECURITY_TOKEN";

/** OpenDAL takes a token from the environment alone, when it is made or when it first signs. */
async function operatorWith(token: string | undefined): Promise<Operator> {
  const variables = { ALIBABA_CLOUD_ACCESS_KEY_ID: "ak", ALIBABA_CLOUD_ACCESS_KEY_SECRET: "sk" };
  Object.assign(process.env, variables, token !== undefined && { [TOKEN_VARIABLE]: token });
  const operator = new Operator("oss", options);
  await operator.presignRead("k", 1);
  for (const name of [...Object.keys(variables), TOKEN_VARIABLE]) delete process.env[name];
  return operator;
}

// Paths there are paths of a file system: blanks at the ends and repeated slashes are taken out before anything is signed.
const path = objectKey
  .map((key) =>
    key
      .replace(/\/{2,}/g, "/")
      .replace(/\/$/, "")
      .trim()
      .replace(/^\/+/, ""),
  )
  .filter((key) => key !== "" && key === key.trim());

for (const [name, token] of Object.entries({ permanent: undefined, temporary: securityToken })) {
  t.test(`V1 URLs of OpenDAL with ${name} keys are the same as ours, and verify`, async (t) => {
    const operator = await operatorWith(token);
    const method = fc.constantFrom("presignRead", "presignWrite", "presignStat");
    const credentials = { accessKeyId: "ak", accessKeySecret, ...(token !== undefined && { securityToken: token }) };
    const check = fc.asyncProperty(path, method, fc.integer({ min: 1, max: 604_800 }), async (key, call, seconds) => {
      const presigned = await operator[call as "presignRead"](key, seconds);
      const { rawPath, rawQuery } = splitTarget(presigned.url.slice(presigned.url.indexOf("/", "http://".length)));
      const theirs = parseQuery(rawQuery);
      const expires = Number(queryValue(theirs, "Expires"));
      const headers = Object.entries(presigned.headers).flat();
      const request = { method: presigned.method, bucket, key: decodePath(rawPath).slice(1), headers };
      const ours = parseQuery(presignV1Url({ ...request, query: [] }, credentials, expires));
      const signatureClass = classify(request.method, rawQuery, headers);
      const verdict = verifyRequest({ ...request, rawQuery }, signatureClass, {
        nowMs: expires * 1_000 - 1,
        region: null,
        product: "oss",
        findCredentials: () => credentials,
      });
      const isSame = ours.every(([parameter, value]) => queryValue(theirs, parameter) === value);
      return request.key === key && isSame && verdict.ok && signatureClass === "v1-url";
    });
    await fc.assert(check, { numRuns: 300, seed: 20250101 });
    t.pass("300 runs");
  });
}
