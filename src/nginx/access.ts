import { parseCidr } from "../config/cidr.js";
import { Refusal } from "../config/refusal.js";
import { parseAuthUrl, parseRealm } from "../config/values-policies.js";
import { type Condition, conditionsOf, diverts, matchedHosts, returnedStatus } from "./conditions.js";
import type { Directive } from "./directive.js";
import { type Findings, reportBlock } from "./findings.js";
import type { Scope } from "./scope.js";
import { readSecureLink } from "./secure-link.js";
import type { Yaml, YamlMap } from "./yaml-text.js";

/** Who may use a route. */
export interface Access {
  readonly allow: YamlMap | undefined;
  readonly satisfy: string | undefined;
  readonly denied: readonly string[];
  /** What NGINX asked for that cannot be asked for here; the route must be closed then. */
  readonly lost: readonly string[];
}

export const EVERYBODY = ["0.0.0.0/0", "::/0"];

/** Of which `proxies` are believed, everywhere. */
export type AddressInput = Pick<AccessInput, "scope" | "proxies">;

export interface AccessInput {
  readonly scope: Scope;
  readonly hosts: readonly string[];
  /** The redirect to https that its routes do. */
  readonly redirect: Directive | null;
  /** The URL behind a location of the same server that `auth_request` names; `null`: it cannot be known. */
  readonly findLocation: (uri: string) => string | null;
  /** Whether a variable decides where requests go. */
  readonly isUsed: (variable: string) => boolean;
  /** All of `trustedProxies`, which hold for every server here. */
  readonly proxies: ReadonlySet<string>;
}

export function readAccess(input: AccessInput, findings: Findings): Access {
  const { scope, findLocation } = input;
  const lost: string[] = [];
  const clients = readClients(scope, findings, lost);
  if (clients.isJudged && !isAddressKnown(input))
    lost.push("the client's address, which is not known as NGINX knew it");
  const members = {
    clients: clients.allowed.length === 0 ? undefined : clients.allowed,
    links: readSecureLink(scope, findings, lost),
    basic: readBasic(scope, findings, lost),
    forwardAuth: readAuthRequest(scope, findings, lost, findLocation),
    certificates: readCertificates(scope, findings),
  };
  reportLostGuards(input, findings, lost);
  const count = Object.values(members).filter((member) => member !== undefined).length;
  const satisfy = scope.one("satisfy");
  const isAny = count > 1 && satisfy?.args[0] === "any";
  // An `if` is asked in any case; one member of an `any` need not be.
  const isAsked = members.links !== undefined || members.certificates !== undefined;
  const others = [members.clients, members.basic, members.forwardAuth].filter((member) => member !== undefined);
  if (isAny && isAsked && others.length > 1) lost.push("satisfy any beside an if");
  findings.taken(satisfy, count > 1 ? "routes[].satisfy" : "there is only one thing to satisfy");
  return {
    allow: count === 0 ? undefined : members,
    satisfy: count > 1 ? (isAny && !isAsked ? "any" : "all") : undefined,
    denied: clients.denied,
    lost,
  };
}

interface Clients {
  readonly allowed: readonly string[];
  readonly denied: readonly string[];
  /** Some addresses may, and some may not. */
  readonly isJudged: boolean;
}

/** Whether proxies say it as they do here, and the same ones are believed. */
export function isAddressKnown({ scope, proxies }: AddressInput): boolean {
  const trusted = scope.all("set_real_ip_from").map(({ args }) => parseCidr(args[0] ?? ""));
  if (trusted.length === 0) return proxies.size === 0;
  const header = (scope.one("real_ip_header")?.args[0] ?? "X-Real-IP").toLowerCase();
  if (!/^(?:x-forwarded-for|proxy_protocol)$/.test(header)) return false;
  const known = trusted.filter((network) => typeof network === "string");
  const isSame = new Set(known).size === proxies.size && known.every((network) => proxies.has(network));
  return known.length === trusted.length && isSame;
}

