import { hash, timingSafeEqual } from "node:crypto";
import type { Secret } from "../core/secret.js";
import { hasDotSegment } from "../core/target.js";
import type { SecureLink } from "./link-query.js";
import { EXPIRED, INVALID, type LinkRequest, type LinkVerdict, TOO_LONG_LIVED } from "./link-verdict.js";

export interface SecureLinkOptions {
  /**
   * NGINX's `secure_link_md5`, with `$secret` where the secret belongs: `$secure_link_expires$uri$remote_addr $secret`.
   * Variables: secure_link_expires, uri, remote_addr, host, arg_NAME, secret.
   */
  readonly expression: string;
  readonly secret: Secret;
  readonly maxAgeMs: number;
}

export type CheckSecureLink = (link: SecureLink, request: LinkRequest, nowMs: number) => LinkVerdict;

/** The text that one part of the expression stands for; `null` where there is none, and the link cannot be valid. */
type Part = (link: SecureLink, request: LinkRequest) => string | null;

interface Expression {
  readonly parts: readonly Part[];
  readonly variables: ReadonlySet<string>;
}

const REQUIRED = ["secure_link_expires", "uri", "secret"];
const ARGUMENT_PREFIX = "arg_";
const EXPIRES = /^[0-9]{1,11}$/;
// NGINX's decoder stops at the first `=`.
const MD5_IN_BASE64URL = /^([A-Za-z0-9_-]{22})={0,2}$/;

// Shared: nothing here waits between writing and comparing.
const digestBytes = Buffer.alloc(22);
const givenBytes = Buffer.alloc(22);

/**
 * Compiles NGINX's secure link (ngx_http_secure_link_module, `secure_link $arg_md5,$arg_expires`), for links that an
 * application already issues: the MD5 of the expression in base64url. Like NGINX it reads both parameters undecoded,
 * refuses an expiry that is absent or 0, and still admits during the second of the expiry. Stricter than NGINX, to
 * admit nothing that was not meant:
 * - `$uri` is the decoded path; one that NGINX would rewrite (`//`, `/./`, `/../`) is refused, since it names another key;
 * - GET and HEAD alone, for no such link says a method;
 * - parameters that go upstream must be in the expression, as `$arg_NAME`, and come once, their names unescaped;
 * - an expiry more than `maxAgeMs` ahead is refused.
 *
 * An MD5 over fields without borders is as strong as the expression makes it; our own links are better (link-token.ts).
 * @throws Error with one sentence when the expression has an unknown variable, or lacks one of the three it needs
 */
export function compileSecureLink(options: SecureLinkOptions): CheckSecureLink {
  const { maxAgeMs } = options;
  const expression = compileExpression(options);
  const isBound = expression.variables.has("remote_addr");
  return (link, request, nowMs) => {
    if (link.isMalformed || !isReadOfPlainPath(request) || !isExpires(link.expires)) return INVALID;
    if (!coversParameters(expression.variables, link, request) || !isSigned(expression, link, request)) return INVALID;
    const expiresMs = Number(link.expires) * 1000;
    // NGINX compares whole seconds: expired when the expiry is less than the present one.
    if (expiresMs + 1000 <= nowMs) return EXPIRED;
    if (expiresMs - nowMs > maxAgeMs) return TOO_LONG_LIVED;
    const client = isBound ? request.client : null;
    return { ok: true, expiresSeconds: expiresMs / 1000 + 1, isPrefix: false, path: request.path, scope: null, client };
  };
}

function isReadOfPlainPath({ method, path }: LinkRequest): boolean {
  return (method === "GET" || method === "HEAD") && !path.includes("//") && !hasDotSegment(path);
}

function isExpires(text: string | null): boolean {
  return text !== null && EXPIRES.test(text) && Number(text) > 0;
}

/** Whether each parameter that goes upstream is one that the expression signs, written plainly and once. */
function coversParameters(variables: Expression["variables"], { rest }: SecureLink, request: LinkRequest): boolean {
  const seen = new Set<string>();
  for (const [name] of request.parameters) {
    const lowerName = name.toLowerCase();
    if (seen.has(lowerName) || !variables.has(ARGUMENT_PREFIX + lowerName)) return false;
    if (rawArguments(rest, lowerName).length !== 1) return false;
    seen.add(lowerName);
  }
  return true;
}

function isSigned({ parts }: Expression, link: SecureLink, request: LinkRequest): boolean {
  const given = MD5_IN_BASE64URL.exec(link.md5)?.[1];
  if (given === undefined) return false;
  let text = "";
  for (const part of parts) {
    const value = part(link, request);
    if (value === null) return false;
    text += value;
  }
  givenBytes.write(given, "latin1");
  digestBytes.write(hash("md5", text, "base64url"), "latin1");
  return timingSafeEqual(givenBytes, digestBytes);
}

function compileExpression({ expression, secret }: SecureLinkOptions): Expression {
  const parts: Part[] = [];
  const variables = new Set<string>();
  // Split with a group, the names of the variables are every second piece.
  for (const [index, piece] of expression.split(/\$(\w*)/).entries()) {
    if (index % 2 === 0) {
      parts.push(() => piece);
      continue;
    }
    const name = piece.toLowerCase();
    variables.add(name);
    parts.push(compileVariable(name, secret));
  }
  for (const name of REQUIRED) {
    if (!variables.has(name)) throw new Error(`The secure link's expression must contain $${name}.`);
  }
  return { parts, variables };
}

function compileVariable(name: string, secret: Secret): Part {
  switch (name) {
    case "secure_link_expires":
      return (link) => link.expires;
    case "uri":
      return (_link, request) => request.path;
    case "remote_addr":
      return (_link, request) => (request.client === "" ? null : request.client);
    case "host":
      return (_link, request) => request.host;
    case "secret":
      return () => secret.reveal();
  }
  if (name.startsWith(ARGUMENT_PREFIX) && name !== ARGUMENT_PREFIX) {
    return compileArgument(name.slice(ARGUMENT_PREFIX.length));
  }
  throw new Error(
    `The secure link's expression contains $${name}. It may use $secure_link_expires, $uri, $remote_addr, $host, $arg_NAME and $secret.`,
  );
}

/** NGINX would take the first of repeated arguments, OSS another perhaps. */
function compileArgument(lowerName: string): Part {
  return ({ rest }) => {
    const values = rawArguments(rest, lowerName);
    return values.length > 1 ? null : (values[0] ?? "");
  };
}

/** NGINX's `$arg_NAME`: undecoded values of the parameter, whose undecoded name is compared without case. */
function rawArguments(rawQuery: string, lowerName: string): readonly string[] {
  const values: string[] = [];
  for (const segment of rawQuery.split("&")) {
    const equals = segment.indexOf("=");
    // As in NGINX, a name without `=` is no argument.
    if (equals !== -1 && segment.slice(0, equals).toLowerCase() === lowerName) values.push(segment.slice(equals + 1));
  }
  return values;
}
