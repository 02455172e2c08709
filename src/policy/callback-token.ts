import type { Secret } from "../core/secret.js";
import { encodePath } from "../core/target.js";
import { MacKey, macField } from "./link-mac.js";
import { decodeQueryValue, splitQuery } from "./link-query.js";
import { LINK_PARAMETER_PREFIX, MAX_EXPIRES_DIGITS } from "./link-token.js";

/**
 * Tokens in the query of a callback URL. OSS's own signature shows that OSS made the call, which any customer of OSS
 * can have it do; the token shows that we asked for it, for this bucket and this key prefix.
 */
export interface CallbackClaims {
  /** The name at OSS. */
  readonly bucket: string;
  /** Decoded; what the keys of the uploads begin with. `""` covers the bucket. */
  readonly keyPrefix: string;
  /** Unix seconds; the first in which the token is no longer good. */
  readonly expiresSeconds: number;
}

export type CallbackToken = Pick<CallbackClaims, "bucket" | "keyPrefix">;

export type CallbackTokenVerdict =
  | ({ readonly ok: true } & CallbackToken)
  /** One sentence, for the operator's log. */
  | { readonly ok: false; readonly reason: string };

// Not a link's version: under one secret a token must never pass for a link, nor a link for a token.
const VERSION = "ossgate-callback-1";
const NAMES: ReadonlySet<string> = new Set(["bucket", "dir", "expires", "token"]);
const EXPIRES = new RegExp(`^[0-9]{1,${MAX_EXPIRES_DIGITS}}$`);

/** @returns the parameters to put into the callback URL's query, encoded, without `?` */
export function signCallbackToken(claims: CallbackClaims, secret: Secret): string {
  const { bucket, keyPrefix } = claims;
  const expires = String(claims.expiresSeconds);
  if (!EXPIRES.test(expires)) throw new RangeError("A token's expiry must be whole Unix seconds.");
  const token = keyOf(secret).sign(tokenText(bucket, keyPrefix, expires));
  return `ossgate-bucket=${encodePath(bucket)}&ossgate-dir=${encodePath(keyPrefix)}&ossgate-expires=${expires}&ossgate-token=${token}`;
}

/**
 * Checks the token in the query that a callback came with; other parameters may stand beside it.
 * @param rawQuery without `?`
 */
export function checkCallbackToken(rawQuery: string, secret: Secret, nowMs: number): CallbackTokenVerdict {
  const values = readValues(rawQuery);
  if (values === null) return REPEATED;
  const { bucket, dir, expires, token } = Object.fromEntries(values);
  if (token === undefined) return NO_TOKEN;
  if (bucket === undefined || dir === undefined || expires === undefined || !EXPIRES.test(expires)) return NOT_OURS;
  if (!keyOf(secret).verifies(tokenText(bucket, dir, expires), token)) return NOT_OURS;
  if (Number(expires) * 1000 <= nowMs) return EXPIRED;
  return { ok: true, bucket, keyPrefix: dir };
}

/** Whether an upload that OSS reports is one that the token was made for. */
export function coversKey(token: CallbackToken, bucket: string, key: string): boolean {
  return token.bucket === bucket && key.startsWith(token.keyPrefix);
}

function tokenText(bucket: string, keyPrefix: string, expires: string): string {
  return [VERSION, bucket, keyPrefix, expires].map(macField).join("");
}

/** @returns values by the name after `ossgate-`; `null` when one came twice, does not decode or is none of a token's */
function readValues(rawQuery: string): ReadonlyMap<string, string> | null {
  const values = new Map<string, string>();
  for (const [fullName, rawValue] of splitQuery(rawQuery, (name) => name.startsWith(LINK_PARAMETER_PREFIX)).own) {
    const name = fullName.slice(LINK_PARAMETER_PREFIX.length);
    const value = decodeQueryValue(rawValue);
    if (value === null || values.has(name) || !NAMES.has(name)) return null;
    values.set(name, value);
  }
  return values;
}

type Refusal = Extract<CallbackTokenVerdict, { ok: false }>;
const refusal = (reason: string): Refusal => Object.freeze({ ok: false, reason });

const REPEATED = refusal("A parameter of the callback's token is repeated, malformed or unknown.");
const NO_TOKEN = refusal("The callback URL carries no token. Use the callback that POST /policy gives.");
const NOT_OURS = refusal("The callback's token is not one of this route's.");
const EXPIRED = refusal("The callback's token has expired.");

// One secret a route: prepared once, and forgotten with the configuration that held it.
const keys = new WeakMap<Secret, MacKey>();

function keyOf(secret: Secret): MacKey {
  const known = keys.get(secret);
  if (known !== undefined) return known;
  const key = new MacKey(secret);
  keys.set(secret, key);
  return key;
}
