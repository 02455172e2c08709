import type { HeaderList } from "../core/headers.js";
import { isV1SignedParameter } from "./canonical.js";
import type { Reading, StatedSignature } from "./signed-text.js";

/** Names are a client's. */
const MAX_NAMES = 16;
const MAX_NAME_CHARACTERS = 64;

/** Headers and parameters of the signature itself: hops do not make them up. */
const OF_THE_SIGNATURE: ReadonlySet<string> = new Set([
  ...["x-oss-date", "x-oss-content-sha256", "x-oss-security-token", "security-token"],
  ...["x-oss-signature", "x-oss-signature-version", "x-oss-credential", "x-oss-expires", "x-oss-access-key-id"],
  "x-oss-additional-headers",
]);

/**
 * What of a request is signed besides its method, its path and its date: what may have been added, changed or taken away
 * on the way (oss-semantics §2.1, §2.3, §2.4). Names of headers in lower case, of parameters behind a `?`; no values.
 */
export function signedParts({ headers, query }: Reading, stated: StatedSignature): readonly string[] {
  const { signatureClass, additionalHeaders } = stated;
  const isV1 = signatureClass.startsWith("v1");
  const names = new Set<string>();
  for (let i = 0; i < headers.length; i += 2) {
    const name = (headers[i] as string).toLowerCase();
    const isSigned =
      name.startsWith("x-oss-") ||
      name === "content-type" ||
      name === "content-md5" ||
      additionalHeaders.includes(name);
    if (isSigned && !OF_THE_SIGNATURE.has(name)) names.add(shown(name));
  }
  for (const [name] of query) {
    const isSigned = isV1 ? isV1SignedParameter(name) : true;
    if (isSigned && !OF_THE_SIGNATURE.has(name)) names.add(`?${shown(name)}`);
  }
  return [...names].slice(0, MAX_NAMES);
}

const shown = (name: string): string => name.slice(0, MAX_NAME_CHARACTERS).replace(/[^\x21-\x7e]/g, "_");

/** Headers that a hop writes: somebody stood between the client and whoever reads this. */
const OF_HOPS: ReadonlySet<string> = new Set([
  "via",
  "forwarded",
  "x-forwarded-for",
  "x-forwarded-host",
  "x-forwarded-proto",
  "x-real-ip",
  "x-client-ip",
  "ali-cdn-real-ip",
  "eagleeye-traceid",
  "cdn-loop",
  "cf-ray",
  "x-amz-cf-id",
]);

/** By what a request tells of a proxy, a CDN or a browser extension that it came through: names of headers. */
export function hopMarks(headers: HeaderList): readonly string[] {
  const names = new Set<string>();
  for (let i = 0; i < headers.length; i += 2) {
    const name = (headers[i] as string).toLowerCase();
    if (OF_HOPS.has(name)) names.add(name);
  }
  return [...names];
}

/** What a signature in a URL consists of. */
const PARTS_IN_URL: Readonly<Record<string, readonly string[]>> = {
  "v1-url": ["OSSAccessKeyId", "Expires", "Signature"],
  "v2-url": ["x-oss-access-key-id", "x-oss-expires", "x-oss-signature"],
  "v4-url": ["x-oss-credential", "x-oss-date", "x-oss-expires", "x-oss-signature"],
};

/** Which parts a signature in a URL lacks; none for those that are no such signatures. */
export function missingParts({ query }: Pick<Reading, "query">, signatureClass: string): readonly string[] {
  const there = new Set(query.map(([name]) => name));
  return (PARTS_IN_URL[signatureClass] ?? []).filter((name) => !there.has(name));
}
