import { createRequire } from "node:module";
import fc from "fast-check";
import t from "tap";
import { Secret } from "../../../src/core/secret.js";
import { parsePolicy, policyProblem } from "../../../src/emulator/post-policy.js";
import { type PostFormInput, type PostFormVersion, signPostForm } from "../../../src/signing/post-form.js";

const NOW_MS = Date.parse("2025-01-01T00:00:00Z");
const KEYS = { accessKeyId: "ak", accessKeySecret: new Secret("sk") };
const STS = { ...KEYS, securityToken: "CAIS+token/with=specials==" };
const V4: PostFormVersion = { version: "v4", nowMs: NOW_MS, region: "cn-hangzhou" };
const VERSIONS: readonly PostFormVersion[] = [{ version: "v1" }, V4];

const FORM: PostFormInput = {
  bucket: "examplebucket",
  key: "user/a.txt",
  keyRule: { kind: "starts-with", prefix: "user/" },
  minBytes: 1,
  maxBytes: 1_048_576,
  contentType: { kind: "eq", value: "text/plain" },
  fields: [["success_action_status", "200"]],
  expiresAtMs: NOW_MS + 3_600_000,
};

/** The policy as OSS reads it: `\$` is a dollar (oss-semantics §9.1). */
function read(policy: string): { readonly expiration: string; readonly conditions: readonly unknown[] } {
  return JSON.parse(Buffer.from(policy, "base64").toString().replaceAll("\\$", "$"));
}

t.test("the policy of a V1 form, condition by condition", async (t) => {
  const { policy, signature, fields } = signPostForm(FORM, STS, { version: "v1" });
  t.same(read(policy), {
    expiration: "2025-01-01T01:00:00.000Z",
    conditions: [
      { bucket: "examplebucket" },
      ["starts-with", "$key", "user/"],
      ["content-length-range", 1, 1_048_576],
      ["eq", "$content-type", "text/plain"],
      ["eq", "$success_action_status", "200"],
      { "x-oss-security-token": STS.securityToken },
    ],
  });
  t.strictSame(Object.entries(fields), [
    ["key", "user/a.txt"],
    ["Content-Type", "text/plain"],
    ["success_action_status", "200"],
    ["x-oss-security-token", STS.securityToken],
    ["policy", policy],
    ["OSSAccessKeyId", "ak"],
    ["Signature", signature],
  ]);
});

t.test("the policy of a V4 form covers the fields of its signature", async (t) => {
  const { policy, signature, fields } = signPostForm(FORM, STS, V4);
  const credential = "ak/20250101/cn-hangzhou/oss/aliyun_v4_request";
  t.same(read(policy).conditions.slice(-4), [
    { "x-oss-signature-version": "OSS4-HMAC-SHA256" },
    { "x-oss-credential": credential },
    { "x-oss-date": "20250101T000000Z" },
    { "x-oss-security-token": STS.securityToken },
  ]);
  t.match(fields, { policy, "x-oss-signature": signature, "x-oss-credential": credential });
});

// ali-oss has no types of its own.
interface AliClient {
  calculatePostSignature(policy: object): { readonly Signature: string; readonly policy: string };
  signPostObjectPolicyV4(policy: string, date: Date): string;
}
const Client = createRequire(import.meta.url)("ali-oss") as new (options: Record<string, unknown>) => AliClient;

t.test("ali-oss gives the same signatures for the same policies", async (t) => {
  const ali = new Client({ accessKeyId: "ak", accessKeySecret: "sk", bucket: "bucket", region: "oss-cn-hangzhou" });
  const v1 = signPostForm(FORM, KEYS, { version: "v1" });
  const theirs = ali.calculatePostSignature(read(v1.policy));
  t.equal(theirs.policy, v1.policy);
  t.equal(theirs.Signature, v1.signature);
  const v4 = signPostForm(FORM, KEYS, V4);
  t.equal(ali.signPostObjectPolicyV4(Buffer.from(v4.policy, "base64").toString(), new Date(NOW_MS)), v4.signature);
});

t.test("types may be one of several, or of a kind; then the form has no such field", async (t) => {
  for (const [contentType, condition] of [
    [{ kind: "in", values: ["image/png", "image/jpeg"] }, ["in", "$content-type", ["image/png", "image/jpeg"]]],
    [{ kind: "starts-with", prefix: "image/" }, ["starts-with", "$content-type", "image/"]],
  ] as const) {
    const { policy, fields } = signPostForm({ ...FORM, contentType }, KEYS, V4);
    t.same(read(policy).conditions[3], condition);
    t.notOk("Content-Type" in fields);
  }
  const { policy } = signPostForm({ ...FORM, contentType: null }, KEYS, V4);
  t.notMatch(Buffer.from(policy, "base64").toString(), "content-type");
});

const isSignature = (name: string) => /^(?:policy|Signature|OSSAccessKeyId|x-oss-signature)$/.test(name);
const text = fc.string({ unit: "grapheme", maxLength: 20 });
const metaNames = fc.uniqueArray(fc.stringMatching(/^x-oss-meta-[a-z0-9]{1,8}$/), { maxLength: 3 });

t.test("whatever the values, the form passes its own policy, and no form does with one field changed", async () => {
  fc.assert(
    fc.property(text, text, metaNames, fc.constantFrom(...VERSIONS), (dir, name, metas, version) => {
      const fields = metas.map((meta, index) => [meta, `${name}$${index}`] as const);
      const keyRule = { kind: "starts-with", prefix: dir } as const;
      const form = signPostForm({ ...FORM, key: dir + name, keyRule, fields }, STS, version);
      const parsed = parsePolicy(form.policy);
      if ("kind" in parsed) return false;
      const holds = (entries: readonly (readonly [string, string])[], fileBytes = 1): boolean => {
        const lower = new Map(entries.map(([field, value]) => [field.toLowerCase(), value]));
        return policyProblem(parsed, { bucket: "examplebucket", fields: lower, fileBytes }, NOW_MS) === null;
      };
      const entries = Object.entries(form.fields);
      const changed = entries
        .filter(([field]) => !isSignature(field) && !(field === "key" && dir === ""))
        .map(([field]) => entries.map(([other, value]) => [other, other === field ? `!${value}` : value] as const));
      const sizes = [holds(entries, 0), holds(entries, 1_048_577)];
      return holds(entries) && !changed.some((each) => holds(each)) && !sizes.some(Boolean);
    }),
  );
});
