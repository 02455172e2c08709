import { parseCorsHeader, parseExposedHeader, parseOrigin } from "../config/values-policies.js";
import { conditionsOf, METHODS } from "./conditions.js";
import type { Directive } from "./directive.js";
import type { Findings } from "./findings.js";
import type { Scope } from "./scope.js";
import type { YamlMap } from "./yaml-text.js";

const MAX_AGE_SECONDS = 86_400;

/** `add_header Access-Control-…` of a location and of the `if` in it that answers preflights; `undefined`: none that can be taken over. */
export function readCors(scope: Scope, findings: Findings): YamlMap | undefined {
  const headers = corsHeaders(scope);
  const first = (name: string): string | undefined =>
    headers.find(({ args }) => args[0]?.toLowerCase() === `access-control-${name}`)?.args[1];
  const origin = first("allow-origin");
  if (headers.length === 0) return undefined;
  if (origin === undefined || !(origin === "$http_origin" || typeof parseOrigin(origin) === "string")) {
    for (const header of headers) findings.unsupported(header, "write the origins into cors.rules");
    return undefined;
  }
  const isAny = origin === "*" || origin === "$http_origin";
  const wantsCredentials = first("allow-credentials") === "true";
  for (const [guard, { kind }] of conditionsOf(scope)) if (kind === "preflight") reportPreflight(guard, findings);
  report(headers, { isMirror: origin === "$http_origin", isAny, wantsCredentials }, findings);
  return {
    rules: [
      {
        allowedOrigins: [isAny ? "*" : origin],
        allowedMethods: methodsOf(first("allow-methods")),
        allowedHeaders: listOf(first("allow-headers"), parseCorsHeader),
        exposeHeaders: listOf(first("expose-headers"), parseExposedHeader),
        maxAge: maxAgeOf(first("max-age")),
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

function corsHeaders(scope: Scope): readonly Directive[] {
  const preflights = conditionsOf(scope).filter(([, { kind }]) => kind === "preflight");
  const inside = preflights.flatMap(([{ block }]) => block ?? []).filter(({ name }) => name === "add_header");
  return [...scope.all("add_header"), ...inside].filter(({ args }) => /^access-control-/i.test(args[0] ?? ""));
}

interface Kind {
  readonly isMirror: boolean;
  readonly isAny: boolean;
  readonly wantsCredentials: boolean;
}

function report(headers: readonly Directive[], { isMirror, isAny, wantsCredentials }: Kind, findings: Findings): void {
  for (const header of headers) {
    const name = header.args[0]?.toLowerCase();
    if (name === "access-control-allow-origin") {
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
