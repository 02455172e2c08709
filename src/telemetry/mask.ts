const SECRET_PARAMETERS: ReadonlySet<string> = new Set([
  "signature",
  "ossaccesskeyid",
  "security-token",
  "x-oss-signature",
  "x-oss-credential",
  "x-oss-access-key-id",
  "x-oss-security-token",
  "awsaccesskeyid",
  "x-amz-signature",
  "x-amz-credential",
  "x-amz-security-token",
  "ossgate-signature",
  "ossgate-token",
  "md5",
]);
const MAY_HOLD_SECRET = /signature|token|credential|accesskey|access-key|md5|%/i;
/** A URL inside a parameter that is itself presigned; document viewers are given such. */
const HOLDS_SIGNED_URL = /(?:signature|token|credential|accesskeyid|access-key-id)=/i;
const USER_INFO = /^(https?:\/\/)[^/?#]*@/i;

/**
 * A target or a URL with everything replaced by `***` that signs it, or would let someone else in.
 * @param secretName one more parameter that does, where a route has one of its own
 */
export function maskTarget(target: string, secretName?: string): string {
  const plain = target.includes("@") ? target.replace(USER_INFO, "$1***@") : target;
  const mark = plain.indexOf("?");
  if (mark === -1 || (secretName === undefined && !MAY_HOLD_SECRET.test(plain.slice(mark)))) return plain;
  return `${plain.slice(0, mark)}?${plain
    .slice(mark + 1)
    .split("&")
    .map((pair) => maskPair(pair, secretName))
    .join("&")}`;
}

function maskPair(pair: string, secretName: string | undefined): string {
  const equals = pair.indexOf("=");
  if (equals === -1) return pair;
  const name = pair.slice(0, equals);
  const plainName = decodeText(name);
  const isSecret =
    plainName === secretName ||
    SECRET_PARAMETERS.has(plainName.toLowerCase()) ||
    HOLDS_SIGNED_URL.test(decodeFully(pair.slice(equals + 1)));
  return isSecret ? `${name}=***` : pair;
}

/** A URL in a URL in a URL is as deep as it goes. */
function decodeFully(value: string): string {
  return decodeText(decodeText(decodeText(value)));
}

function decodeText(name: string): string {
  if (!name.includes("%")) return name;
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}

/** In the place of {@link maskTarget} where the log's readers may know (`log.access.unmasked`). */
export function unmasked(target: string): string {
  return target;
}
