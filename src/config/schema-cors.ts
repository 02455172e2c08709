import { duration, listOf, mapOf, oneOf, textLeaf, yesOrNo } from "./leaves.js";
import { optional, required, withDefault } from "./schema-keys.js";
import * as values from "./values-policies.js";

/** `routes[].cors`: OSS's CORS rules (oss-semantics §6.1). */

const METHODS = ["GET", "PUT", "DELETE", "POST", "HEAD"] as const;

function methodHint(input: string): string {
  return input.toUpperCase() === "OPTIONS"
    ? "Preflights are answered in any case; name the methods that they ask for."
    : "";
}

const rule = mapOf({
  allowedOrigins: required(
    listOf(textLeaf({ type: "origin", expected: values.ORIGIN_EXPECTED, parse: values.parseOrigin }), "origins", 1),
    "Origins of pages, with at most one `*` each; scheme, host and port count. `null` is the origin of sandboxed pages.",
    ["https://www.example.com"],
  ),
  allowedMethods: required(listOf(oneOf(METHODS, { hint: methodHint }), "methods", 1), "What pages may ask with.", [
    "GET",
    "HEAD",
  ]),
  allowedHeaders: withDefault(
    listOf(
      textLeaf({ type: "header name", expected: values.CORS_HEADER_EXPECTED, parse: values.parseCorsHeader }),
      "header names",
    ),
    [],
    "Request headers that pages may set, with at most one `*` each.",
    ["*"],
  ),
  exposeHeaders: withDefault(
    listOf(
      textLeaf({ type: "header name", expected: values.EXPOSED_EXPECTED, parse: values.parseExposedHeader }),
      "header names",
    ),
    [],
    "Response headers that pages may read besides the simple ones.",
    ["ETag", "x-oss-request-id"],
  ),
  maxAge: optional(
    duration({ min: "0s", max: "24h", example: "10m" }),
    "what the browser takes",
    "How long a browser may remember the answer to a preflight; in whole seconds.",
    "10m",
  ),
});

export const corsSchema = mapOf({
  rules: required(
    listOf(rule, "rules", 1).max(20, { error: "at most 20 rules, as many as OSS has" }),
    "The first rule that matches in full decides.",
  ),
  allowCredentials: withDefault(
    yesOrNo(),
    false,
    "Whether pages may send cookies and passwords (`Access-Control-Allow-Credentials`), which OSS itself never allows. Not together with origins that anybody can have.",
  ),
  allowPrivateNetwork: withDefault(
    yesOrNo(),
    false,
    "Whether pages of public sites may ask a gateway in a private network (`Access-Control-Allow-Private-Network`).",
  ),
  responseVary: withDefault(
    yesOrNo(),
    false,
    "`Vary: Origin` on every answer, also where no rule makes it depend on the origin.",
  ),
});
