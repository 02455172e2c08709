import { compileExpression, expressionProblem } from "../core/expression.js";

/** Paths that a `location` or a `rewrite` took in NGINX. */
export interface Reach {
  /** `preferred`: `^~`, before which no expression comes. */
  readonly kind: "exact" | "prefix" | "preferred" | "expression";
  /** All of its paths begin with this text, which begins with a slash. */
  readonly start: string;
  /** There is one path alone, or all end at the segment: nothing goes on in the middle of a segment. */
  readonly isSharp: boolean;
  /** RE2, found in all of its paths, and in no others but for what is around a nested one; `null`: it cannot be said in RE2. */
  readonly pattern: string | null;
}

const MAX_STARTS = 16;

/** What the arguments of a `location` take; none for a named one. */
export function readReach(args: readonly string[]): readonly Reach[] {
  const [first = "", second] = args;
  const modifier = second === undefined ? (/^(?:\^~|=|~\*?)/.exec(first)?.[0] ?? "") : first;
  const text = second ?? first.slice(modifier.length);
  if (modifier.startsWith("~")) {
    const pattern = patternOf(text, modifier === "~*");
    // An expression for one path is no exact location: others come before it.
    return startsOf(text, modifier === "~*").map((reach) => ({ ...reach, kind: "expression", pattern }));
  }
  if (text.startsWith("@")) return [];
  const start = text.startsWith("/") ? text : "/";
  if (modifier === "=") return [{ kind: "exact", start, isSharp: true, pattern: `^${escaped(start)}$` }];
  const kind = modifier === "^~" ? "preferred" : "prefix";
  return [{ kind, start, isSharp: start.endsWith("/"), pattern: `^${escaped(start)}` }];
}

/** A text as an expression for it. */
export function escaped(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&");
}

/** What PCRE and RE2 understand differently: classes by other letters, octal numbers, possessive repetition. */
const OTHER_IN_RE2 = /\\[vhHNRXGKCcZzBEQ0-9]|\(\?(?!:|<[A-Za-z]|P<|i\))|[*+?}]\+/;

/** An expression of NGINX's in RE2; `null`: it has none, or perhaps another meaning there. */
export function patternOf(text: string, ignoresCase: boolean): string | null {
  const pattern = ignoresCase ? `(?i)${text}` : text;
  const isPlain = text !== "" && /^[ -~]*$/.test(text) && !OTHER_IN_RE2.test(text);
  return isPlain && expressionProblem(pattern) === null ? pattern : null;
}

/** One that looks around without taking anything; what it looks for may have brackets of its own, one level deep. */
const LOOK_AROUND = /(?<!\\)\(\?<?[=!](?:\\.|\[(?:\\.|[^\]\\])*\]|\((?:\\.|[^()\\[])*\)|[^()\\[])*\)(?![*+?{])/g;

/**
 * An expression for a refusal that finds all that NGINX's does, and more: `/\.` for `/\.(?!well-known)`, since RE2 does
 * not look around. `null`: it has none, or one that finds every path.
 */
export function widerPatternOf(args: readonly string[]): string | null {
  const [modifier = "", text = ""] = args;
  if (args.length !== 2 || !modifier.startsWith("~")) return null;
  const pattern = patternOf(text.replace(LOOK_AROUND, ""), modifier === "~*");
  if (pattern === null) return null;
  const expression = compileExpression(pattern);
  return expression.test("/") || expression.test("/x") ? null : pattern;
}

/**
 * How the paths begin that an expression can match: `^/(a|b)/.*\.zip$` is `/a/` and `/b/`. Says `/` of whatever it does
 * not read, which is always true.
 */
export function startsOf(pattern: string, ignoresCase: boolean): readonly Reach[] {
  const everywhere: readonly Reach[] = [{ kind: "expression", start: "/", isSharp: true, pattern: null }];
  if (!pattern.startsWith("^") || hasOuterChoice(pattern)) return everywhere;
  let starts: readonly string[] = [""];
  let rest = pattern.slice(1);
  for (;;) {
    const [all = "", text = "", group = ""] =
      /^(?:(\\[^\w\s]|[\w/~%@:!,;=&'" -])|\((?:\?:)?((?:[\w/-]|\\[^\w\s])+(?:\|(?:[\w/-]|\\[^\w\s])+)+)\))/.exec(
        rest,
      ) ?? [];
    const after = rest.slice(all.length);
    if (all === "" || /^[?*+{]/.test(after) || (ignoresCase && /[a-z]/i.test(all))) break;
    const choices = (group === "" ? [text] : group.split("|")).map((one) => one.replace(/\\(.)/g, "$1"));
    if (starts.length * choices.length > MAX_STARTS) break;
    starts = starts.flatMap((start) => choices.map((choice) => start + choice));
    rest = after;
  }
  if (!starts.every((start) => start.startsWith("/"))) return everywhere;
  if (rest === "$") return starts.map((start) => ({ kind: "exact", start, isSharp: true, pattern: null }));
  const endsHere = /^\((?:\?:)?(?:\/\|\$|\$\|\/)\)/.test(rest);
  return starts.map((start) => ({
    kind: "expression",
    start,
    isSharp: endsHere || start.endsWith("/"),
    pattern: null,
  }));
}

/** `^/a|^/b`: what stands before the first `|` is not all. */
function hasOuterChoice(pattern: string): boolean {
  let depth = 0;
  for (const [token] of pattern.matchAll(/\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|[(|)]/gs)) {
    if (token === "(") depth += 1;
    else if (token === ")") depth -= 1;
    else if (token === "|" && depth <= 0) return true;
  }
  return false;
}

/** What a location inside of another takes: nothing that the other does not. */
export function within(reach: Reach, outer: readonly Reach[]): Reach {
  const [first] = outer;
  if (outer.length !== 1 || first === undefined || reach.start.startsWith(first.start)) return reach;
  return { ...reach, start: first.start, isSharp: first.isSharp };
}

/** The longest path whose segments cover all of it, without a slash at its end; `""` is the root. */
export function segmentOf({ start, isSharp }: Reach): string {
  return isSharp ? start.replace(/\/$/, "") : parentOf(start);
}

/** `/a` of `/a/bc`. */
export function parentOf(start: string): string {
  return start.slice(0, Math.max(0, start.lastIndexOf("/")));
}

export const WHOLE: Reach = { kind: "prefix", start: "/", isSharp: true, pattern: "^/" };
export const ROOT: Reach = { kind: "exact", start: "/", isSharp: true, pattern: "^/$" };

/** Whether a location takes what no other takes. */
export const isWholePrefix = ({ kind, start }: Reach): boolean =>
  start === "/" && (kind === "prefix" || kind === "preferred");
