import { createHash } from "node:crypto";
import { headerValue } from "../core/headers.js";
import { emptyAnswer, isRefusal, NO_CONTENT, type Outcome } from "./answer.js";
import { bytesSource, joinedSource } from "./body.js";
import { combineCrc64 } from "./crc64.js";
import { notEmulated, type Refusal, refuse } from "./errors.js";
import { type Exchange, requestHeader } from "./exchange.js";
import { digestHeaderProblem, digestProblem, lengthProblem, type ReceivedBody } from "./ingest.js";
import { type ObjectSettings, readSettings } from "./metadata.js";
import { discardsBody, type StoredObject } from "./store.js";

/** PutObject (oss-semantics §11.7). Everything that headers can decide is decided before the body is asked for. */
export async function putObject(exchange: Exchange): Promise<Outcome> {
  const settings = readSettings(exchange.headers);
  if (isRefusal(settings)) return settings;
  const refused = uploadProblem(exchange) ?? overwriteProblem(exchange, settings.mayOverwrite);
  if (refused !== null) return refused;
  const received = await receiveChecked(exchange);
  if (isRefusal(received)) return received;
  // Once more: another upload may have ended while this one arrived.
  const overtaken = overwriteProblem(exchange, settings.mayOverwrite);
  if (overtaken !== null) return overtaken;
  const object = normalObject(exchange.key, settings, received, exchange.nowMs);
  exchange.bucket.objects.set(object.key, object);
  return emptyAnswer(200, ["ETag", object.etag, "x-oss-hash-crc64ecma", String(received.crc64)]);
}

/** An object of type Normal from a body that arrived; its ETag is the MD5 in upper-case hex (oss-semantics §11.7). */
export function normalObject(
  key: string,
  settings: Omit<ObjectSettings, "mayOverwrite">,
  received: ReceivedBody,
  nowMs: number,
): StoredObject {
  return {
    key,
    body: received.body,
    size: received.size,
    etag: md5Etag(received.md5),
    type: "Normal",
    crc64: received.crc64,
    lastModifiedMs: nowMs,
    metadata: settings.metadata,
    acl: settings.acl,
    storageClass: settings.storageClass,
  };
}

/** `"5D41402A…"` from 16 bytes. */
export function md5Etag(md5: Buffer): string {
  return `"${md5.toString("hex").toUpperCase()}"`;
}

const CONDITION_HEADERS = ["If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since"];

/** What headers alone are refused for on an upload: conditions (oss-semantics §11.3), lengths, digests. */
export function uploadProblem(exchange: Exchange): Refusal | null {
  const condition = CONDITION_HEADERS.find((name) => requestHeader(exchange, name.toLowerCase()) !== undefined);
  if (condition !== undefined) {
    const message = "A header you provided implies functionality that is not implemented.";
    return refuse("NotImplemented", { status: 400, message, extra: [["Header", condition]] });
  }
  return lengthProblem(exchange.headers) ?? digestHeaderProblem(exchange.headers);
}

/** `x-oss-forbid-overwrite: true` on a key that exists (oss-semantics §11.3). */
export function overwriteProblem(exchange: Exchange, mayOverwrite: boolean): Refusal | null {
  return mayOverwrite || !exchange.bucket.objects.has(exchange.key) ? null : refuse("FileAlreadyExists");
}

/** Reads the body and holds its digests against the headers. */
export async function receiveChecked(exchange: Exchange): Promise<ReceivedBody | Refusal> {
  const received = await exchange.arrival.receiveBody({ discard: discardsBody(exchange.bucket, exchange.key) });
  return isRefusal(received) ? received : (digestProblem(exchange.headers, received) ?? received);
}

/** DeleteObject: 204 whether or not there was one. */
export function deleteObject(exchange: Exchange): Outcome {
  exchange.bucket.objects.delete(exchange.key);
  return NO_CONTENT;
}

/** AppendObject (oss-semantics §13.13, §7.2). */
export async function appendObject(exchange: Exchange): Promise<Outcome> {
  const settings = readSettings(exchange.headers);
  if (isRefusal(settings)) return settings;
  if (headerValue(exchange.headers, "x-oss-hash-crc64ecma") !== undefined)
    return notEmulated("a CRC sent with an append");
  const refused = uploadProblem(exchange) ?? positionProblem(exchange);
  if (refused !== null) return refused;
  const received = await receiveChecked(exchange);
  if (isRefusal(received)) return received;
  const overtaken = positionProblem(exchange);
  if (overtaken !== null) return overtaken;
  const object = appendedObject(exchange, settings, received);
  exchange.bucket.objects.set(object.key, object);
  return emptyAnswer(200, [
    "ETag",
    object.etag,
    "x-oss-hash-crc64ecma",
    String(object.crc64),
    "x-oss-next-append-position",
    String(object.size),
  ]);
}

function positionProblem(exchange: Exchange): Refusal | null {
  const existing = exchange.bucket.objects.get(exchange.key);
  if (existing !== undefined && existing.type !== "Appendable") return refuse("ObjectNotAppendable");
  const size = existing?.size ?? 0;
  const position = exchange.query.get("position") ?? "";
  if (!/^\d+$/.test(position)) return refuse("InvalidArgument", { extra: [["ArgumentName", "position"]] });
  if (Number(position) === size) return null;
  return refuse("PositionNotEqualToLength", { headers: ["x-oss-next-append-position", String(size)] });
}

function appendedObject(exchange: Exchange, settings: ObjectSettings, received: ReceivedBody): StoredObject {
  const before = exchange.bucket.objects.get(exchange.key);
  const size = (before?.size ?? 0) + received.size;
  const body =
    received.body === null ? null : joinedSource([before?.body ?? bytesSource(Buffer.alloc(0)), received.body]);
  return {
    key: exchange.key,
    body,
    size,
    etag: md5Etag(createHash("md5").update(`append:${size}:`).update(received.md5).digest()),
    type: "Appendable",
    crc64: combineCrc64(before?.crc64 ?? 0n, received.crc64, received.size),
    lastModifiedMs: exchange.nowMs,
    metadata: before?.metadata ?? settings.metadata,
    acl: before?.acl ?? settings.acl,
    storageClass: before?.storageClass ?? settings.storageClass,
  };
}
