/** What a client logs in with (RFC 7617). */
export interface BasicCredentials {
  readonly name: string;
  readonly password: string;
}

const BASIC = /^basic +([A-Za-z0-9+/]+={0,2})$/i;
const CONTROL = /[\p{Cc}]/u;
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Whether an `Authorization` value is of the scheme Basic, well-formed or not. */
export function isBasicScheme(authorization: string): boolean {
  return /^\s*basic(?:\s|$)/i.test(authorization);
}

/**
 * The name and the password in an `Authorization` value, which are UTF-8 as the challenge asks for.
 * @returns `null` for another scheme and for what is malformed (RFC 7617 §2: no colon, control characters)
 */
export function parseBasic(authorization: string): BasicCredentials | null {
  const encoded = BASIC.exec(authorization.trim())?.[1];
  const text = encoded === undefined ? null : decodeUtf8(Buffer.from(encoded, "base64"));
  if (text === null || CONTROL.test(text)) return null;
  const colon = text.indexOf(":");
  return colon === -1 ? null : { name: text.slice(0, colon), password: text.slice(colon + 1) };
}

function decodeUtf8(bytes: Buffer): string | null {
  try {
    return utf8.decode(bytes);
  } catch {
    return null;
  }
}

/** A `WWW-Authenticate` value that asks for a name and a password. */
export function basicChallenge(realm: string): string {
  const quoted = realm.replace(/[^\x20-\x7e]/g, "?").replace(/["\\]/g, "\\$&");
  return `Basic realm="${quoted}", charset="UTF-8"`;
}
