import type { Denial } from "../core/errors.js";
import { type HeaderList, headerValue } from "../core/headers.js";
import type { Operation } from "../core/operations.js";
import { parseQuery } from "./canonical.js";
import * as deny from "./request-denials.js";
import { filterHeaders, setsTraffic, TRAFFIC_LIMIT } from "./request-headers.js";
import {
  admitsName,
  admitsValue,
  hasRoomFor,
  isKnownParameter,
  isSignatureParameter,
  isWellEncoded,
} from "./request-parameters.js";
import type { CompiledRules } from "./request-rules.js";
import { findShape, GET_OBJECT, type RequestShape, someShape } from "./request-shapes.js";
import type { QueryPairs } from "./types.js";

export { TRAFFIC_LIMIT } from "./request-headers.js";
export { type CompiledRules, compileRules, type SignedRequestRules } from "./request-rules.js";

/** A request as the client made it. */
export interface AskedRequest {
  readonly method: string;
  /** Decoded, without leading slash and without the route's key prefix; `""` asks for the bucket itself. */
  readonly key: string;
  /** The bucket's name at OSS. Copies are possible inside it alone, and not at all without it. */
  readonly bucket?: string;
  /** Without `?`, and without what the gateway's own links added. */
  readonly rawQuery: string;
  /** The client's header lines, all of them. */
  readonly headers: HeaderList;
  /** The request carries an OSS signature that was verified here: its parameters and headers are taken off. */
  readonly carriesVerifiedSignature: boolean;
}

/** What the gateway signs and sends, or why it does not. */
export type FilteredRequest =
  | {
      readonly ok: true;
      /** With the key prefix; `""` for a request on the bucket itself. */
      readonly key: string;
      /** Decoded, what OSS does not know taken out. */
      readonly query: QueryPairs;
      /** End-to-end headers of the client that go upstream, in their order and case; no Host, no framing. */
      readonly headers: HeaderList;
      /** The named operation it is; `null` for plain reads and writes of one object. */
      readonly operation: Operation | null;
      /** The value of `x-oss-traffic-limit` that is sent besides; `null`: none is. */
      readonly trafficLimit: string | null;
    }
  | { readonly ok: false; readonly denial: Denial };

/**
 * The list of what a client may ask for with the gateway's signature (issue 3 §1). A request goes on only when it is
 * exactly one operation of OSS that the route allows; what OSS knows and that operation has no room for is refused by
 * name, and never dropped, because OSS would then do something else: a `DELETE` whose `uploadId` is lost deletes the
 * object. What OSS does not know is dropped, parameters on GET and HEAD only.
 */
export function filterSignedRequest(asked: AskedRequest, rules: CompiledRules): FilteredRequest {
  if (asked.rawQuery === "" && asked.key !== "" && isRead(asked.method)) return finish(asked, rules, PLAIN_READ);
  const parameters = readParameters(asked);
  if ("code" in parameters) return { ok: false, denial: parameters };
  const matched = matchShape(asked, rules, parameters);
  return "code" in matched ? { ok: false, denial: matched } : finish(asked, rules, matched);
}

/** A request that is one operation of OSS, its query ready to be sent. */
interface Matched {
  readonly shape: RequestShape;
  readonly query: QueryPairs;
}

const PLAIN_READ: Matched = { shape: GET_OBJECT, query: [] };

const isRead = (method: string): boolean => method === "GET" || method === "HEAD";

/** The parameters that OSS knows, each once, without those of a signature that was verified. */
type Parameters = ReadonlyMap<string, string>;

function readParameters({ method, rawQuery, carriesVerifiedSignature }: AskedRequest): Parameters | Denial {
  const known = new Map<string, string>();
  for (const [name, value] of parseQuery(rawQuery)) {
    if (carriesVerifiedSignature && isSignatureParameter(name)) continue;
    if (!isKnownParameter(name)) {
      if (isRead(method)) continue;
      return deny.parameterUnknown(name);
    }
    if (known.has(name)) return deny.parameterRepeated(name);
    known.set(name, value ?? "");
  }
  return isWellEncoded(rawQuery) ? known : (badlyEncoded(rawQuery, known) ?? known);
}

