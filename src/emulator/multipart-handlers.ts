import { createHash, randomBytes } from "node:crypto";
import { emptyAnswer, isRefusal, NO_CONTENT, type Outcome, xmlAnswer } from "./answer.js";
import { bytesSource, readAll } from "./body.js";
import { crc64 } from "./crc64.js";
import { invalidArgument, notEmulated, type Refusal, refuse } from "./errors.js";
import { type Exchange, requestHeader, requestOrigin } from "./exchange.js";
import { encodeForList, readEncodingType } from "./list.js";
import { readSettings } from "./metadata.js";
import { assembleObject, choosePartList, MAX_PART_NUMBER, parsePartList } from "./multipart.js";
import { copyResult, findCopySource } from "./object-copy.js";
import { md5Etag, overwriteProblem, receiveChecked, uploadProblem } from "./object-write.js";
import { parseCount } from "./query.js";
import { resolveRange } from "./range.js";
import { discardsBody, type StoredPart, type Upload } from "./store.js";
import { container, element, xmlDocument } from "./xml.js";

const MAX_LIST_BYTES = 2 * 2 ** 20;

/** InitiateMultipartUpload. */
export function initiateUpload(exchange: Exchange): Outcome {
  const encoding = readEncodingType(exchange.query);
  if (isRefusal(encoding)) return encoding;
  const settings = readSettings(exchange.headers);
  if (isRefusal(settings)) return settings;
  const overwrite = overwriteProblem(exchange, settings.mayOverwrite);
  if (overwrite !== null) return overwrite;
  const id = randomBytes(16).toString("hex").toUpperCase();
  exchange.bucket.uploads.set(id, {
    id,
    key: exchange.key,
    initiatedMs: exchange.nowMs,
    ...settings,
    parts: new Map(),
  });
  return xmlAnswer(
    xmlDocument(
      "InitiateMultipartUploadResult",
      ...encoding.elements,
      element("Bucket", exchange.bucket.name),
      element("Key", encodeForList(exchange.key, encoding)),
      element("UploadId", id),
    ),
  );
}

/** UploadPart. */
export async function uploadPart(exchange: Exchange): Promise<Outcome> {
  const target = findPartTarget(exchange);
  if (isRefusal(target)) return target;
  const refused = uploadProblem(exchange);
  if (refused !== null) return refused;
  const received = await receiveChecked(exchange);
  if (isRefusal(received)) return received;
  if (!exchange.bucket.uploads.has(target.upload.id)) return noSuchUpload(target.upload.id);
  const part: StoredPart = { ...received, number: target.number, lastModifiedMs: exchange.nowMs };
  target.upload.parts.set(part.number, part);
  return emptyAnswer(200, ["ETag", md5Etag(part.md5), "x-oss-hash-crc64ecma", String(part.crc64)]);
}

/** UploadPartCopy, with `x-oss-copy-source-range`. */
export function uploadPartCopy(exchange: Exchange): Outcome {
  const target = findPartTarget(exchange);
  if (isRefusal(target)) return target;
  const source = findCopySource(exchange);
  if (source.kind !== "source") return source;
  const range = resolveRange(requestHeader(exchange, "x-oss-copy-source-range"), source.object.size, false);
  const [start, end] = range.kind === "part" ? [range.start, range.end] : [0, source.object.size];
  const bytes = readAll({
    size: end - start,
    chunks: (from, to, max) => source.body.chunks(start + from, start + to, max),
  });
  const md5 = createHash("md5").update(bytes).digest();
  const body = discardsBody(exchange.bucket, exchange.key) ? null : bytesSource(bytes);
  const part = {
    number: target.number,
    body,
    size: bytes.length,
    md5,
    crc64: crc64(bytes),
    lastModifiedMs: exchange.nowMs,
  };
  target.upload.parts.set(part.number, part);
  return xmlAnswer(copyResult("CopyPartResult", md5Etag(md5), exchange.nowMs), ["ETag", md5Etag(md5)]);
}

