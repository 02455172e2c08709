import { isUtf8 } from "node:buffer";
import type { LinkKind, PlaylistRewrite } from "./rewrite.js";
import { UriRewriter } from "./uri.js";

export type { LinkKind, PlaylistRewrite, UriParameters } from "./rewrite.js";
export { isPlaylistPath } from "./uri.js";

export type RewrittenPlaylist =
  | { readonly ok: true; readonly body: Buffer }
  /** One sentence for an operator. */
  | { readonly ok: false; readonly reason: string };

/** What a playlist may have at most. Larger ones are refused, not cut. */
export const PLAYLIST_LIMITS = {
  bodyBytes: 2 ** 20,
  lines: 10_000,
  /** In UTF-16 units, which are bytes but for names outside ASCII that stay as they are. */
  rewrittenLength: 8 * 2 ** 20,
} as const;

/**
 * Makes a link of every URI of an HLS playlist (RFC 8216bis) that leads into the scope; every other byte stays.
 *
 * A relative URI stays relative and one that begins with `/` stays so; an absolute URL of ours becomes such a path. The
 * path is written percent-encoded, and means the same to a client that resolves it as the path that was linked.
 * Untouched stay: other hosts and schemes, what leads out of the scope or to a directory, and what two readers could
 * read in two ways (backslashes, control characters, escapes that are not UTF-8, `{$variables}`).
 * A client resolves against the target as it wrote it: a playlist asked for with `%2F` in its path has its segments
 * elsewhere for the client, and those links are refused.
 */
export function rewritePlaylist(body: Buffer, rewrite: PlaylistRewrite): RewrittenPlaylist {
  if (body.length > PLAYLIST_LIMITS.bodyBytes) return refuse(`The playlist is larger than ${2 ** 20} bytes.`);
  if (!isUtf8(body)) return refuse("The playlist is not UTF-8 text.");
  const text = body.toString("utf8");
  if (!text.startsWith("#EXTM3U", lengthOfBom(text))) return refuse("The playlist does not begin with #EXTM3U.");
  const rewriter = new PlaylistRewriter(text, new UriRewriter(rewrite));
  const problem = rewriter.run();
  return problem === null ? { ok: true, body: Buffer.from(rewriter.output) } : refuse(problem);
}

const refuse = (reason: string): RewrittenPlaylist => ({ ok: false, reason });

const lengthOfBom = (text: string): number => (text.charCodeAt(0) === 0xfeff ? 1 : 0);

const STREAM_INF = "#EXT-X-STREAM-INF";

/** The tags with a `URI` attribute (RFC 8216bis §4.4) that becomes a link. */
const URI_TAGS: ReadonlyMap<string, LinkKind> = new Map([
  ["#EXT-X-KEY", "segment"],
  ["#EXT-X-MAP", "segment"],
  ["#EXT-X-PART", "segment"],
  ["#EXT-X-PRELOAD-HINT", "segment"],
  ["#EXT-X-SESSION-KEY", "segment"],
  ["#EXT-X-SESSION-DATA", "segment"],
  ["#EXT-X-MEDIA", "playlist"],
  ["#EXT-X-I-FRAME-STREAM-INF", "playlist"],
  ["#EXT-X-IMAGE-STREAM-INF", "playlist"],
  ["#EXT-X-RENDITION-REPORT", "playlist"],
]);

/** One pass over a playlist. What stays is copied in one piece up to the next URI that changes. */
class PlaylistRewriter {
  output = "";
  readonly #text: string;
  readonly #uris: UriRewriter;
  #copied = 0;
  #isVariantNext = false;

  constructor(text: string, uris: UriRewriter) {
    this.#text = text;
    this.#uris = uris;
  }

  /** @returns what is wrong, or `null` when `output` is the playlist */
  run(): string | null {
    const text = this.#text;
    let lines = 0;
    for (let start = lengthOfBom(text); start < text.length; ) {
      const feed = text.indexOf("\n", start);
      const end = feed === -1 ? text.length : feed;
      lines += 1;
      if (lines > PLAYLIST_LIMITS.lines) return `The playlist has more than ${PLAYLIST_LIMITS.lines} lines.`;
      this.#takeLine(start, end);
      if (this.output.length > PLAYLIST_LIMITS.rewrittenLength) return "The playlist grows too large when rewritten.";
      start = end + 1;
    }
    this.#copyUpTo(text.length);
    return null;
  }

  // Blanks around a line are no part of a URI, and so is the CR of a line that ends in CRLF.
  #takeLine(lineStart: number, lineEnd: number): void {
    let start = lineStart;
    let end = lineEnd;
    while (end > start && isBlank(this.#text.charCodeAt(end - 1))) end -= 1;
    while (start < end && isBlank(this.#text.charCodeAt(start))) start += 1;
    if (start === end) return;
    if (this.#text.charCodeAt(start) === HASH) this.#takeTag(start, end);
    else this.#takeUriLine(start, end);
  }

  #takeUriLine(start: number, end: number): void {
    const kind = this.#isVariantNext ? "playlist" : "segment";
    this.#isVariantNext = false;
    this.#replace(start, end, kind);
  }

  #takeTag(start: number, end: number): void {
    if (!this.#text.startsWith("#EXT-X-", start)) return;
    const tag = this.#text.slice(start, end);
    const colon = tag.indexOf(":");
    if (colon === -1) return;
    const name = tag.slice(0, colon);
    if (name === STREAM_INF) this.#isVariantNext = true;
    const kind = URI_TAGS.get(name);
    const uri = kind === undefined ? null : findUriAttribute(tag, colon + 1);
    if (kind !== undefined && uri !== null) this.#replace(start + uri.start, start + uri.end, kind);
  }

  #replace(start: number, end: number, kind: LinkKind): void {
    const link = this.#uris.link(this.#text.slice(start, end), kind);
    if (link === null) return;
    this.#copyUpTo(start);
    this.output += link;
    this.#copied = end;
  }

  #copyUpTo(end: number): void {
    this.output += this.#text.slice(this.#copied, end);
    this.#copied = end;
  }
}

const HASH = 0x23;
const CR = 0x0d;

const isBlank = (code: number): boolean => code === 0x20 || code === 0x09 || code === CR;

interface Span {
  readonly start: number;
  readonly end: number;
}

/**
 * Where the value of the quoted `URI` attribute stands in a tag, blanks inside the quotes left out.
 * @param at where the attribute list begins (RFC 8216bis §4.2)
 * @returns `null` when there is none, or more than one: players differ in which they take
 */
function findUriAttribute(tag: string, at: number): Span | null {
  let found: Span | null = null;
  for (let from = at; from < tag.length; ) {
    const equals = tag.indexOf("=", from);
    if (equals === -1) return found;
    const isQuoted = tag.charCodeAt(equals + 1) === QUOTE;
    const end = isQuoted ? tag.indexOf('"', equals + 2) : tag.indexOf(",", equals);
    if (isQuoted && end === -1) return null;
    if (isQuoted && tag.slice(from, equals).trim() === "URI") {
      if (found !== null) return null;
      found = trimmed(tag, equals + 2, end);
    }
    const comma = isQuoted ? tag.indexOf(",", end) : end;
    if (comma === -1) return found;
    from = comma + 1;
  }
  return found;
}

const QUOTE = 0x22;

function trimmed(text: string, from: number, to: number): Span {
  let start = from;
  let end = to;
  while (end > start && isBlank(text.charCodeAt(end - 1))) end -= 1;
  while (start < end && isBlank(text.charCodeAt(start))) start += 1;
  return { start, end };
}
