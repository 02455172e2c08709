import { conditionsOf } from "./conditions.js";
import type { Directive } from "./directive.js";
import type { Scope } from "./scope.js";

/** `return 301 https://$host$request_uri` and its kin. */
export interface Redirect {
  readonly directive: Directive;
  readonly port: number | undefined;
  /** Where it says one of its own; `null`: the client's. */
  readonly host: string | null;
  readonly isPermanent: boolean;
}

const TARGET =
  /^https:\/\/(?:\$\{?(?:host|http_host|server_name)\}?|([a-z0-9.-]+))(?::(\d{1,5}))?(?:\/?\$\{?(?:request_uri|uri|1)\}?(?:\$is_args\$args)?\??|\/?)$/i;

/** The redirect to https that a scope makes of every request, of those over plain HTTP or, as certbot writes it, of a host; `null`: none. */
export function readRedirect(scope: Scope): Redirect | null {
  for (const [guard, { kind }] of conditionsOf(scope)) {
    const inner = kind === "plain-http" || kind === "host" ? redirectIn(guard.block ?? []) : null;
    if (inner !== null) return inner;
  }
  return redirectIn(scope.directives);
}

/** The redirect of requests over plain HTTP, by an `if`, to the host that they asked for. */
export function readPlainRedirect(scope: Scope, hosts: readonly string[]): Redirect | null {
  for (const [guard, { kind }] of conditionsOf(scope)) {
    const inner = kind === "plain-http" ? redirectIn(guard.block ?? []) : null;
    if (inner !== null && (inner.host === null || hosts.every((host) => host === inner.host))) return inner;
  }
  return null;
}

/** Whether NGINX sent every request of a scope elsewhere, or those over plain HTTP. */
export function isSentToHttps(scope: Scope): boolean {
  const outer = scope.outer === null ? false : redirectIn(scope.outer.directives) !== null;
  return outer || readRedirect(scope) !== null || (scope.outer !== null && isSentToHttps(scope.outer));
}

function redirectIn(directives: readonly Directive[]): Redirect | null {
  for (const directive of directives) {
    const { name, args } = directive;
    const isReturn = name === "return" && args.length > 0;
    const isRewrite = name === "rewrite" && /^\^?(?:\/?\(\.[*+]\)\$?|\/?)$/.test(args[0] ?? "");
    if (!isReturn && !isRewrite) continue;
    const match = TARGET.exec(args.find((argument) => argument.startsWith("https://")) ?? "");
    if (match === null) continue;
    const isPermanent = args[0] === "301" || args[0] === "308" || args[2] === "permanent";
    return {
      directive,
      host: match[1] ?? null,
      port: match[2] === undefined ? undefined : Number(match[2]),
      isPermanent,
    };
  }
  return null;
}
