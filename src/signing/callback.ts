import { type KeyObject, verify } from "node:crypto";

/** The only host whose keys count (oss-semantics §9.3). */
const PUBLIC_KEY_HOST = "gosspublic.alicdn.com";

/** The key that OSS has used for years; the URL is what {@link publicKeyUrl} makes of the header. */
export const KNOWN_PUBLIC_KEY_URL = `https://${PUBLIC_KEY_HOST}/callback_pub_key_v1.pem`;

const MAX_KEY_URL_BYTES = 256;
/** A signature of 4096 bits. */
const MAX_SIGNATURE_CHARS = 684;
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;
// Matched as text, before any parser of URLs sees it: no user info, port, query, fragment, backslash or escape gets by.
const KEY_URL =
  /^https?:\/\/gosspublic\.alicdn\.com(\/[A-Za-z0-9_-][A-Za-z0-9._-]*(?:\/[A-Za-z0-9_-][A-Za-z0-9._-]*)*)$/;

/**
 * What OSS signs of an upload callback: `path?query`, a line feed, the body (oss-semantics §9.3). Method, host and
 * headers are not covered.
 * @param path decoded once; must pass {@link isPlainCallbackPath}, or two requests could have one message
 * @param rawQuery as received, without `?`; `""` for none
 */
export function callbackMessage(path: string, rawQuery: string, body: Buffer): Buffer {
  const target = rawQuery === "" ? path : `${path}?${rawQuery}`;
  return Buffer.concat([Buffer.from(`${target}\n`), body]);
}

/**
 * Whether a decoded path leaves no doubt where it ends in the signed message. `%3F` and `%0A` decode to the very bytes
 * that divide it, so a body of one callback could be passed off as the query of another.
 */
export function isPlainCallbackPath(path: string): boolean {
  for (let i = 0; i < path.length; i += 1) {
    const code = path.charCodeAt(i);
    if (code < 0x20 || code === 0x3f || code === 0x7f) return false;
  }
  return true;
}

/**
 * Whether OSS signed the message: RSA PKCS#1 v1.5 with MD5. That proves little by itself. Any customer of OSS can have
 * any text signed, and the key of 512 bits is within reach of those who want to factor it; what binds a callback to us
 * is the token in its query.
 * @param authorizationBase64 the Authorization header as it came
 * @param publicKey an RSA key
 */
export function verifyCallback(message: Buffer, authorizationBase64: string, publicKey: KeyObject): boolean {
  const signature = decodeBase64(authorizationBase64, MAX_SIGNATURE_CHARS);
  return signature !== null && verify("RSA-MD5", message, publicKey, signature);
}

/**
 * Where the key of a callback is, from its `x-oss-pub-key-url`. `http:` in it is fetched by `https:` all the same.
 * @param header base64, as it came
 * @returns `null` for anything but a plain path on exactly the vendor's host
 */
export function publicKeyUrl(header: string): URL | null {
  const text = decodeBase64(header, Math.ceil(MAX_KEY_URL_BYTES / 3) * 4)?.toString("latin1");
  const path = text === undefined ? undefined : KEY_URL.exec(text)?.[1];
  return path === undefined ? null : new URL(`https://${PUBLIC_KEY_HOST}${path}`);
}

/** Strictly: Node's own decoder skips what it does not know. */
function decodeBase64(text: string, maxChars: number): Buffer | null {
  if (text === "" || text.length > maxChars || !BASE64.test(text)) return null;
  return Buffer.from(text, "base64");
}
