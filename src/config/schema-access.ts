import { parseCidr } from "./cidr.js";
import { duration, listOf, mapOf, textLeaf, yesOrNo } from "./leaves.js";
import { Refusal } from "./refusal.js";
import { optional, required, withDefault } from "./schema-keys.js";
import { secretRef } from "./secret-ref.js";
import { parseFilePath, parsePemPath } from "./values.js";
import * as policies from "./values-policies.js";
import * as values from "./values-signing.js";

/** Who may use a route: `allow` and `deny`. */

const NETWORK_EXPECTED = "a network such as 203.0.113.0/24 or 2001:db8::/32, or an address";

/**
 * A CIDR or a single address.
 * @param everybody what to write instead of NGINX's `all`
 */
export const network = (everybody: string) =>
  textLeaf({
    type: "network",
    expected: NETWORK_EXPECTED,
    parse: (text) => (meansEverybody(text) ? new Refusal(NETWORK_EXPECTED, everybody) : parseCidr(text)),
    pattern: /^[0-9A-Fa-f:.]+(\/\d+)?$/,
  });

const meansEverybody = (text: string): boolean => /^(?:all|any|anyone|everyone|\*)$/i.test(text);

const EVERYBODY_ALLOWED = "For everybody write anyone: true instead of clients.";
const EVERYBODY_DENIED = 'For everybody write 0.0.0.0/0 and "::/0".';

const FILE_EXPECTED = "the path of a file of names and password hashes";

const parameterName = () =>
  textLeaf({
    type: "parameter name",
    expected: "the name of a query parameter such as md5",
    parse: values.parseParameterName,
  });

const secureLink = mapOf({
  expression: required(
    textLeaf({ type: "text", expected: values.EXPRESSION_EXPECTED, parse: values.parseExpression }),
    "What is hashed, as in NGINX; `$secret` stands for the secret. Variables: `$secure_link_expires` and `$uri` (both needed), `$remote_addr`, `$host`, `$arg_NAME`.",
    "$secure_link_expires$uri$remote_addr $secret",
  ),
  secret: required(secretRef(), "The secret that NGINX had in its expression.", { env: "NGINX_LINK_SECRET" }),
  md5Parameter: withDefault(parameterName(), "md5", "The query parameter that has the hash."),
  expiresParameter: withDefault(parameterName(), "expires", "The query parameter that has the Unix time of the end."),
});

/** Of `allow.links`, when it is not written. */
export const DEFAULT_MAX_AGE = "12h";

const links = mapOf({
  secret: required(
    secretRef(),
    "The secret that signs and checks links, at least 16 bytes. The relative path of a file begins at the working directory, here as everywhere.",
    { env: "LINK_SECRET" },
  ),
  previousSecrets: withDefault(
    listOf(secretRef(), "secrets, each { env: NAME } or { file: PATH }"),
    [],
    "Secrets that only check: those of before a rotation.",
    [{ env: "OLD_LINK_SECRET" }],
  ),
  maxAge: withDefault(
    duration({ min: "1s", max: "3650d", example: "12h" }),
    DEFAULT_MAX_AGE,
    "A link that expires later than this from now is refused, however it was signed.",
  ),
  secureLink: optional(secureLink, "refused", "Takes links of NGINX's `secure_link_md5` too, for those who migrate.", {
    expression: "$secure_link_expires$uri $secret",
    secret: { env: "NGINX_LINK_SECRET" },
  }),
});

const basicKeys = {
  file: required(
    textLeaf({ type: "path", expected: FILE_EXPECTED, parse: parseFilePath(FILE_EXPECTED) }),
    "Names and bcrypt hashes as `htpasswd -B` writes them. A relative path begins at the working directory.",
    "/etc/ossgate/users.htpasswd",
  ),
  realm: withDefault(
    textLeaf({ type: "text", expected: policies.REALM_EXPECTED, parse: policies.parseRealm }),
    "ossgate",
    "What browsers show when they ask for the password.",
  ),
};

// Repeats nothing of what stands there: it may be a name and its password.
const basic = mapOf(basicKeys, (input) => (typeof input === "string" ? "Write the path as { file: … }." : ""));

