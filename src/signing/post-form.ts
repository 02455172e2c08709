import type { OssCredentials } from "../core/secret.js";
import { deriveDayKey } from "./day-key.js";
import { postSignatureV1, postSignatureV4 } from "./post-policy.js";
import { isoBasic, isoExtended } from "./time.js";
import type { DayKeys } from "./types.js";
import * as v4 from "./v4.js";

/** What a value of the form must be. */
export type ValueRule =
  | { readonly kind: "eq"; readonly value: string }
  | { readonly kind: "starts-with"; readonly prefix: string }
  | { readonly kind: "in"; readonly values: readonly string[] };

/** A browser's form upload (PostObject, oss-semantics §9.1). No name may come twice, in whatever case. */
export interface PostFormInput {
  /** The name at OSS. */
  readonly bucket: string;
  /** The `key` field; `${filename}` in it stands for the name of the file. */
  readonly key: string;
  /** What the policy asks of the key; it sees `${filename}` as it is written. */
  readonly keyRule: ValueRule;
  readonly minBytes: number;
  readonly maxBytes: number;
  /** What the policy asks of `Content-Type`; `null`: nothing. A single type is a field of the form too. */
  readonly contentType: ValueRule | null;
  /** Further fields; the policy asks for exactly these values. */
  readonly fields: readonly (readonly [name: string, value: string])[];
  /** Unix milliseconds after which OSS refuses the form. */
  readonly expiresAtMs: number;
}

export type PostFormVersion =
  | { readonly version: "v1" }
  | {
      readonly version: "v4";
      /** The time of the signature, Unix milliseconds. */
      readonly nowMs: number;
      /** Bare region id of the bucket, `cn-hangzhou`. */
      readonly region: string;
      readonly dayKeys?: DayKeys;
    };

export interface SignedPostForm {
  /** The `policy` field: base64 of JSON. */
  readonly policy: string;
  readonly signature: string;
  /** Every field to post before `file`, in this order. */
  readonly fields: Readonly<Record<string, string>>;
}

/**
 * Makes the policy of a form upload and signs it. Each field has a condition, except for those that are the signature
 * (V1: OSSAccessKeyId, policy, Signature; V4: policy, x-oss-signature) and cannot be changed without breaking it.
 */
export function signPostForm(
  input: PostFormInput,
  credentials: OssCredentials,
  version: PostFormVersion,
): SignedPostForm {
  const fixed = [...contentTypeField(input.contentType), ...input.fields, ...signatureFields(credentials, version)];
  const policy = Buffer.from(policyText(input, fixed)).toString("base64");
  const proof = version.version === "v1" ? proveV1(credentials, policy) : proveV4(credentials, policy, version);
  const fields = [["key", input.key] as const, ...fixed, ["policy", policy] as const, ...proof.fields];
  return { policy, signature: proof.signature, fields: Object.fromEntries(fields) };
}

type Field = readonly [name: string, value: string];

function contentTypeField(rule: ValueRule | null): readonly Field[] {
  return rule?.kind === "eq" ? [["Content-Type", rule.value]] : [];
}

/** The fields that say how the form is signed, as far as its policy covers them. */
function signatureFields({ accessKeyId, securityToken }: OssCredentials, version: PostFormVersion): readonly Field[] {
  const token: Field[] = securityToken === undefined ? [] : [["x-oss-security-token", securityToken]];
  if (version.version === "v1") return token;
  const date = isoBasic(version.nowMs);
  const scope = v4.scopeText({ date8: date.slice(0, 8), region: version.region, product: "oss" });
  return [
    ["x-oss-signature-version", v4.ALGORITHM],
    ["x-oss-credential", `${accessKeyId}/${scope}`],
    ["x-oss-date", date],
    ...token,
  ];
}

interface Proof {
  readonly signature: string;
  readonly fields: readonly Field[];
}

function proveV1({ accessKeyId, accessKeySecret }: OssCredentials, policy: string): Proof {
  const signature = postSignatureV1(accessKeySecret, policy);
  return {
    signature,
    fields: [
      ["OSSAccessKeyId", accessKeyId],
      ["Signature", signature],
    ],
  };
}

function proveV4(
  { accessKeyId, accessKeySecret }: OssCredentials,
  policy: string,
  { nowMs, region, dayKeys }: PostFormVersion & { readonly version: "v4" },
): Proof {
  const scope = { date8: isoBasic(nowMs).slice(0, 8), region, product: "oss" };
  const key = dayKeys?.get(accessKeyId, accessKeySecret, scope) ?? deriveDayKey(accessKeySecret, scope);
  const signature = postSignatureV4(key, policy);
  return { signature, fields: [["x-oss-signature", signature]] };
}

function policyText(input: PostFormInput, fixed: readonly Field[]): string {
  const { bucket, keyRule, contentType, minBytes, maxBytes, expiresAtMs } = input;
  const conditions = [
    exact("bucket", bucket),
    condition("key", keyRule),
    `["content-length-range",${minBytes},${maxBytes}]`,
    ...(contentType === null || contentType.kind === "eq" ? [] : [condition("content-type", contentType)]),
    ...fixed.map(([name, value]) => exact(name === "Content-Type" ? "content-type" : name, value)),
  ];
  return `{"expiration":"${isoExtended(expiresAtMs)}","conditions":[${conditions.join(",")}]}`;
}

function condition(name: string, rule: ValueRule): string {
  if (rule.kind === "in") return `["in","$${name}",[${rule.values.map(quoted).join(",")}]]`;
  return `["${rule.kind}","$${name}",${quoted(rule.kind === "eq" ? rule.value : rule.prefix)}]`;
}

/** The two ways to ask for one value, as the vendor's samples write them for each field. */
function exact(name: string, value: string): string {
  const isOss = name === "bucket" || name.startsWith("x-oss-");
  return isOss ? `{${JSON.stringify(name)}:${quoted(value)}}` : condition(name, { kind: "eq", value });
}

/** A value as the policy has it. A dollar begins a name there, so OSS wants it as `\$`, which JSON does not know. */
function quoted(value: string): string {
  return JSON.stringify(value).replaceAll("$", "\\$");
}