/** Looks closer at a query that is not UTF-8 as a whole: only what goes to OSS has to be. */
function badlyEncoded(rawQuery: string, known: Parameters): Denial | null {
  for (const segment of rawQuery.split("&")) {
    const [name] = parseQuery(segment)[0] ?? [""];
    if (known.has(name) && !isWellEncoded(segment)) return deny.badlyEncoded(name);
  }
  return null;
}

function matchShape(asked: AskedRequest, rules: CompiledRules, all: Parameters): Matched | Denial {
  const hasCopySource = headerValue(asked.headers, COPY_SOURCE) !== undefined;
  const level = asked.key === "" ? "bucket" : "object";
  const shape = findShape(asked.method, level, all, hasCopySource);
  const [firstName] = all.keys();
  if (shape === null) return deny.noOperation(firstName);
  const parameters = setsTraffic(shape, rules) ? withoutTrafficLimit(all) : all;
  for (const name of parameters.keys()) if (!hasRoomFor(shape, name)) return misfit(name, asked.method, shape);
  const why = whyRefused(shape, rules);
  if (why !== null) return deny.operationRefused(shape, why, firstName);
  for (const [name, value] of parameters) {
    if (!admitsName(name, rules)) return deny.overrideRefused(name);
    if (!admitsValue(name, value, rules)) return deny.valueRefused(name);
  }
  if (shape.ossHeaders.has(COPY_SOURCE) && !isOwnSource(asked, rules)) return deny.sourceRefused(COPY_SOURCE);
  return { shape, query: withKeyPrefix(shape, parameters, rules.keyPrefix) };
}

/** OSS takes a header or a parameter of that name, and refuses both at once (oss-semantics §11.6). */
function withoutTrafficLimit(parameters: Parameters): Parameters {
  if (!parameters.has(TRAFFIC_LIMIT)) return parameters;
  return new Map([...parameters].filter(([name]) => name !== TRAFFIC_LIMIT));
}

/** Before what the route allows is looked at, which would not help: `cors` is not signed, whatever `operations` has. */
function misfit(name: string, method: string, shape: RequestShape): Denial {
  const isOfOther = someShape(method, (other) => hasRoomFor(other, name));
  return deny.parameterRefused(name, isOfOther ? shape : null);
}

function whyRefused({ operation, needsPut, namesOtherKeys }: RequestShape, rules: CompiledRules): string | null {
  if (operation !== null && !rules.operations.has(operation)) return "which this route does not allow (operations)";
  if (needsPut && !rules.allowsPut) return "and this route takes no uploads (methods)";
  if (namesOtherKeys && rules.keyPrefix !== "") return "which names other keys, and this route is bound to a keyPrefix";
  return null;
}

const COPY_SOURCE = "x-oss-copy-source";

/** Whatever else the gateway's credentials may read is not the client's to copy. */
function isOwnSource({ bucket, headers }: AskedRequest, { operations }: CompiledRules): boolean {
  const source = headerValue(headers, COPY_SOURCE) ?? "";
  const isInside = bucket !== undefined && source.startsWith(`/${bucket}/`);
  return isInside && (operations.has("GetObjectVersion") || !source.includes("?"));
}

/** Binds a list to the keys under the prefix, and puts it before every parameter that is a key. */
function withKeyPrefix(shape: RequestShape, parameters: Parameters, keyPrefix: string): QueryPairs {
  const query = [...parameters];
  if (keyPrefix === "" || !shape.isListing) return query;
  const isBound = (name: string, value: string) => name === "prefix" || (shape.keyParameters.has(name) && value !== "");
  const bound = query.map(([name, value]): [string, string] => [
    name,
    isBound(name, value) ? keyPrefix + value : value,
  ]);
  return parameters.has("prefix") ? bound : [...bound, ["prefix", keyPrefix]];
}

function finish(asked: AskedRequest, rules: CompiledRules, { shape, query }: Matched): FilteredRequest {
  const { headers, carriesVerifiedSignature } = asked;
  const kept = filterHeaders({ headers, shape, rules, carriesVerifiedSignature });
  if (!Array.isArray(kept)) return { ok: false, denial: kept };
  const key = shape.level === "bucket" ? "" : rules.keyPrefix + asked.key;
  // A HEAD moves nothing.
  const trafficLimit = asked.method !== "HEAD" && setsTraffic(shape, rules) ? rules.trafficLimit : null;
  return { ok: true, key, query, headers: kept, operation: shape.operation, trafficLimit };
}
