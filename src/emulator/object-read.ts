import { type HeaderList, headerValue } from "../core/headers.js";
import { type Answer, bodilessAnswer, isRefusal, type Outcome } from "./answer.js";
import { type Conditions, evaluateConditions } from "./conditional.js";
import { invalidArgument, notEmulated, type Refusal, refuse } from "./errors.js";
import { type Exchange, requestHeader } from "./exchange.js";
import { type DefaultDomainDownload, forcedDownloadEc, packageProblem } from "./force-download.js";
import { headerText, withoutHeader } from "./metadata.js";
import type { Query } from "./query.js";
import { type RangeOutcome, resolveRange } from "./range.js";
import type { StoredObject } from "./store.js";

/** The parameters that set a header of a successful answer (oss-semantics §11.4). */
export const RESPONSE_OVERRIDES: ReadonlyMap<string, string> = new Map([
  ["response-content-type", "Content-Type"],
  ["response-content-language", "Content-Language"],
  ["response-expires", "Expires"],
  ["response-cache-control", "Cache-Control"],
  ["response-content-disposition", "Content-Disposition"],
  ["response-content-encoding", "Content-Encoding"],
]);

/** GetObject (oss-semantics §11.2–11.4, forced download §1.4). */
export function getObject(exchange: Exchange): Outcome {
  const found = findReadable(exchange);
  if (found.kind !== "object") return found;
  const { object } = found;
  if (object.body === null) return notEmulated("reading an object whose bytes were dropped");
  const range = resolveRange(requestHeader(exchange, "range"), object.size, isStandardRange(exchange));
  if (range.kind === "unsatisfiable") return rangeRefusal(exchange, object);
  const headers = describe(exchange, objectHeaders(object));
  return isRefusal(headers) ? headers : rangeAnswer(object, headers, range, object.body);
}

function describe(exchange: Exchange, headers: HeaderList): HeaderList | Refusal {
  const described = overrideHeaders(headers, exchange.query);
  return isRefusal(described) ? described : forDefaultDomain(exchange, described);
}

/** The headers of what was made from an object: its ETag, CRC and ranges are not those of the object. */
export function describeProcessed(exchange: Exchange, object: StoredObject, added: HeaderList): HeaderList | Refusal {
  const own = [...object.metadata, ...lastModified(object), "x-oss-object-type", object.type];
  return describe(exchange, [...own, "x-oss-storage-class", object.storageClass, ...added]);
}

function rangeAnswer(
  object: StoredObject,
  headers: HeaderList,
  range: RangeOutcome,
  source: NonNullable<StoredObject["body"]>,
): Answer {
  if (range.kind !== "part") {
    return { kind: "answer", status: 200, headers, body: { source, start: 0, end: object.size } };
  }
  const contentRange = `bytes ${range.start}-${range.end - 1}/${object.size}`;
  const body = { source, start: range.start, end: range.end };
  return { kind: "answer", status: 206, headers: [...headers, "Content-Range", contentRange], body };
}

/** HeadObject: GetObject's headers for the whole object, without overrides of a body that is not there. */
export function headObject(exchange: Exchange): Outcome {
  const found = findReadable(exchange);
  if (found.kind !== "object") return found;
  const { object } = found;
  return bodilessAnswer(200, ["Content-Length", String(object.size), ...objectHeaders(object)]);
}

/** GetObjectMeta (`HEAD ?objectMeta`): ETag, length, time and CRC only. */
export function headObjectMeta(exchange: Exchange): Outcome {
  const object = exchange.bucket.objects.get(exchange.key);
  if (object === undefined) return noSuchKey(exchange.key);
  const headers = ["Content-Length", String(object.size), "ETag", object.etag, ...lastModified(object), ...crc(object)];
  return bodilessAnswer(200, headers);
}

/** 404 NoSuchKey with the key. */
export function noSuchKey(key: string): Outcome {
  return refuse("NoSuchKey", { extra: [["Key", key]] });
}

type Found = { readonly kind: "object"; readonly object: StoredObject } | Outcome;

/** The object of a read whose conditions hold, or the answer that there is instead. */
export function findReadable(exchange: Exchange): Found {
  if (exchange.accessKeyId === null && [...RESPONSE_OVERRIDES.keys()].some((name) => exchange.query.has(name))) {
    return refuse("InvalidRequest");
  }
  const object = exchange.bucket.objects.get(exchange.key);
  if (object === undefined) return noSuchKey(exchange.key);
  const verdict = evaluateConditions(readConditions(exchange.headers), object);
  if (verdict === "failed") return refuse("PreconditionFailed");
  if (verdict === "not-modified") return bodilessAnswer(304, ["ETag", object.etag, ...lastModified(object)]);
  return { kind: "object", object };
}

/** The four `If-…` headers, or with a prefix those of a copy source. */
export function readConditions(headers: HeaderList, prefix = ""): Conditions {
  return {
    ifMatch: headerValue(headers, `${prefix}if-match`),
    ifNoneMatch: headerValue(headers, `${prefix}if-none-match`),
    ifModifiedSince: headerValue(headers, `${prefix}if-modified-since`),
    ifUnmodifiedSince: headerValue(headers, `${prefix}if-unmodified-since`),
  };
}

function isStandardRange(exchange: Exchange): boolean {
  return requestHeader(exchange, "x-oss-range-behavior")?.toLowerCase() === "standard";
}

function rangeRefusal(exchange: Exchange, object: StoredObject): Outcome {
  return refuse("InvalidRange", {
    headers: ["Content-Range", `bytes */${object.size}`],
    extra: [
      ["RangeRequested", requestHeader(exchange, "range") ?? ""],
      ["ActualObjectSize", String(object.size)],
    ],
  });
}

function objectHeaders(object: StoredObject): HeaderList {
  return [
    ...object.metadata,
    "Accept-Ranges",
    "bytes",
    "ETag",
    object.etag,
    ...lastModified(object),
    "x-oss-object-type",
    object.type,
    ...crc(object),
    "x-oss-storage-class",
    object.storageClass,
  ];
}

function lastModified(object: StoredObject): HeaderList {
  return ["Last-Modified", new Date(object.lastModifiedMs).toUTCString()];
}

function crc(object: StoredObject): HeaderList {
  return object.crc64 === null ? [] : ["x-oss-hash-crc64ecma", String(object.crc64)];
}

function overrideHeaders(headers: HeaderList, query: Query): HeaderList | Refusal {
  let result = headers;
  for (const [parameter, header] of RESPONSE_OVERRIDES) {
    const value = query.get(parameter);
    if (value === undefined) continue;
    const text = headerText(value);
    if (text === null) return invalidArgument(parameter, value);
    result = [...withoutHeader(result, header.toLowerCase()), header, text];
  }
  return result;
}

function forDefaultDomain(exchange: Exchange, headers: HeaderList): HeaderList | Refusal {
  if (!exchange.isDefaultDomain) return headers;
  const download: DefaultDomainDownload = {
    key: exchange.key,
    contentType: headerValue(headers, "content-type") ?? "",
    region: exchange.bucket.region,
    bucketCreatedAtMs: exchange.bucket.createdAtMs,
    isAccelerate: exchange.isAccelerate,
  };
  const refusal = packageProblem(download);
  if (refusal !== null) return refusal;
  const ec = forcedDownloadEc(download);
  if (ec === null) return headers;
  const kept = withoutHeader(headers, "content-disposition");
  return [...kept, "Content-Disposition", "attachment", "x-oss-force-download", "true", "x-oss-ec", ec];
}
