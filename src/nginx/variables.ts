import type { Directive } from "./directive.js";
import type { Scope } from "./scope.js";

/** `map` blocks by the variable that they make. */
export type Maps = ReadonlyMap<string, Directive>;

const MAX_DEPTH = 10;
const MAX_CHARS = 4_096;
const VARIABLE = /\$(?:\{(\w+)\}|(\w+))/g;

/** What is known of a request while its route is made. */
export interface Known {
  readonly scope: Scope;
  readonly maps: Maps;
  /** The host that it asks for; `null`: one of several. */
  readonly host: string | null;
}

const HOST_NAMES: ReadonlySet<string> = new Set(["host", "http_host", "server_name"]);

/** Puts in what variables stand for as far as that is known; the others stay as they are, as `$name`. */
export function expand(text: string, known: Known, depth = 0): string {
  if (depth > MAX_DEPTH || text.length > MAX_CHARS) return text.slice(0, MAX_CHARS);
  return text
    .replace(VARIABLE, (_, braced?: string, plain?: string) => {
      const name = (braced ?? plain ?? "").toLowerCase();
      const value = valueOfVariable(name, known, depth);
      return value ?? `$${name}`;
    })
    .slice(0, MAX_CHARS);
}

/** Whether a text that was expanded has variables left. */
export function hasVariables(text: string): boolean {
  return /\$\w/.test(text);
}

function valueOfVariable(name: string, known: Known, depth: number): string | null {
  if (HOST_NAMES.has(name) && known.host !== null) return known.host;
  const set = known.scope.through("set").findLast(({ args }) => args[0]?.toLowerCase() === `$${name}`);
  if (set !== undefined) return expand(set.args[1] ?? "", known, depth + 1);
  const map = known.maps.get(name);
  return map === undefined ? null : mapped(map, known, depth);
}

/** The value that a `map` has for this request; `null`: it cannot be known. */
function mapped(map: Directive, known: Known, depth: number): string | null {
  const source = expand(map.args[0] ?? "", known, depth + 1);
  if (hasVariables(source)) return null;
  const found = lookUp(map, source);
  return found === null ? null : expand(found, known, depth + 1);
}

const OPTIONS: ReadonlySet<string> = new Set(["default", "hostnames", "volatile", "include"]);

/** As NGINX looks: the text itself, then the longest wildcard where there are `hostnames`, then expressions, then `default`. */
function lookUp({ block }: Directive, source: string): string | null {
  const entries = block ?? [];
  const value = source.toLowerCase();
  const exact = entries.find(({ name, args }) => args.length > 0 && keyOf(name) === value && !OPTIONS.has(name));
  if (exact !== undefined) return exact.args[0] ?? null;
  const wildcards = entries.some(({ name }) => name === "hostnames") ? entries : [];
  const suffix = wildcards
    .filter(({ name }) => isCovered(value, name.toLowerCase()))
    .toSorted((a, b) => b.name.length - a.name.length)[0];
  if (suffix !== undefined) return suffix.args[0] ?? null;
  // An expression may match, and its captures may be used: not decided here.
  if (entries.some(({ name }) => name.startsWith("~"))) return null;
  return entries.find(({ name }) => name === "default")?.args[0] ?? "";
}

const keyOf = (name: string): string => (name.startsWith("\\") ? name.slice(1) : name).toLowerCase();

function isCovered(host: string, pattern: string): boolean {
  if (pattern.startsWith("*.")) return host.endsWith(pattern.slice(1)) && host.length > pattern.length - 1;
  return pattern.startsWith(".") && (host === pattern.slice(1) || host.endsWith(pattern));
}

/** Hosts that a `map` of the host names: names, and wildcards where it has `hostnames`. */
export function hostsOfMap({ args, block }: Directive): readonly string[] {
  if (!HOST_NAMES.has((args[0] ?? "").replace(/[${}]/g, "").toLowerCase())) return [];
  return (block ?? []).flatMap(({ name, args: values }) => {
    if (values.length === 0 || OPTIONS.has(name) || name.startsWith("~") || name.endsWith("*")) return [];
    return name.startsWith(".") ? [name.slice(1), `*${name}`] : [keyOf(name)];
  });
}

/** The names of the variables in a text, those behind them included. */
export function variablesIn(text: string, { scope, maps }: Known, depth = 0): ReadonlySet<string> {
  const names = new Set<string>();
  if (depth > MAX_DEPTH) return names;
  for (const [, braced, plain] of text.slice(0, MAX_CHARS).matchAll(VARIABLE)) {
    const name = (braced ?? plain ?? "").toLowerCase();
    names.add(name);
    const set = scope.through("set").findLast(({ args }) => args[0]?.toLowerCase() === `$${name}`);
    const source = set?.args[1] ?? maps.get(name)?.args[0];
    const more = source === undefined ? [] : variablesIn(source, { scope, maps, host: null }, depth + 1);
    for (const one of more) names.add(one);
  }
  return names;
}