/** `allow` and `deny`, of which the first that matches decides; here what is denied is denied before all else. */
function readClients(scope: Scope, findings: Findings, lost: string[]): Clients {
  const rules = innermost(scope, new Set(["allow", "deny"]));
  const allowed: string[] = [];
  const denied: string[] = [];
  let isClosed = false;
  for (const rule of rules) {
    const [text = ""] = rule.args;
    if (text === "all") {
      if (rule.name === "deny") isClosed = true;
      findings.taken(rule, rule.name === "deny" ? "allow.clients names who may" : "everybody else may");
      break;
    }
    const network = parseCidr(text);
    if (network instanceof Refusal) {
      findings.unsupported(rule, text === "unix:" ? "no unix sockets" : `${text} is no network`);
      if (rule.name === "deny") lost.push(`deny ${text}`);
      continue;
    }
    if (rule.name === "allow") allowed.push(network);
    else denied.push(network);
    if (rule.name === "deny" && allowed.length > 0)
      findings.approximated(rule, "routes[].deny.clients, which is decided first, whatever is allowed");
    else
      findings.taken(
        rule,
        rule.name === "allow" && !rules.some(isDenyAll)
          ? "everybody else may as well"
          : `routes[].${rule.name}.clients`,
      );
  }
  if (!isClosed) return { allowed: [], denied: [...new Set(denied)], isJudged: denied.length > 0 };
  return allowed.length === 0
    ? { allowed, denied: EVERYBODY, isJudged: false }
    : { allowed: [...new Set(allowed)], denied: [...new Set(denied)], isJudged: true };
}

const isDenyAll = ({ name, args }: Directive): boolean => name === "deny" && args[0] === "all";

/** Directives that are inherited together: those of the innermost level that has any of them. */
function innermost(scope: Scope, names: ReadonlySet<string>): readonly Directive[] {
  const own = scope.directives.filter(({ name }) => names.has(name));
  return own.length > 0 || scope.outer === null ? own : innermost(scope.outer, names);
}

function readBasic(scope: Scope, findings: Findings, lost: string[]): YamlMap | undefined {
  const realm = scope.one("auth_basic");
  if (realm === undefined) return undefined;
  if (realm.args[0] === "off") {
    findings.taken(realm, "nothing to write");
    return undefined;
  }
  const file = scope.one("auth_basic_user_file");
  const path = file?.args[0];
  if (file === undefined || path === undefined || path.includes("$")) {
    findings.unsupported(file ?? realm, "the file of passwords must be one path");
    lost.push("a password (auth_basic)");
    return undefined;
  }
  findings.approximated(file, "allow.basic.file; only bcrypt hashes are taken: make them with htpasswd -B");
  const name = realm.args[0] ?? "";
  const isRealm = typeof parseRealm(name) === "string";
  if (isRealm) findings.taken(realm, "allow.basic.realm");
  else findings.approximated(realm, "allow.basic with another realm: printable ASCII without quotes");
  return { file: path, realm: isRealm ? name : undefined };
}

function readAuthRequest(
  scope: Scope,
  findings: Findings,
  lost: string[],
  findLocation: (uri: string) => string | null,
): YamlMap | undefined {
  const directive = scope.one("auth_request");
  const [uri = "off"] = directive?.args ?? [];
  if (directive === undefined || uri === "off") {
    findings.taken(directive, "nothing to write");
    return undefined;
  }
  const url = findLocation(uri);
  if (url === null || parseAuthUrl(url) instanceof Refusal) {
    findings.unsupported(directive, "write the URL of the service into allow.forwardAuth.url");
    lost.push("the service that auth_request asks");
    return undefined;
  }
  findings.approximated(
    directive,
    "allow.forwardAuth; the service is sent X-Forwarded-Method, -Proto, -Host, -Uri and -For instead of the request's own line and headers",
  );
  for (const set of scope.all("auth_request_set"))
    findings.unsupported(set, "answers of the service say yes or no, and set nothing");
  return { url };
}

/** `$ssl_client_verify` asked by an `if`; where TLS itself asks, nobody gets as far as a route. */
function readCertificates(scope: Scope, findings: Findings): readonly string[] | undefined {
  const guard = conditionsOf(scope).find(([, { kind }]) => kind === "client-certificate");
  if (guard === undefined) return undefined;
  reportBlock(guard[0], findings, 'allow.certificates: ["*"]');
  return ["*"];
}

