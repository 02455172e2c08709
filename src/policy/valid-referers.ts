import {
  compileExpression,
  isExpression,
  KEYWORDS,
  type RefererExpression,
  validRefererProblem,
} from "../core/referer-entry.js";
import type { CheckReferer } from "./referer.js";

/** NGINX calls everything shorter "blocked"; it is the length of `http://i.ru`. */
const SHORTEST_REFERER = 11;
const LONGEST_HOST = 256;
/** Expressions see no longer text: of a longer one browsers send the origin alone (Referrer Policy §8.3). */
const LONGEST_FOR_EXPRESSIONS = 4 * 1024;

/**
 * Makes NGINX's check (ngx_http_referer_module, `valid_referers`): `none`, `blocked`, `server_names`, names with a `*.`
 * or `.` before or a `.*` behind, with an optional prefix of the path, and `~` expressions over what follows `http://`.
 * An exact name goes before `*.` names and those before `.*` ones, the longer before the shorter; the entry that a host
 * finds decides alone, also when the path is not its own. Names are compared in any case, paths are not. As in NGINX a
 * host ends at the first `/` or `:`, so user information passes for a host: `http://a.com:x@evil.net/` is of `a.com`.
 * @param entries each without {@link validRefererProblem}
 * @param serverNames what `server_names` stands for: the route's hosts, `*.example.com` too
 * @throws Error with that problem
 */
export function compileValidReferers(entries: readonly string[], serverNames: readonly string[]): CheckReferer {
  const problem = entries.map(validRefererProblem).find((found) => found !== null);
  if (problem !== undefined) throw new Error(problem);
  const names = entries.filter((entry) => !KEYWORDS.has(entry) && !isExpression(entry));
  const table = compileTable(entries.includes("server_names") ? [...names, ...serverNames] : names);
  const expressions = entries.filter(isExpression).map((entry) => compileExpression(entry));
  const ofNone = entries.includes("none") ? null : "invalid";
  const ofBlocked = entries.includes("blocked") ? null : "invalid";
  return (referer) => {
    if (referer === undefined) return ofNone;
    const hostStart = referer.length < SHORTEST_REFERER ? 0 : endOfScheme(referer);
    if (hostStart === 0) return ofBlocked;
    const hostEnd = endOfHost(referer, hostStart);
    if (hostEnd - hostStart > LONGEST_HOST) return "invalid";
    const paths = findHost(table, referer.slice(hostStart, hostEnd).toLowerCase());
    if (paths !== undefined) return isBelow(paths, referer, hostEnd) ? null : "invalid";
    return expressions.length > 0 && matchesAny(expressions, referer.slice(hostStart)) ? null : "invalid";
  };
}

/** Where `http://` or `https://` ends; 0: the referer begins with neither. */
function endOfScheme(referer: string): number {
  const start = referer.slice(0, 8).toLowerCase();
  if (start.startsWith("http://")) return 7;
  return start === "https://" ? 8 : 0;
}

function endOfHost(referer: string, from: number): number {
  for (let at = from; at < referer.length; at += 1) {
    if (referer[at] === "/" || referer[at] === ":") return at;
  }
  return referer.length;
}

/** What the path must begin with, one of them; `null`: any path is good. */
type PathPrefixes = readonly string[] | null;

/** Hosts by their text, lower case; `heads` begin and `tails` end with the dot that the `*` leaves. */
interface HostTable {
  readonly exact: ReadonlyMap<string, PathPrefixes>;
  readonly heads: ReadonlyMap<string, PathPrefixes>;
  readonly tails: ReadonlyMap<string, PathPrefixes>;
}

function compileTable(entries: readonly string[]): HostTable {
  const table = { exact: new Map(), heads: new Map(), tails: new Map() } satisfies HostTable;
  for (const entry of entries) {
    const slash = entry.indexOf("/");
    const host = (slash === -1 ? entry : entry.slice(0, slash)).toLowerCase();
    const path = slash === -1 ? null : entry.slice(slash);
    if (host.endsWith(".*")) addPath(table.tails, host.slice(0, -1), path);
    else if (host.startsWith("*.")) addPath(table.heads, host.slice(1), path);
    else if (host.startsWith(".")) {
      addPath(table.heads, host, path);
      addPath(table.exact, host.slice(1), path);
    } else addPath(table.exact, host, path);
  }
  return table;
}

/** NGINX refuses a name that stands twice; here each of its paths is good. */
function addPath(names: Map<string, PathPrefixes>, name: string, path: string | null): void {
  const known = names.get(name);
  names.set(name, path === null || known === null ? null : [...(known ?? []), path]);
}

function findHost({ exact, heads, tails }: HostTable, host: string): PathPrefixes | undefined {
  const found = exact.get(host);
  if (found !== undefined) return found;
  if (heads.size > 0) {
    for (let dot = host.indexOf("."); dot !== -1; dot = host.indexOf(".", dot + 1)) {
      const head = heads.get(host.slice(dot));
      if (head !== undefined) return head;
    }
  }
  if (tails.size > 0) {
    for (let dot = host.lastIndexOf("."); dot > 0; dot = host.lastIndexOf(".", dot - 1)) {
      const tail = tails.get(host.slice(0, dot + 1));
      if (tail !== undefined) return tail;
    }
  }
  return undefined;
}

function isBelow(paths: PathPrefixes, referer: string, hostEnd: number): boolean {
  if (paths === null) return true;
  const slash = referer.indexOf("/", hostEnd);
  return slash !== -1 && paths.some((path) => referer.startsWith(path, slash));
}

function matchesAny(expressions: readonly RefererExpression[], text: string): boolean {
  return text.length <= LONGEST_FOR_EXPRESSIONS && expressions.some((expression) => expression.test(text));
}
