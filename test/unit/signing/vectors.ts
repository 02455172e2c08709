import { readFileSync } from "node:fs";
import { Secret } from "../../../src/core/secret.js";
import { enc } from "../../../src/signing/canonical.js";
import { parseHttpDateMs, parseIsoBasicMs } from "../../../src/signing/time.js";
import type { KnownCredentials, QueryPairs, SigningInput, VerifyContext } from "../../../src/signing/types.js";

/** An entry of `test/vectors/*.json`; the fields depend on `version` and `location`. */
export interface Vector {
  readonly kind?: string;
  readonly name: string;
  readonly version: "V1" | "V2" | "V4";
  readonly location: "header" | "url";
  readonly method: string;
  readonly bucket: string;
  readonly key: string;
  readonly region: string;
  readonly product?: string;
  readonly accessKeyId: string;
  readonly accessKeySecret: string;
  readonly securityToken?: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly query: Readonly<Record<string, string | null>>;
  readonly additionalHeaders?: readonly string[];
  /** V1 and V2 header: HTTP date. V4: ISO basic. */
  readonly date?: string;
  /** V1 and V2 URL: Unix seconds. V4 URL: lifetime in seconds. */
  readonly expires?: number;
  readonly expected: string;
  readonly expectedAuthorization?: string;
  readonly url?: string;
  readonly canonicalRequest?: string;
  readonly stringToSign: string;
  readonly policyBase64?: string;
  readonly signingKeyHex?: string;
  readonly canonicalRequestSha256?: string;
}

export function readVectors(name: "signatures" | "extra"): readonly Vector[] {
  return JSON.parse(readFileSync(new URL(`../../vectors/${name}.json`, import.meta.url), "utf8"));
}

export const flat = (headers: Readonly<Record<string, string>>): string[] => Object.entries(headers).flat();

export const scopeOf = (v: Vector) => ({
  date8: (v.date ?? "").slice(0, 8),
  region: v.region,
  product: v.product ?? "oss",
});

export const credentialOf = (v: Vector): string => {
  const { date8, region, product } = scopeOf(v);
  return `${v.accessKeyId}/${date8}/${region}/${product}/aliyun_v4_request`;
};

/** The parameters that a URL signature of this version adds before it is signed. */
export function authParameters(v: Vector): QueryPairs {
  if (v.location === "header") return [];
  const token = v.securityToken;
  if (v.version === "V1") return token === undefined ? [] : [["security-token", token]];
  const pairs: [string, string][] = [["x-oss-signature-version", v.version === "V2" ? "OSS2" : "OSS4-HMAC-SHA256"]];
  pairs.push(["x-oss-expires", String(v.expires)]);
  if (v.version === "V2") pairs.push(["x-oss-access-key-id", v.accessKeyId]);
  else pairs.push(["x-oss-credential", credentialOf(v)], ["x-oss-date", v.date ?? ""]);
  if (token !== undefined) pairs.push([v.version === "V2" ? "security-token" : "x-oss-security-token", token]);
  const additional = [...(v.additionalHeaders ?? [])].map((name) => name.toLowerCase()).sort();
  if (additional.length > 0) pairs.push(["x-oss-additional-headers", additional.join(";")]);
  return pairs;
}

export const inputOf = (v: Vector): SigningInput => ({
  method: v.method,
  bucket: v.bucket,
  key: v.key,
  query: [...Object.entries(v.query), ...authParameters(v)],
  headers: flat(v.headers),
});

export const secretOf = (v: Vector): Secret => new Secret(v.accessKeySecret);

const pairText = ([name, value]: readonly [string, string | null]): string =>
  value === null ? enc(name) : `${enc(name)}=${enc(value)}`;

function rawQueryOf(v: Vector): string {
  const pairs: (readonly [string, string | null])[] = [...Object.entries(v.query), ...authParameters(v)];
  if (v.location === "url" && v.version === "V1") {
    pairs.push(["OSSAccessKeyId", v.accessKeyId], ["Expires", String(v.expires)], ["Signature", v.expected]);
  } else if (v.location === "url") {
    pairs.push(["x-oss-signature", v.expected]);
  }
  return pairs.map(pairText).join("&");
}

function authorizationOf(v: Vector): string {
  if (v.expectedAuthorization !== undefined) return v.expectedAuthorization;
  if (v.version === "V1") return `OSS ${v.accessKeyId}:${v.expected}`;
  // The spelling of oss2 (Python): blanks, and the list after the signature.
  const list = v.additionalHeaders ? `, AdditionalHeaders=${v.additionalHeaders.join(";")}` : "";
  return `OSS4-HMAC-SHA256 Credential=${credentialOf(v)}, Signature=${v.expected}${list}`;
}

/** The request that carries this vector's signature, as it would arrive. */
export function requestOf(v: Vector) {
  const headers = flat(v.headers);
  const hasToken = Object.keys(v.headers).some((name) => name.toLowerCase() === "x-oss-security-token");
  if (v.location === "header") {
    headers.push("Authorization", authorizationOf(v));
    if (v.securityToken !== undefined && !hasToken) headers.push("x-oss-security-token", v.securityToken);
  }
  const mark = v.url?.indexOf("?") ?? -1;
  const rawQuery = v.url === undefined ? rawQueryOf(v) : v.url.slice(mark + 1);
  return { method: v.method, bucket: v.bucket, key: v.key, rawQuery, headers };
}

export function knownOf(v: Vector): KnownCredentials {
  const known = { accessKeyId: v.accessKeyId, accessKeySecret: secretOf(v) };
  return v.securityToken === undefined ? known : { ...known, securityToken: v.securityToken };
}

/** The world at the time of the signature: its region, and only its key known. */
export function contextOf(v: Vector): VerifyContext {
  const date = v.date ?? "";
  const nowMs = parseIsoBasicMs(date) ?? parseHttpDateMs(date) ?? Number(v.expires) * 1000 - 1000;
  const known = knownOf(v);
  return {
    nowMs,
    region: v.region ?? null,
    product: v.product ?? "oss",
    findCredentials: (id) => (id === known.accessKeyId ? known : null),
  };
}