/** Guards that nothing here stands for. */
const FOREIGN =
  /^(?:\w*(?:access|rewrite|set)_by_lua\w*|auth_(?!basic$|basic_user_file$|request$|request_set$|delay$)\w+|js_access|js_set|perl\w*|modsecurity(?:enabled)?|app_protect_enable|waf|secure_download|akamai_token_validate|shib_request|accesskey|roboo|geoip2?\w*|internal|naxsi\w*|SecRulesEnabled|testcookie|hmac_secure_link\w*|aws_\w+|ldap_\w+)$/i;

function reportLostGuards(input: AccessInput, findings: Findings, lost: string[]): void {
  const { scope, redirect } = input;
  for (let level: Scope | null = scope; level !== null; level = level.outer) {
    for (const directive of level.directives) {
      if (isUnread(directive)) {
        findings.unsupported(directive, `${directive.args[1]}; the routes that it may have guarded are closed`);
        lost.push(`${directive.args[0]}, which cannot be read`);
      }
      if (!FOREIGN.test(directive.name) || directive.args[0] === "off") continue;
      findings.unsupported(directive, "who passed it is not known here: the route is closed until allow says who may");
      lost.push(directive.name);
    }
  }
  const method = scope.one("proxy_method");
  if (method !== undefined && method.args[0] !== "$request_method") {
    findings.unsupported(method, "requests are passed on with the method that they have: the route is closed");
    lost.push("another method at OSS (proxy_method)");
  }
  for (const directive of scope.through("return")) {
    if (directive === redirect) continue;
    findings.unsupported(directive, "every request was answered with this: the route is closed");
    lost.push("a return");
  }
  for (const directive of scope.own("try_files")) {
    findings.unsupported(directive, "only what is a file of this machine passed: the route is closed");
    lost.push("try_files");
  }
  for (const [guard, { kind }] of conditionsOf(scope)) {
    if (!diverts(guard, input.isUsed) || isTakenElsewhere(guard, kind, redirect)) continue;
    if (kind === "host" || kind === "other-hosts") {
      const matched = matchedHosts(guard, input.hosts);
      if (matched !== null && matched.length === 0) {
        reportBlock(guard, findings, "nothing to write: no host of its routes is one of these");
        continue;
      }
    }
    reportBlock(guard, findings, null, NOT_TOLD);
    lost.push("an if that sends requests elsewhere or refuses them");
  }
}

/** What is known to guard nothing: types, parameters of backends, TLS. */
const HARMLESS = /(?:mime\.types|_params|modules-enabled.*|options-ssl-nginx\.conf|ssl[-_]params\.conf)$/;

/** A file that could not be read: whether it guards something is not known. */
function isUnread({ name, args }: Directive): boolean {
  return name === "include" && args[1] !== undefined && !HARMLESS.test(args[0] ?? "");
}

const NOT_TOLD =
  "what this refused or sent elsewhere cannot be told here: the route is closed until allow or deny says who may";

/** Whether another part of the conversion does what an `if` did. */
function isTakenElsewhere(guard: Directive, kind: Condition["kind"], redirect: Directive | null): boolean {
  const status = returnedStatus(guard);
  if (redirect !== null && guard.block?.includes(redirect) === true) return true;
  if (kind === "preflight") return status !== null;
  if (kind === "methods") return status !== null && status >= 400;
  return kind === "referer" || kind === "secure-link" || kind === "client-certificate";
}

const GUARDS: ReadonlySet<string> = new Set([
  "allow",
  "deny",
  "auth_basic",
  "auth_request",
  "secure_link",
  "secure_link_secret",
  "valid_referers",
  "internal",
  "return",
  "rewrite",
  "limit_except",
  "if",
]);

/** Whether a level itself says who may pass, in whatever way. */
export function isGuarded({ directives }: Scope): boolean {
  return directives.some((directive) => {
    const { name, args } = directive;
    if (args[0] === "off" || (name === "allow" && args[0] === "all")) return false;
    return GUARDS.has(name) || FOREIGN.test(name) || isUnread(directive);
  });
}

/** `deny` of a route, closed where something was lost. */
export function denyOf({ denied, lost }: Access): { readonly clients: Yaml } | undefined {
  if (lost.length > 0) return { clients: EVERYBODY };
  return denied.length === 0 ? undefined : { clients: denied };
}
