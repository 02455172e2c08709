import type { HeaderList } from "../core/headers.js";

/** One CORS rule in OSS's words (oss-semantics §6.1). */
export interface CorsRule {
  /** `https://www.example.com`, with at most one `*` each. */
  readonly allowedOrigins: readonly string[];
  readonly allowedMethods: readonly string[];
  /** Header names in any case, with at most one `*` each. */
  readonly allowedHeaders: readonly string[];
  readonly exposeHeaders: readonly string[];
  /** How long a browser may remember a preflight; `null`: the answer does not say. */
  readonly maxAgeSeconds: number | null;
}

/** What decides: the values of the headers as they arrived. */
export interface CorsRequest {
  readonly origin: string;
  /** `Access-Control-Request-Method` of a preflight, otherwise the request's own method. */
  readonly method: string;
  /** `Access-Control-Request-Headers` of a preflight; `undefined` when there is none. */
  readonly requestHeaders: string | undefined;
}

/** A rule that matched, and what it says to this origin: itself, or `*` when the rule is for all. */
export interface CorsMatch {
  readonly rule: CorsRule;
  readonly allowOrigin: string;
  /** Of the answer to an actual request what is the same for all origins. */
  readonly common: HeaderList;
}

/** Finds the first rule that a request matches in full (oss-semantics §6.2); `null` when there is none. */
export type MatchCors = (request: CorsRequest) => CorsMatch | null;

const METHODS: ReadonlySet<string> = new Set(["GET", "PUT", "DELETE", "POST", "HEAD"]);

/** A sentence that says why OSS would not have the rule (oss-semantics §6.1), or `null`. */
export function corsRuleProblem(rule: CorsRule): string | null {
  const method = rule.allowedMethods.find((name) => !METHODS.has(name));
  if (method !== undefined)
    return `The method ${method} cannot be allowed: it must be one of ${[...METHODS].join(" ")}.`;
  if (rule.allowedOrigins.length === 0 || rule.allowedMethods.length === 0)
    return "A rule needs an origin and a method.";
  const glob = [...rule.allowedOrigins, ...rule.allowedHeaders].find((text) => text.split("*").length > 2);
  if (glob !== undefined) return `${glob} has more than one *.`;
  const exposed = rule.exposeHeaders.find((name) => name.includes("*"));
  return exposed === undefined ? null : `${exposed} cannot be exposed: * stands for nothing here.`;
}

/**
 * Makes the matcher of these rules (oss-semantics §6.2). Origins are compared as text: scheme, host and port all count,
 * in their case. Methods too; header names in any case.
 */
export function compileCors(rules: readonly CorsRule[]): MatchCors {
  const compiled = rules.map(compileRule);
  return (request) => {
    const names = request.requestHeaders === undefined ? [] : headerNames(request.requestHeaders);
    if (names.length > MAX_ASKED_HEADERS) return null;
    const found = compiled.find((candidate) => matches(candidate, request, names));
    if (found === undefined) return null;
    return { rule: found.rule, allowOrigin: found.isForAll ? "*" : request.origin, common: found.common };
  };
}

/** No page has so many; each is compared with each header of each rule. */
const MAX_ASKED_HEADERS = 200;

interface CompiledRule {
  readonly rule: CorsRule;
  readonly isForAll: boolean;
  readonly common: HeaderList;
  readonly origins: readonly Glob[];
  readonly methods: ReadonlySet<string>;
  readonly headers: readonly Glob[];
}

function compileRule(rule: CorsRule): CompiledRule {
  return {
    rule,
    isForAll: rule.allowedOrigins.includes("*"),
    common: commonHeaders(rule),
    origins: rule.allowedOrigins.map(compileGlob),
    methods: new Set(rule.allowedMethods),
    headers: rule.allowedHeaders.map((name) => compileGlob(name.toLowerCase())),
  };
}

function matches(candidate: CompiledRule, { origin, method }: CorsRequest, names: readonly string[]): boolean {
  return (
    candidate.methods.has(method) &&
    candidate.origins.some((glob) => globMatches(glob, origin)) &&
    names.every((name) => candidate.headers.some((glob) => globMatches(glob, name)))
  );
}

function headerNames(list: string): string[] {
  const names = list.split(",").map((item) => item.trim().toLowerCase());
  return names.filter((name) => name !== "");
}

/** Text with one `*` at most; without one `suffix` is `null`. */
interface Glob {
  readonly prefix: string;
  readonly suffix: string | null;
}

function compileGlob(text: string): Glob {
  const star = text.indexOf("*");
  return star === -1 ? { prefix: text, suffix: null } : { prefix: text.slice(0, star), suffix: text.slice(star + 1) };
}

function globMatches({ prefix, suffix }: Glob, text: string): boolean {
  if (suffix === null) return text === prefix;
  return text.length >= prefix.length + suffix.length && text.startsWith(prefix) && text.endsWith(suffix);
}

/** The headers of the answer to a preflight that matched (oss-semantics §6.3). */
export function preflightHeaders({ rule, allowOrigin }: CorsMatch, request: CorsRequest): HeaderList {
  const headers = ["Access-Control-Allow-Origin", allowOrigin, "Access-Control-Allow-Methods", request.method];
  if (request.requestHeaders) headers.push("Access-Control-Allow-Headers", request.requestHeaders);
  return [...headers, ...exposeAndAge(rule)];
}

/** The headers of the answer to an actual request that matched, all that the rule says (oss-semantics §6.4). */
export function actualHeaders({ allowOrigin, common }: CorsMatch): HeaderList {
  return ["Access-Control-Allow-Origin", allowOrigin, ...common];
}

function commonHeaders(rule: CorsRule): HeaderList {
  const headers = ["Access-Control-Allow-Methods", rule.allowedMethods.join(", ")];
  if (rule.allowedHeaders.length > 0) headers.push("Access-Control-Allow-Headers", rule.allowedHeaders.join(", "));
  return [...headers, ...exposeAndAge(rule)];
}

function exposeAndAge({ exposeHeaders, maxAgeSeconds }: CorsRule): HeaderList {
  const headers: string[] = [];
  if (exposeHeaders.length > 0) headers.push("Access-Control-Expose-Headers", exposeHeaders.join(", "));
  if (maxAgeSeconds !== null) headers.push("Access-Control-Max-Age", String(maxAgeSeconds));
  return headers;
}

/** Whether answers depend on the origin, so that caches must be told (`Vary: Origin`; oss-semantics §6.4). */
export function variesByOrigin(rules: readonly CorsRule[]): boolean {
  return rules.some(({ allowedOrigins }) => !allowedOrigins.includes("*"));
}
