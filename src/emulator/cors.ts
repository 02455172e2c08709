import { actualHeaders, type CorsMatch, type CorsRule, corsRuleProblem, preflightHeaders } from "../policy/cors.js";
import { emptyAnswer, isRefusal, NO_CONTENT, type Outcome, xmlAnswer } from "./answer.js";
import { readAll } from "./body.js";
import { type CorsConfiguration, makeCors } from "./cors-configuration.js";
import { type Refusal, refuse } from "./errors.js";
import { type Exchange, requestHeader } from "./exchange.js";
import { digestProblem, lengthProblem } from "./ingest.js";
import { parseCount } from "./query.js";
import { childOf, container, element, parseXml, type XmlNode, xmlDocument } from "./xml.js";

const MAX_CORS_RULES = 20;
const MAX_CONFIGURATION_BYTES = 16 * 1024;
const MAX_AGE_SECONDS = 999_999_999;

/** OPTIONS (oss-semantics §6.3): unauthenticated, and not about whether the object exists. */
export function preflight(exchange: Exchange): Outcome {
  const origin = requestHeader(exchange, "origin");
  if (origin === undefined) return insufficient("Origin request header");
  const method = requestHeader(exchange, "access-control-request-method");
  if (method === undefined) return insufficient("Request Access-Control-Request-Method header");
  const asked = { origin, method, requestHeaders: requestHeader(exchange, "access-control-request-headers") };
  const match = exchange.bucket.cors?.match(asked) ?? null;
  return match === null ? refuse("AccessForbidden") : emptyAnswer(200, preflightHeaders(match, asked));
}

function insufficient(what: string): Refusal {
  return refuse("BadRequest", { message: `Insufficient information. ${what} needed.` });
}

/** Adds to the answer of an actual request what the bucket's rules say to its origin (oss-semantics §6.4). */
export function withCors(outcome: Outcome, exchange: Exchange): Outcome {
  const match = matchActual(exchange);
  return match === null ? outcome : { ...outcome, headers: [...outcome.headers, ...actualHeaders(match)] };
}

function matchActual(exchange: Exchange): CorsMatch | null {
  const { method } = exchange.arrival;
  const origin = requestHeader(exchange, "origin");
  if (origin === undefined || method === "OPTIONS") return null;
  return exchange.bucket.cors?.match({ origin, method, requestHeaders: undefined }) ?? null;
}

/** Adds `Vary: Origin` to an answer of a bucket whose configuration says so (oss-semantics §6.4). */
export function withVary(outcome: Outcome, cors: CorsConfiguration | null): Outcome {
  return cors?.responseVary ? { ...outcome, headers: [...outcome.headers, "Vary", "Origin"] } : outcome;
}

/** GetBucketCors. */
export function getBucketCors({ bucket: { cors } }: Exchange): Outcome {
  if (cors === null) return refuse("NoSuchCORSConfiguration");
  const vary = element("ResponseVary", cors.responseVary);
  return xmlAnswer(xmlDocument("CORSConfiguration", ...cors.rules.map(renderRule), vary));
}

function renderRule(rule: CorsRule): string {
  return container(
    "CORSRule",
    ...rule.allowedOrigins.map((origin) => element("AllowedOrigin", origin)),
    ...rule.allowedMethods.map((method) => element("AllowedMethod", method)),
    ...rule.allowedHeaders.map((name) => element("AllowedHeader", name)),
    ...rule.exposeHeaders.map((name) => element("ExposeHeader", name)),
    ...(rule.maxAgeSeconds === null ? [] : [element("MaxAgeSeconds", rule.maxAgeSeconds)]),
  );
}

/** DeleteBucketCors. */
export function deleteBucketCors({ bucket }: Exchange): Outcome {
  bucket.cors = null;
  return NO_CONTENT;
}

/** PutBucketCors: overwrites what there was (oss-semantics §6.1). */
export async function putBucketCors(exchange: Exchange): Promise<Outcome> {
  const refused = lengthProblem(exchange.headers);
  if (refused !== null) return refused;
  const received = await exchange.arrival.receiveBody({ maxBytes: MAX_CONFIGURATION_BYTES });
  if (isRefusal(received)) return received;
  const mismatch = digestProblem(exchange.headers, received);
  if (mismatch !== null) return mismatch;
  const cors = parseConfiguration(received.body === null ? "" : readAll(received.body).toString());
  if (isRefusal(cors)) return cors;
  exchange.bucket.cors = cors;
  return emptyAnswer(200);
}

function parseConfiguration(xml: string): CorsConfiguration | Refusal {
  const root = parseXml(xml);
  if (root === null || root.name !== "CORSConfiguration") return refuse("MalformedXML");
  const rules = root.children.filter(({ name }) => name === "CORSRule").map(parseRule);
  if (rules.length > MAX_CORS_RULES) return refuse("CORSRuleBeyondLimit");
  if (rules.length === 0 || !rules.every((rule) => rule !== null)) return refuse("MalformedXML");
  return makeCors(rules, childOf(root, "ResponseVary")?.text.trim() === "true");
}

function parseRule(node: XmlNode): CorsRule | null {
  const texts = (name: string): string[] =>
    node.children.filter((child) => child.name === name).map(({ text }) => text.trim());
  const maxAge = childOf(node, "MaxAgeSeconds")?.text.trim();
  const maxAgeSeconds = maxAge === undefined ? null : parseCount(maxAge, 0, MAX_AGE_SECONDS);
  if (maxAge !== undefined && maxAgeSeconds === null) return null;
  const rule: CorsRule = {
    allowedOrigins: texts("AllowedOrigin"),
    allowedMethods: texts("AllowedMethod"),
    allowedHeaders: texts("AllowedHeader"),
    exposeHeaders: texts("ExposeHeader"),
    maxAgeSeconds,
  };
  return corsRuleProblem(rule) === null ? rule : null;
}
