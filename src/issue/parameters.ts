import { urlSignatureClass } from "../signing/classify.js";
import { isSignatureParameter } from "../signing/request-parameters.js";
import type { QueryPairs } from "../signing/types.js";
import { IssueRefusal } from "./refusal.js";
import { isUnicode } from "./text.js";

/** By name, as a request for a link or a presigned URL has them. */
export type Parameters = Readonly<Record<string, string>>;

/** The `response-*` parameters of OSS (oss-semantics §11.4), without that prefix. */
export const RESPONSE_OVERRIDES = [
  "content-type",
  "content-language",
  "expires",
  "cache-control",
  "content-disposition",
  "content-encoding",
] as const;

/** What of a request's parameters are fields of their own. */
export interface ParameterFields {
  readonly parameters?: Parameters | undefined;
  /** `x-oss-process`. */
  readonly process?: string | undefined;
  /** `response-*`, with or without that prefix. */
  readonly response?: Parameters | undefined;
}

/** The parameters that go to OSS: the URL's own first, then the fields. Each name once; none that a signature brings. */
export function collectParameters(own: QueryPairs, fields: ParameterFields): QueryPairs | IssueRefusal {
  const pairs: (readonly [string, string | null])[] = [...own, ...Object.entries(fields.parameters ?? {})];
  if (fields.process !== undefined) pairs.push(["x-oss-process", fields.process]);
  for (const [name, value] of Object.entries(fields.response ?? {})) {
    const short = name.toLowerCase().replace(/^response-/, "");
    if (!RESPONSE_OVERRIDES.some((known) => known === short)) {
      return bad(`OSS has no response-${short}. There is ${RESPONSE_OVERRIDES.join(", ")}.`);
    }
    pairs.push([`response-${short}`, value]);
  }
  return parametersProblem(pairs) ?? pairs;
}

function parametersProblem(pairs: QueryPairs): IssueRefusal | null {
  const seen = new Set<string>();
  for (const [name, value] of pairs) {
    if (!isUnicode(name) || !isUnicode(value ?? "")) return bad("A parameter is not Unicode text.");
    if (seen.has(name)) return bad(`The parameter ${name} is there twice.`);
    seen.add(name);
    if (name.startsWith("ossgate-")) return bad("The URL has parameters of a link already.");
    if (isSignatureParameter(name)) return bad("The URL has parameters of a signature already.");
    // OSS compares them with the address of the gateway, not with the client's (oss-semantics §2.2).
    if (name.startsWith("x-oss-ac-")) return bad(`${name} cannot hold through a gateway; bind a link to the client.`);
  }
  if (urlSignatureClass(queryText(pairs)) === null) return null;
  return bad("The URL has parameters of a signature already.");
}

/** Percent-encoded as `encodeURIComponent` does, which is how the vendor's SDK for JavaScript writes a query. */
export function queryText(pairs: QueryPairs): string {
  return pairs.map(([name, value]) => encodeURIComponent(name) + valueText(value)).join("&");
}

function valueText(value: string | null): string {
  return value === null ? "" : `=${encodeURIComponent(value)}`;
}

function bad(message: string): IssueRefusal {
  return new IssueRefusal(400, message);
}
