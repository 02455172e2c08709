import { createHmac } from "node:crypto";
import type { Secret } from "../core/secret.js";

/**
 * The form of a POST to an RPC service of the vendor, signed with HMAC-SHA1 (SignatureVersion 1.0, the one that STS
 * 2015-04-01 takes). All parameters travel in the body, where no log of a proxy shows the security token.
 */
export function signedRpcForm(parameters: ReadonlyMap<string, string>, secret: Secret): string {
  const canonical = [...parameters]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `${percentEncode(name)}=${percentEncode(value)}`)
    .join("&");
  const stringToSign = `POST&%2F&${percentEncode(canonical)}`;
  const signature = createHmac("sha1", `${secret.reveal()}&`).update(stringToSign).digest("base64");
  return `${canonical}&Signature=${percentEncode(signature)}`;
}

/** RFC 3986: everything but letters, digits and `-._~`. */
function percentEncode(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
}
