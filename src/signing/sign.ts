import { type HeaderList, headerValue } from "../core/headers.js";
import type { OssCredentials } from "../core/secret.js";
import { enc } from "./canonical.js";
import { deriveDayKey } from "./day-key.js";
import { httpDate, isoBasic } from "./time.js";
import type { DayKeys, Scope, SigningInput } from "./types.js";
import * as v1 from "./v1.js";
import * as v4 from "./v4.js";

/** What a V4 signature needs besides the request and the credentials. */
export interface V4Options {
  /** The time of the signature, Unix milliseconds. */
  readonly nowMs: number;
  /** Bare region id of the bucket, `cn-hangzhou`. */
  readonly region: string;
  /** `oss` unless it is a CloudBox. */
  readonly product?: string;
  /** Headers to sign besides those signed by default, names in any case. What `input.headers` lacks is left out. */
  readonly additionalHeaders?: readonly string[];
  /** Saves the derivation of the day key. */
  readonly dayKeys?: DayKeys;
}

/**
 * Signs a URL, V1 (oss-semantics §2.2).
 * @param input the headers are those that the client will send: `Content-Type`, `Content-MD5` and `x-oss-*` are signed
 * @param expiresSeconds Unix seconds after which OSS refuses the URL
 * @returns what to append to the query of `input`, without `?` or `&` in front
 */
export function presignV1Url(input: SigningInput, credentials: OssCredentials, expiresSeconds: number): string {
  const { accessKeyId, accessKeySecret, securityToken } = credentials;
  const token: [string, string][] = securityToken === undefined ? [] : [["security-token", securityToken]];
  const stringToSign = v1.stringToSign({ ...input, query: [...input.query, ...token] }, String(expiresSeconds));
  return queryText([
    ["Expires", String(expiresSeconds)],
    ["OSSAccessKeyId", accessKeyId],
    ["Signature", v1.signature(accessKeySecret, stringToSign)],
    ...token,
  ]);
}

/**
 * Signs a URL, V4 (oss-semantics §2.4).
 * @param options `expiresSeconds` is the lifetime from `nowMs` on: 1…604800
 * @returns what to append to the query of `input`, without `?` or `&` in front
 */
export function presignV4Url(
  input: SigningInput,
  credentials: OssCredentials,
  options: V4Options & { readonly expiresSeconds: number },
): string {
  const { securityToken } = credentials;
  const names = additionalNames(input.headers, options);
  const timestamp = isoBasic(options.nowMs);
  const scope = scopeAt(timestamp, options);
  const added: [string, string][] = [
    ["x-oss-credential", `${credentials.accessKeyId}/${v4.scopeText(scope)}`],
    ["x-oss-date", timestamp],
    ["x-oss-expires", String(options.expiresSeconds)],
    ["x-oss-signature-version", v4.ALGORITHM],
  ];
  if (names.length > 0) added.push(["x-oss-additional-headers", names.join(";")]);
  if (securityToken !== undefined) added.push(["x-oss-security-token", securityToken]);
  const canonicalRequest = v4.canonicalRequest({ ...input, query: [...input.query, ...added] }, names);
  const stringToSign = v4.stringToSign(timestamp, scope, canonicalRequest);
  return queryText([...added, ["x-oss-signature", v4.signature(dayKey(credentials, scope, options), stringToSign)]]);
}

/**
 * Signs a request in its headers, V1 (oss-semantics §2.1).
 * @param input must not have `x-oss-date`, `x-oss-security-token` or `Authorization` already
 * @param nowMs Unix milliseconds
 * @returns the headers to append to those of `input`
 */
export function signV1Header(input: SigningInput, credentials: OssCredentials, nowMs: number): HeaderList {
  const { accessKeyId, accessKeySecret, securityToken } = credentials;
  const date = httpDate(nowMs);
  const added = ["x-oss-date", date];
  if (securityToken !== undefined) added.push("x-oss-security-token", securityToken);
  const stringToSign = v1.stringToSign({ ...input, headers: [...input.headers, ...added] }, date);
  added.push("Authorization", `OSS ${accessKeyId}:${v1.signature(accessKeySecret, stringToSign)}`);
  return added;
}

/**
 * Signs a request in its headers, V4 (oss-semantics §2.4).
 * @param input must not have `x-oss-date`, `x-oss-content-sha256`, `x-oss-security-token` or `Authorization` already
 * @returns the headers to append to those of `input`
 */
export function signV4Header(input: SigningInput, credentials: OssCredentials, options: V4Options): HeaderList {
  const { accessKeyId, securityToken } = credentials;
  const names = additionalNames(input.headers, options);
  const timestamp = isoBasic(options.nowMs);
  const scope = scopeAt(timestamp, options);
  const added = ["x-oss-content-sha256", v4.UNSIGNED_PAYLOAD, "x-oss-date", timestamp];
  if (securityToken !== undefined) added.push("x-oss-security-token", securityToken);
  const canonicalRequest = v4.canonicalRequest({ ...input, headers: [...input.headers, ...added] }, names);
  const stringToSign = v4.stringToSign(timestamp, scope, canonicalRequest);
  const signature = v4.signature(dayKey(credentials, scope, options), stringToSign);
  const list = names.length === 0 ? "" : `AdditionalHeaders=${names.join(";")},`;
  const credential = `${accessKeyId}/${v4.scopeText(scope)}`;
  added.push("Authorization", `${v4.ALGORITHM} Credential=${credential},${list}Signature=${signature}`);
  return added;
}

function scopeAt(timestamp: string, { region, product }: V4Options): Scope {
  return { date8: timestamp.slice(0, 8), region, product: product ?? "oss" };
}

// OSS refuses a list that names what the request does not have (oss-semantics §2.4).
function additionalNames(headers: HeaderList, { additionalHeaders }: V4Options): readonly string[] {
  const names = v4.additionalHeaderNames(additionalHeaders ?? []);
  return names.filter((name) => headerValue(headers, name) !== undefined);
}

function dayKey({ accessKeyId, accessKeySecret }: OssCredentials, scope: Scope, { dayKeys }: V4Options): Uint8Array {
  return dayKeys?.get(accessKeyId, accessKeySecret, scope) ?? deriveDayKey(accessKeySecret, scope);
}

function queryText(pairs: readonly (readonly [name: string, value: string])[]): string {
  return pairs.map(([name, value]) => `${name}=${enc(value)}`).join("&");
}
