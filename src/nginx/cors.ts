import { parseCorsHeader, parseExposedHeader, parseOrigin } from "../config/values-policies.js";
import { conditionsOf, METHODS } from "./conditions.js";
import type { Directive } from "./directive.js";
import type { Findings } from "./findings.js";
import type { Scope } from "./scope.js";
import type { YamlMap } from "./yaml-text.js";

const MAX_AGE_SECONDS = 86_400;

/** `add_header Access-Control-…` of a location and of the `if` in it that answers preflights; `undefined`: none that can be taken over. */
export function readCors(scope: Scope, findings: Findings): YamlMap | undefined {
  const { own, preflight } = corsHeaders(scope);
  const headers = [...own, ...preflight];
  const find = (directives: readonly Directive[], name: string): Directive | undefined =>
    directives.find(({ args }) => args[0]?.toLowerCase() === `access-control-${name}`);
  const first = (name: string): string | undefined => find(headers, name)?.args[1];
  // A browser reads these of a preflight alone.
  const ofPreflight = (name: string): Directive | undefined => find(preflight, name) ?? find(own, name);
  const origin = first("allow-origin");
  if (headers.length === 0) return undefined;
  if (origin === undefined || !(origin === "$http_origin" || typeof parseOrigin(origin) === "string")) {
    for (const header of headers) findings.unsupported(header, "write the origins into cors.rules");
    return undefined;
  }
  const isAny = origin === "*" || origin === "$http_origin";
  const wantsCredentials = first("allow-credentials") === "true";
  for (const [guard, { kind }] of conditionsOf(scope)) if (kind === "preflight") reportPreflight(guard, findings);
  reportUnread(own, preflight, findings);
  report(headers, { isMirror: origin === "$http_origin", isAny, wantsCredentials }, findings);
  return {
    rules: [
      {
        allowedOrigins: [isAny ? "*" : origin],
        allowedMethods: methodsOf(ofPreflight("allow-methods")?.args[1]),
        allowedHeaders: listOf(ofPreflight("allow-headers")?.args[1], parseCorsHeader),
        exposeHeaders: listOf(first("expose-headers"), parseExposedHeader),
        maxAge: maxAgeOf(ofPreflight("max-age")?.args[1]),
      },
    ],
    allowCredentials: wantsCredentials && !isAny ? true : undefined,
  };
}

function reportPreflight(guard: Directive, findings: Findings): void {
  findings.taken(guard, "preflights are answered by cors");
  for (const inner of guard.block ?? []) {
    if (inner.name === "return")
      findings.approximated(inner, "preflights are answered 200, or 403 where no rule matches");
    else if (!/^access-control-/i.test(inner.args[0] ?? ""))
      findings.approximated(inner, "preflights are answered by cors alone");
  }
}

/** Two answers had two values, and a rule has one. */
function reportUnread(own: readonly Directive[], preflight: readonly Directive[], findings: Findings): void {
  for (const header of own) {
    const name = header.args[0]?.toLowerCase() ?? "";
    const other = preflight.find(({ args }) => args[0]?.toLowerCase() === name);
    if (other === undefined || other.args[1] === header.args[1]) continue;
    const isOfPreflight = /-(?:allow-methods|allow-headers|max-age)$/.test(name);
    findings.approximated(
      isOfPreflight ? header : other,
      isOfPreflight ? "cors.rules has what preflights are answered" : "cors.rules has what other answers have",
    );
  }
}

interface CorsHeaders {
  /** Of all answers. */
  readonly own: readonly Directive[];
  /** Of the answers to preflights, where they have some of their own. */
  readonly preflight: readonly Directive[];
}

function corsHeaders(scope: Scope): CorsHeaders {
  const preflights = conditionsOf(scope).filter(([, { kind }]) => kind === "preflight");
  const inside = preflights.flatMap(([{ block }]) => block ?? []).filter(({ name }) => name === "add_header");
  const isCors = ({ args }: Directive): boolean => /^access-control-/i.test(args[0] ?? "");
  return { own: scope.all("add_header").filter(isCors), preflight: inside.filter(isCors) };
}

interface Kind {
  readonly isMirror: boolean;
  readonly isAny: boolean;
  readonly wantsCredentials: boolean;
}

function report(headers: readonly Directive[], { isMirror, isAny, wantsCredentials }: Kind, findings: Findings): void {
  for (const header of headers) {
    const name = header.args[0]?.toLowerCase();
    if (name === "access-control-max-age" && Number(header.args[1]) > MAX_AGE_SECONDS)
      findings.approximated(header, "cors.rules, for a day: browsers keep it no longer");
    else if (name === "access-control-allow-origin") {
      if (isMirror)
        findings.dangerous(header, 'every site may read the answers; here as allowedOrigins: ["*"]: name your own');
      findings.approximated(header, "cors.rules; sent where a page of another origin asks, and not on every answer");
    } else if (name === "access-control-allow-credentials" && wantsCredentials && isAny)
      findings.dangerous(header, "with every origin any site could use its visitors' logins; left out");
    else findings.taken(header, "cors.rules");
  }
}

function methodsOf(text: string | undefined): readonly string[] {
  const named = (text ?? "").toUpperCase().split(/[\s,]+/);
  const methods = METHODS.filter((method) => method !== "OPTIONS" && (named.includes(method) || named.includes("*")));
  return methods.length === 0 ? ["GET", "HEAD"] : methods;
}

function listOf(text: string | undefined, parse: (name: string) => unknown): readonly string[] | undefined {
  const names = (text ?? "").split(/[\s,]+/).filter((name) => name !== "" && typeof parse(name) === "string");
  const unique = names.filter(
    (name, index) => names.findIndex((other) => other.toLowerCase() === name.toLowerCase()) === index,
  );
  return unique.length === 0 ? undefined : unique;
}

function maxAgeOf(text: string | undefined): string | undefined {
  return text !== undefined && /^\d{1,9}$/.test(text) ? `${Math.min(Number(text), MAX_AGE_SECONDS)}s` : undefined;
}
