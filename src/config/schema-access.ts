import { parseCidr } from "./cidr.js";
import { duration, listOf, mapOf, textLeaf, yesOrNo } from "./leaves.js";
import { optional, required, withDefault } from "./schema-keys.js";
import { secretRef } from "./secret-ref.js";
import * as values from "./values-signing.js";

/** Who may use a route: `allow` and `deny`. */

const network = () =>
  textLeaf({
    type: "network",
    expected: "a network such as 203.0.113.0/24 or 2001:db8::/32, or an address",
    parse: parseCidr,
    pattern: /^[0-9A-Fa-f:.]+(\/\d+)?$/,
  });

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

export const allowSchema = mapOf({
  anyone: withDefault(yesOrNo(), false, "Everybody, said out loud; then it is the only member."),
  clients: optional(
    listOf(network(), "networks or addresses", 1),
    "no member",
    "Networks and addresses of clients that may use the route.",
    ["203.0.113.0/24", "2001:db8::/32"],
  ),
  links: optional(links, "no member", "Links that the gateway's own secret signed (`ossgate sign`, `POST /sign`).", {
    secret: { env: "LINK_SECRET" },
  }),
  signatures: withDefault(yesOrNo(), false, "Requests whose OSS signature is good. Needs `clientSignatures: verify`."),
});

export const denySchema = mapOf({
  clients: withDefault(
    listOf(network(), "networks or addresses"),
    [],
    "Networks and addresses of clients that may never use the route, whatever `allow` says.",
    ["203.0.113.66"],
  ),
});
