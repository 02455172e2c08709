import { compileGlob, type Glob, matchesStart, matchesWhole, type Subject } from "./referer-glob.js";
import { foldHead, originOf, type RefererParts } from "./referer-parts.js";

/** Whether a list has an entry for this referer. */
export type MatchList = (parts: RefererParts) => boolean;

/** OSS's own comparison: a glob from the first character on, with an open end (oss-semantics §5.2). */
export function compileOpenList(patterns: readonly string[]): MatchList {
  const globs = patterns.map(compileGlob);
  return (parts) => {
    const subject = foldHead(parts);
    return globs.some((glob) => matchesStart(glob, subject));
  };
}

/** A pattern at its joint: what stands for scheme, host and port, and what follows. */
interface StrictPattern {
  readonly head: Glob;
  /** `null`: the pattern ends in its host. */
  readonly tail: Glob | null;
}

interface StrictList {
  /** Patterns that are an origin without `*` and `?`: `http://a.com`. */
  readonly origins: ReadonlySet<string>;
  readonly patterns: readonly StrictPattern[];
  readonly hasAny: boolean;
}

/**
 * The strict comparison: what a pattern says of scheme and host must be all that the referer has there, so
 * `http://a.com` is no `http://a.com.evil.net`, and a `*` in the host never reaches into user information or the path,
 * so `http://*.a.com` is no `http://evil.net/x.a.com`. A pattern that names no port admits every port. Where a pattern
 * goes on after the host, the rest is compared as OSS does.
 * @param ofUnreadable what decides about a referer without a host that can be read; `*` alone takes those too
 */
export function compileStrictList(patterns: readonly string[], ofUnreadable: MatchList): MatchList {
  const list = sortPatterns(patterns);
  return (parts) => {
    if (list.hasAny) return true;
    const origin = originOf(parts);
    if (origin === null) return ofUnreadable(parts);
    const { withPort, withoutPort } = origin;
    if (list.origins.has(withoutPort) || list.origins.has(withPort)) return true;
    if (list.patterns.length === 0) return false;
    const rest = { text: parts.text.slice(parts.headEnd), foldedEnd: 0 };
    const heads = { withPort: folded(withPort), withoutPort: folded(withoutPort) };
    return list.patterns.some((pattern) => matchesStrictly(pattern, heads, rest));
  };
}

function folded(text: string): Subject {
  return { text, foldedEnd: text.length };
}

function matchesStrictly(
  { head, tail }: StrictPattern,
  { withPort, withoutPort }: { readonly withPort: Subject; readonly withoutPort: Subject },
  rest: Subject,
): boolean {
  if (tail === null) return matchesWhole(head, withoutPort) || matchesWhole(head, withPort);
  return matchesWhole(head, withPort) && matchesStart(tail, rest);
}

const ONLY_STARS = /^\*+$/;
const WILDCARD = /[*?]/;

function sortPatterns(patterns: readonly string[]): StrictList {
  const origins = new Set<string>();
  const others: StrictPattern[] = [];
  for (const pattern of patterns) {
    const end = headEndOf(pattern);
    const head = pattern.slice(0, end).toLowerCase();
    const tail = pattern.slice(end);
    if (tail === "" && !WILDCARD.test(head)) origins.add(head);
    else others.push({ head: compileGlob(head), tail: tail === "" ? null : compileGlob(tail) });
  }
  return { origins, patterns: others, hasAny: patterns.some((pattern) => ONLY_STARS.test(pattern)) };
}

/** Where a pattern's host part ends: at its first `/` after that of a scheme, `http://` or one with a `*` for it. */
function headEndOf(pattern: string): number {
  const first = pattern.indexOf("/");
  const isOfScheme = /(?:^|[:*?])\/$/.test(pattern.slice(0, first + 1)) && pattern[first + 1] === "/";
  const end = isOfScheme ? pattern.indexOf("/", first + 2) : first;
  return end === -1 ? pattern.length : end;
}