/** CompleteMultipartUpload. */
export async function completeUpload(exchange: Exchange): Promise<Outcome> {
  const encoding = readEncodingType(exchange.query);
  if (isRefusal(encoding)) return encoding;
  const upload = findUpload(exchange);
  if (isRefusal(upload)) return upload;
  if (requestHeader(exchange, "x-oss-complete-all") !== undefined) return notEmulated("x-oss-complete-all");
  const received = await exchange.arrival.receiveBody({ maxBytes: MAX_LIST_BYTES });
  if (isRefusal(received)) return received;
  if (!exchange.bucket.uploads.has(upload.id)) return noSuchUpload(upload.id);
  const listed = parsePartList(received.body === null ? "" : readAll(received.body).toString());
  if (isRefusal(listed)) return listed;
  const parts = choosePartList(upload, listed);
  if (isRefusal(parts)) return parts;
  const mayOverwrite = upload.mayOverwrite && requestHeader(exchange, "x-oss-forbid-overwrite") !== "true";
  const overwrite = overwriteProblem(exchange, mayOverwrite);
  if (overwrite !== null) return overwrite;
  const object = assembleObject(upload, parts, exchange.nowMs);
  exchange.bucket.objects.set(object.key, object);
  exchange.bucket.uploads.delete(upload.id);
  return xmlAnswer(
    xmlDocument(
      "CompleteMultipartUploadResult",
      ...encoding.elements,
      element("Location", `${requestOrigin(exchange)}/${encodeURI(object.key)}`),
      element("Bucket", exchange.bucket.name),
      element("Key", encodeForList(object.key, encoding)),
      element("ETag", object.etag),
    ),
    ["ETag", object.etag, "x-oss-hash-crc64ecma", String(object.crc64)],
  );
}

/** AbortMultipartUpload. */
export function abortUpload(exchange: Exchange): Outcome {
  const upload = findUpload(exchange);
  if (isRefusal(upload)) return upload;
  exchange.bucket.uploads.delete(upload.id);
  return NO_CONTENT;
}

/** ListParts. */
export function listParts(exchange: Exchange): Outcome {
  const encoding = readEncodingType(exchange.query);
  if (isRefusal(encoding)) return encoding;
  const upload = findUpload(exchange);
  if (isRefusal(upload)) return upload;
  const maxParts = parseCount(exchange.query.get("max-parts") ?? "1000", 1, 1000);
  const marker = parseCount(exchange.query.get("part-number-marker") ?? "0", 0, MAX_PART_NUMBER);
  if (maxParts === null) return invalidArgument("max-parts", exchange.query.get("max-parts") ?? "");
  if (marker === null) return invalidArgument("part-number-marker", exchange.query.get("part-number-marker") ?? "");
  const after = [...upload.parts.values()].filter((part) => part.number > marker).sort((a, b) => a.number - b.number);
  const page = after.slice(0, maxParts);
  return xmlAnswer(
    xmlDocument(
      "ListPartsResult",
      ...encoding.elements,
      element("Bucket", exchange.bucket.name),
      element("Key", encodeForList(upload.key, encoding)),
      element("UploadId", upload.id),
      element("StorageClass", upload.storageClass),
      element("PartNumberMarker", marker),
      element("NextPartNumberMarker", page.at(-1)?.number ?? marker),
      element("MaxParts", maxParts),
      element("IsTruncated", after.length > page.length),
      ...page.map(renderPart),
    ),
  );
}

function renderPart(part: StoredPart): string {
  return container(
    "Part",
    element("PartNumber", part.number),
    element("LastModified", new Date(part.lastModifiedMs).toISOString()),
    element("ETag", md5Etag(part.md5)),
    element("HashCrc64ecma", String(part.crc64)),
    element("Size", part.size),
  );
}

function findUpload(exchange: Exchange): Upload | Refusal {
  const id = exchange.query.get("uploadId") ?? "";
  const upload = exchange.bucket.uploads.get(id);
  return upload !== undefined && upload.key === exchange.key ? upload : noSuchUpload(id);
}

function noSuchUpload(id: string): Refusal {
  return refuse("NoSuchUpload", { extra: [["UploadId", id]] });
}

function findPartTarget(exchange: Exchange): { readonly upload: Upload; readonly number: number } | Refusal {
  const text = exchange.query.get("partNumber") ?? "";
  const number = parseCount(text, 1, MAX_PART_NUMBER);
  if (number === null) {
    return invalidArgument("partNumber", text, "Part number must be an integer between 1 and 10000, inclusive.");
  }
  const upload = findUpload(exchange);
  return isRefusal(upload) ? upload : { upload, number };
}
