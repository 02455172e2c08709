import { Refusal } from "../config/refusal.js";
import { parseExpression } from "../config/values-signing.js";
import { conditionsOf, returnedStatus } from "./conditions.js";
import type { Directive } from "./directive.js";
import { type Findings, reportBlock } from "./findings.js";
import type { Scope } from "./scope.js";
import type { YamlMap } from "./yaml-text.js";

/** The secret is in the expression; it is not written into another file. */
export function readSecureLink(scope: Scope, findings: Findings, lost: string[]): YamlMap | undefined {
  const [link, hash] = [scope.one("secure_link"), scope.one("secure_link_md5")];
  const guards = conditionsOf(scope).filter(([, { kind }]) => kind === "secure-link");
  if (link === undefined && scope.one("secure_link_secret") === undefined) {
    for (const [guard] of guards) reportBlock(guard, findings, null, "nothing gives it a result: it refused all");
    if (guards.length > 0) lost.push("an if of secure_link");
    return undefined;
  }
  const names = /^\$arg_(\w+),\$arg_(\w+)$/.exec(link?.args[0] ?? "");
  const expression = withoutSecret(hash?.args[0] ?? "");
  if (link === undefined || hash === undefined || names === null || expression === null || guards.length === 0) {
    const why =
      guards.length === 0 && link !== undefined
        ? "no if asks for its result"
        : "only $arg_NAME,$arg_NAME and one secret in the expression";
    for (const one of [link, hash, scope.one("secure_link_secret")]) findings.unsupported(one, why);
    if (guards.length > 0 || link === undefined) lost.push("links (secure_link)");
    return undefined;
  }
  findings.taken(link, "allow.links.secureLink");
  findings.approximated(hash, SECURE_LINK);
  for (const [guard] of guards) reportLink(guard, findings);
  const [, md5Parameter = "", expiresParameter = ""] = names;
  return {
    secret: { env: "LINK_SECRET" },
    maxAge: LONGEST_AGE,
    secureLink: { expression, secret: { env: "NGINX_LINK_SECRET" }, md5Parameter, expiresParameter },
  };
}

/** NGINX takes a link for as long as it says. */
const LONGEST_AGE = "3650d";
const SECURE_LINK =
  "allow.links.secureLink.expression: before the start put its secret into the environment as NGINX_LINK_SECRET, and a new one of at least 16 bytes, for links that ossgate makes, as LINK_SECRET; links may last ten years as with NGINX, a shorter allow.links.maxAge is safer";

function reportLink(guard: Directive, findings: Findings): void {
  const status = returnedStatus(guard);
  if (status === null || status === 403)
    reportBlock(guard, findings, "wrong links and those that have expired are answered 403");
  else
    for (const one of [guard, ...(guard.block ?? [])])
      findings.approximated(one, `links are refused with 403, and not with ${status}`);
}

/** The expression with `$secret` for the one text in it; `null`: there are none or several. */
function withoutSecret(expression: string): string | null {
  const parts = expression
    .replaceAll("${", "$")
    .replace(/(\$\w+)\}/g, "$1")
    .split(/(\$\w+)/);
  const texts = parts.filter((part) => !part.startsWith("$") && part.trim() !== "");
  if (texts.length !== 1) return null;
  const [secret = ""] = texts;
  const made = parts.map((part) => (part === secret ? part.replace(secret.trim(), () => "$secret") : part)).join("");
  return parseExpression(made) instanceof Refusal ? null : made;
}
