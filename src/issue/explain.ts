import { splitTarget } from "../core/target.js";
import { enc, parseQuery, queryValue } from "../signing/canonical.js";
import { isoExtended } from "../signing/time.js";
import type { QueryPairs, SigningInput } from "../signing/types.js";
import * as v1 from "../signing/v1.js";
import * as v4 from "../signing/v4.js";
import type { IssuedLink } from "./link.js";
import type { PresignedUrl } from "./presign.js";

/**
 * What was signed, line by line, for whoever compares it with the strings that OSS's error documents show. The token of
 * temporary credentials is masked, and the middle of the AccessKey id.
 */
export function explain(issued: IssuedLink | PresignedUrl): string {
  if (issued.kind === "link") return explainLink(issued);
  const query = parseQuery(splitTarget(issued.url).rawQuery);
  const text = issued.version === "v1" ? explainV1(issued.signed, query) : explainV4(issued.signed, query);
  return maskAll(text, query);
}

function explainLink({ route, path, isPrefix, method, client, expiresSeconds }: IssuedLink): string {
  const rows = [
    ["route", route],
    [isPrefix ? "everything below" : "path", path],
    ["method", method === "GET" ? "GET, and HEAD with it" : method],
    ["client", client ?? "any"],
    ["expires", isoExtended(expiresSeconds * 1_000)],
  ];
  return `a link of this gateway, signed HMAC-SHA-256\n${rows.map(([name, value]) => `  ${name}: ${value}\n`).join("")}`;
}

function explainV1(signed: SigningInput, query: QueryPairs): string {
  const token = queryValue(query, "security-token");
  const added: QueryPairs = token === undefined ? [] : [["security-token", token]];
  const input = { ...signed, query: [...signed.query, ...added] };
  return block("string to sign (V1)", v1.stringToSign(input, queryValue(query, "Expires") ?? ""));
}

function explainV4(signed: SigningInput, query: QueryPairs): string {
  const input = { ...signed, query: query.filter(([name]) => name !== "x-oss-signature") };
  const canonicalRequest = v4.canonicalRequest(input, []);
  const timestamp = queryValue(query, "x-oss-date") ?? "";
  const [, date8 = "", region = "", product = ""] = (queryValue(query, "x-oss-credential") ?? "").split("/");
  const stringToSign = v4.stringToSign(timestamp, { date8, region, product }, canonicalRequest);
  return `${block("canonical request (V4)", canonicalRequest)}${block("string to sign (V4)", stringToSign)}`;
}

/** Each line behind a bar, since empty ones count. */
function block(title: string, text: string): string {
  return `${title}\n${text
    .split("\n")
    .map((line) => `  | ${line}`.trimEnd())
    .join("\n")}\n`;
}

function maskAll(text: string, query: QueryPairs): string {
  const token = queryValue(query, "security-token") ?? queryValue(query, "x-oss-security-token") ?? "";
  const id = queryValue(query, "OSSAccessKeyId") ?? queryValue(query, "x-oss-credential")?.split("/", 1)[0] ?? "";
  const masks: readonly (readonly [string, string])[] = [
    [`security-token=${token}`, "security-token=***"],
    [`security-token=${enc(token)}`, "security-token=***"],
    [`${enc(id)}%2F`, `${maskId(id)}%2F`],
  ];
  const parts = token === "" ? masks.slice(2) : masks;
  return parts.reduce((masked, [secret, mask]) => masked.replaceAll(secret, mask), text);
}

function maskId(id: string): string {
  return id.length < 12 ? `${id.slice(0, 2)}***` : `${id.slice(0, 4)}***${id.slice(-4)}`;
}
