import type { Directive } from "./directive.js";
import type { Scope } from "./scope.js";

/** What an `if` asks, where it is something that has a place in the configuration. */
export type Condition =
  | {
      readonly kind:
        | "referer"
        | "preflight"
        | "plain-http"
        | "host"
        | "other-hosts"
        | "secure-link"
        | "client-certificate";
    }
  | { readonly kind: "methods"; readonly refused: readonly string[] }
  | { readonly kind: "user-agent" | "other" };

export const METHODS: readonly string[] = ["GET", "HEAD", "OPTIONS", "PUT", "POST", "DELETE"];

/** `($request_method = 'OPTIONS')` without its brackets. */
export function conditionText({ args }: Directive): string {
  const text = args
    .join(" ")
    .trim()
    .replace(/^\(\s*/, "");
  const opened = text.split("(").length;
  // The tokens lose the bracket behind a quote, as NGINX's do.
  return (text.split(")").length > opened ? text.replace(/\s*\)$/, "") : text).trim();
}

export function readCondition(directive: Directive): Condition {
  const text = conditionText(directive);
  if (/^\$invalid_referer(?: = "?1"?)?$/.test(text)) return { kind: "referer" };
  if (/^\$request_method (?:=|~\*?) \^?\(?OPTIONS\)?\$?$/i.test(text)) return { kind: "preflight" };
  if (isPlainHttp(text)) return { kind: "plain-http" };
  if (/^\$secure_link = (?:0|""|)$/.test(text) || text === "$secure_link =") return { kind: "secure-link" };
  if (/^\$ssl_client_verify != SUCCESS$/.test(text)) return { kind: "client-certificate" };
  if (/^\$(?:http_)?host !(?:=|~\*?) \S+$/.test(text)) return { kind: "other-hosts" };
  if (/^\$(?:http_)?host (?:=|~\*?) \S+$/.test(text)) return { kind: "host" };
  const refused = refusedMethods(text);
  if (refused !== null) return { kind: "methods", refused };
  return { kind: text.startsWith("$http_user_agent ") ? "user-agent" : "other" };
}

function isPlainHttp(text: string): boolean {
  return (
    /^\$(?:scheme|http_x_forwarded_proto) = http$/.test(text) ||
    /^\$(?:scheme|http_x_forwarded_proto) != https$/.test(text) ||
    /^\$server_port = 80$/.test(text) ||
    /^\$(?:https|ssl_protocol) (?:=|!= on)$/.test(text)
  );
}

/** As NGINX finds it: an expression may be found in the middle of a name. */
function refusedMethods(text: string): readonly string[] | null {
  const [, operator = "", pattern = ""] = /^\$request_method (!?(?:=|~\*?)) ([\w^$|()?:]+)$/.exec(text) ?? [];
  const isOthers = operator.startsWith("!");
  if (operator.endsWith("=")) return METHODS.filter((method) => (method === pattern) !== isOthers);
  if (operator === "") return null;
  try {
    const expression = new RegExp(pattern, operator.endsWith("*") ? "i" : "");
    return METHODS.filter((method) => expression.test(method) !== isOthers);
  } catch {
    return null;
  }
}

/** The status of the `return` in a block; `null`: it does something else. */
export function returnedStatus({ block }: Directive): number | null {
  const status = block?.find(({ name }) => name === "return")?.args[0] ?? "";
  return /^\d{3}$/.test(status) ? Number(status) : null;
}

/** Whether a block does something else with requests than they would come to without it. */
export function diverts({ block }: Directive, isUsed: (variable: string) => boolean): boolean {
  return (block ?? []).some(
    ({ name, args }) =>
      name === "return" ||
      name === "rewrite" ||
      name.endsWith("_pass") ||
      /_by_lua|^js_|^perl/.test(name) ||
      (name === "set" && isUsed((args[0] ?? "").replace(/[${}]/g, "").toLowerCase())),
  );
}

/** The hosts of some that an `if` of the host matches; `null`: it cannot be told. */
export function matchedHosts(directive: Directive, hosts: readonly string[]): readonly string[] | null {
  const [, operator = "", pattern = ""] = /^\$\w+ (!?(?:=|~\*?)) (\S+)$/.exec(conditionText(directive)) ?? [];
  // What a wildcard stands for is not known; a client may write the port, and $http_host has it.
  if (hosts.some((host) => host.includes("*")) || conditionText(directive).startsWith("$http_")) return null;
  const isExpression = operator.includes("~");
  if (isExpression && !/^[\w.^$|()\\-]+$/.test(pattern)) return null;
  try {
    const expression = new RegExp(pattern, operator.includes("*") ? "i" : "");
    const isOthers = operator.startsWith("!");
    return hosts.filter((host) => (isExpression ? expression.test(host) : host === pattern) !== isOthers);
  } catch {
    return null;
  }
}

/** The `if`s that hold in a scope, those around it included. */
export function conditionsOf(scope: Scope): readonly (readonly [Directive, Condition])[] {
  return scope.through("if").map((directive) => [directive, readCondition(directive)]);
}
