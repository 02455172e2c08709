/**
 * A header block as it travels on the wire: name, value, name, value …
 * Order, case and repetition are kept, because a signature or a strict client may depend on them.
 */
export type HeaderList = readonly string[];

/** RFC 9110 §7.6.1 and what NGINX clears: they describe one connection and end with it. Lower case. */
export const HOP_BY_HOP: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "proxy-authenticate",
  "proxy-authorization",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "http2-settings",
]);

/**
 * Names that a `Connection` header may not take off: without them the message means something else. It would be framed
 * or addressed differently, or a signed request that was judged as one would arrive as an anonymous one.
 * What OSS signs (oss-semantics §2) is meant for OSS, so RFC 9110 §7.6.1 forbids to name it there anyway.
 */
const NEVER_HOP_BY_HOP: ReadonlySet<string> = new Set([
  "host",
  "content-length",
  "content-type",
  "content-md5",
  "date",
  "authorization",
]);

function isHopByHopOption(name: string): boolean {
  if (name === "" || name === "keep-alive" || name === "close") return false;
  return !NEVER_HOP_BY_HOP.has(name) && !name.startsWith("x-oss-");
}

/**
 * The value of the first header of that name, or `undefined`.
 * @param lowerName the name in lower case
 */
export function headerValue(headers: HeaderList, lowerName: string): string | undefined {
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] as string;
    if (name.length === lowerName.length && name.toLowerCase() === lowerName) return headers[i + 1];
  }
  return undefined;
}

/** All values of that name in order; `lowerName` in lower case. */
export function headerValues(headers: HeaderList, lowerName: string): string[] {
  const values: string[] = [];
  for (let i = 0; i < headers.length; i += 2) {
    if ((headers[i] as string).toLowerCase() === lowerName) values.push(headers[i + 1] as string);
  }
  return values;
}

/**
 * The names, lower case, that this header block's `Connection` headers declare hop-by-hop (RFC 9110 §7.6.1).
 * `null` when there are none but the usual `keep-alive` and `close`, which is nearly always.
 */
export function connectionNamed(connectionValue: string): ReadonlySet<string> | null {
  const lower = connectionValue.toLowerCase();
  if (lower === "keep-alive" || lower === "close") return null;
  const names = new Set<string>();
  for (const part of lower.split(",")) {
    const name = part.trim();
    if (isHopByHopOption(name)) names.add(name);
  }
  return names.size === 0 ? null : names;
}

/** The list without the headers of these names (lower case). */
export function withoutHeaders(headers: HeaderList, lowerNames: ReadonlySet<string>): string[] {
  const kept: string[] = [];
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] as string;
    if (!lowerNames.has(name.toLowerCase())) kept.push(name, headers[i + 1] as string);
  }
  return kept;
}