const forwardAuthKeys = {
  url: required(
    textLeaf({
      type: "URL",
      expected: policies.AUTH_URL_EXPECTED,
      parse: policies.parseAuthUrl,
      pattern: /^https?:\/\/[^#@]+$/,
    }),
    "The service, with its path and query. It is sent a GET with `X-Forwarded-Method`, `-Proto`, `-Host`, `-Uri` and `-For`.",
    "http://127.0.0.1:9000/auth",
  ),
  requestHeaders: withDefault(
    listOf(
      textLeaf({ type: "header name", expected: policies.ASKED_EXPECTED, parse: policies.parseAskedHeader }),
      "header names",
    ),
    ["authorization", "cookie"],
    "Headers of the client that the service is sent.",
  ),
  timeout: withDefault(
    duration({ min: "50ms", max: "30s", example: "2s" }),
    "2s",
    "How long the service may take; longer is answered 503.",
  ),
  cache: withDefault(
    duration({ min: "0s", max: "1h", example: "10s" }),
    "0s",
    "How long a yes holds for the same route, method, host, target, client and `requestHeaders`; `0s` asks each time.",
    "10s",
  ),
  caFile: optional(
    textLeaf({ type: "path", expected: "the path of a PEM file", parse: parsePemPath }),
    "none",
    "A PEM file of authorities that are trusted for this service, besides those that Node trusts.",
    "/etc/ossgate/tls/private-ca.pem",
  ),
};

const forwardAuth = mapOf(forwardAuthKeys, (input) =>
  typeof input === "string" ? "Write the URL as { url: … }." : "",
);

const allowKeys = {
  anyone: withDefault(yesOrNo(), false, "Everybody, said out loud; then it is the only member."),
  clients: optional(
    listOf(network(EVERYBODY_ALLOWED), "networks or addresses", 1),
    "no member",
    "Networks and addresses of clients that may use the route.",
    ["203.0.113.0/24", "2001:db8::/32"],
  ),
  links: optional(links, "no member", "Links that the gateway's own secret signed (`ossgate sign`, `POST /sign`).", {
    secret: { env: "LINK_SECRET" },
  }),
  signatures: withDefault(yesOrNo(), false, "Requests whose OSS signature is good. Needs `clientSignatures: verify`."),
  basic: optional(basic, "no member", "Names and passwords of a file (RFC 7617).", {
    file: "/etc/ossgate/users.htpasswd",
  }),
  forwardAuth: optional(forwardAuth, "no member", "An HTTP service that is asked: 2xx lets the request pass.", {
    url: "http://127.0.0.1:9000/auth",
  }),
  certificates: optional(
    listOf(
      textLeaf({ type: "subject", expected: policies.SUBJECT_EXPECTED, parse: policies.parseSubject }),
      "subjects of client certificates",
      1,
    ),
    "no member",
    'Client certificates of `tls.clientCaFile`, by their subject: all that is written must stand in it, and `"*"` takes each.',
    ["CN=partner.example.com"],
  ),
};

export const allowSchema = mapOf(allowKeys, (input) => clientsHint(input, "{ anyone: true }"));

const denyKeys = {
  clients: withDefault(
    listOf(network(EVERYBODY_DENIED), "networks or addresses"),
    [],
    "Networks and addresses of clients that may never use the route, whatever `allow` says.",
    ["203.0.113.66"],
  ),
  paths: withDefault(
    listOf(
      textLeaf({ type: "expression", expected: policies.PATTERN_EXPECTED, parse: policies.parsePathPattern }),
      "expressions",
    ),
    [],
    "RE2 expressions that are searched for in the decoded path; where one is found, nobody may use the route. `/\\.` is every name that begins with a dot, `(?i)\\.(php|asp)$` leaves the case out. Repeated slashes are also read as one, and a raw `+` as a space. Copy sources and symlink targets in headers are searched too; keys in bodies (DeleteMultipleObjects, forms) are not. Up to ten cost microseconds, a hundred milliseconds on long paths.",
    ["/\\."],
  ),
};

export const denySchema = mapOf(denyKeys, (input) => clientsHint(input, '{ clients: [0.0.0.0/0, "::/0"] }'));

/** NGINX's `allow` and `deny` are addresses alone. */
function clientsHint(input: unknown, everybody: string): string {
  if (typeof input === "string" && meansEverybody(input)) return `Write ${everybody}.`;
  return Array.isArray(input) || typeof input === "string" ? "Write addresses as { clients: […] }." : "";
}
