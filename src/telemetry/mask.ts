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
/** A URL inside a parameter that is itself presigned, or a link; document viewers are given such. */
const HOLDS_SIGNED_URL = "(?:signature|token|credential|accesskeyid|access-key-id)=|[?&]md5=";
const USER_INFO = /^(https?:\/\/)[^/?#]*@/i;

/** A target or a URL with everything replaced by `***` that signs it, or would let someone else in. */
export type Mask = (target: string) => string;

/** @param ownNames names of parameters that do so besides those of OSS's and the gateway's own, in any case */
export function createMask(ownNames: Iterable<string> = []): Mask {
  const own = new Set([...ownNames].map((name) => name.toLowerCase()));
  const names: ReadonlySet<string> = new Set([...SECRET_PARAMETERS, ...own]);
  // Whatever is escaped is looked at closely, so that the names themselves are enough here.
  const mayHoldSecret = own.size === 0 ? MAY_HOLD_SECRET : new RegExp(`${MAY_HOLD_SECRET.source}|${anyOf(own)}`, "i");
  const nested = own.size === 0 ? HOLDS_SIGNED_URL : `${HOLDS_SIGNED_URL}|[?&](?:${anyOf(own)})=`;
  const holdsSignedUrl = new RegExp(nested, "i");
  const maskPair = (pair: string): string => {
    const equals = pair.indexOf("=");
    if (equals === -1) return pair;
    const name = pair.slice(0, equals);
    const isSecret =
      names.has(decodeText(name).toLowerCase()) || holdsSignedUrl.test(decodeFully(pair.slice(equals + 1)));
    return isSecret ? `${name}=***` : pair;
  };
  return (target) => {
    const plain = target.includes("@") ? target.replace(USER_INFO, "$1***@") : target;
    const mark = plain.indexOf("?");
    if (mark === -1 || !mayHoldSecret.test(plain.slice(mark))) return plain;
    const pairs = plain.slice(mark + 1).split("&");
    return `${plain.slice(0, mark)}?${pairs.map(maskPair).join("&")}`;
  };
}

/** The names as a regular expression that takes any of them. */
function anyOf(names: ReadonlySet<string>): string {
  return [...names].map((name) => name.replace(/[^\w-]/g, "\\$&")).join("|");
}

/** Masks what everybody knows for a secret; of routes' own names see {@link createMask}. */
export const maskTarget: Mask = createMask();

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

/** In the place of a mask where the log's readers may know (`log.access.unmasked`). */
export function unmasked(target: string): string {
  return target;
}
