import { createHash } from "node:crypto";
import { type BodySource, joinedSource } from "./body.js";
import { combineCrc64 } from "./crc64.js";
import { type Refusal, refuse } from "./errors.js";
import type { StoredObject, StoredPart, Upload } from "./store.js";
import { childOf, parseXml } from "./xml.js";

/** Limits of oss-semantics §11.6; the smallest size is checked at completion and not for the last part. */
export const MAX_PART_NUMBER = 10_000;
const MIN_PART_BYTES = 100 * 1024;

/** One line of a `CompleteMultipartUpload` document; the ETag without quotes, upper case. */
export interface ListedPart {
  readonly number: number;
  readonly etag: string;
}

/** Parses the document of a completion. */
export function parsePartList(xml: string): readonly ListedPart[] | Refusal {
  const root = parseXml(xml);
  if (root === null || root.name !== "CompleteMultipartUpload" || root.children.length === 0)
    return refuse("MalformedXML");
  const parts: ListedPart[] = [];
  for (const node of root.children) {
    const number = childOf(node, "PartNumber")?.text.trim() ?? "";
    const etag = childOf(node, "ETag")?.text.trim();
    if (node.name !== "Part" || !/^\d{1,5}$/.test(number) || etag === undefined) return refuse("MalformedXML");
    parts.push({ number: Number(number), etag: etag.replaceAll('"', "").toUpperCase() });
  }
  return parts;
}

/**
 * Picks the listed parts of an upload: in ascending order, present with that ETag, and none but the last below 100 KB
 * (oss-semantics §11.6, §13.12).
 */
export function choosePartList(upload: Upload, listed: readonly ListedPart[]): readonly StoredPart[] | Refusal {
  const chosen: StoredPart[] = [];
  for (const [at, { number, etag }] of listed.entries()) {
    if (at > 0 && number <= (listed[at - 1] as ListedPart).number) return refuse("InvalidPartOrder");
    const part = upload.parts.get(number);
    if (part === undefined || part.md5.toString("hex").toUpperCase() !== etag) return invalidPart(upload, number, etag);
    chosen.push(part);
  }
  const small = chosen.slice(0, -1).find((part) => part.size < MIN_PART_BYTES);
  return small === undefined ? chosen : partTooSmall(small);
}

function invalidPart(upload: Upload, number: number, etag: string): Refusal {
  const extra = [
    ["UploadId", upload.id],
    ["PartNumber", String(number)],
    ["ETag", etag],
  ] as const;
  return refuse("InvalidPart", { extra });
}

function partTooSmall(part: StoredPart): Refusal {
  const extra = [
    ["MinSizeAllowed", String(MIN_PART_BYTES)],
    ["ProposedSize", String(part.size)],
    ["PartNumber", String(part.number)],
    ["ETag", part.md5.toString("hex").toUpperCase()],
  ] as const;
  return refuse("EntityTooSmall", { extra });
}

/** The object of a completed upload: ETag `"{32 hex}-{n}"`, CRC of the whole (oss-semantics §10, §11.7). */
export function assembleObject(upload: Upload, parts: readonly StoredPart[], nowMs: number): StoredObject {
  const bodies = parts.map((part) => part.body);
  return {
    key: upload.key,
    body: bodies.every((body): body is BodySource => body !== null) ? joinedSource(bodies) : null,
    size: parts.reduce((sum, part) => sum + part.size, 0),
    etag: multipartEtag(parts),
    type: "Multipart",
    crc64: parts.reduce((crc, part) => combineCrc64(crc, part.crc64, part.size), 0n),
    lastModifiedMs: nowMs,
    metadata: upload.metadata,
    acl: upload.acl,
    storageClass: upload.storageClass,
  };
}

function multipartEtag(parts: readonly StoredPart[]): string {
  const digest = createHash("md5");
  for (const part of parts) digest.update(part.md5);
  return `"${digest.digest("hex").toUpperCase()}-${parts.length}"`;
}
