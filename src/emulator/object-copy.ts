import { createHash } from "node:crypto";
import { decodePath } from "../core/target.js";
import { hasAccess } from "./access.js";
import { bodilessAnswer, isRefusal, type Outcome, xmlAnswer } from "./answer.js";
import { readAll } from "./body.js";
import { evaluateConditions } from "./conditional.js";
import { invalidArgument, notEmulated, type Refusal, refuse } from "./errors.js";
import { type Exchange, requestHeader } from "./exchange.js";
import { readSettings } from "./metadata.js";
import { noSuchKey, readConditions } from "./object-read.js";
import { md5Etag, overwriteProblem } from "./object-write.js";
import type { StoredObject } from "./store.js";
import { element, xmlDocument } from "./xml.js";

export const COPY_SOURCE = "x-oss-copy-source";

/** CopyObject (oss-semantics §13.13). The copy is of type Normal; its CRC is not in the answer (§10). */
export function copyObject(exchange: Exchange): Outcome {
  const settings = readSettings(exchange.headers);
  if (isRefusal(settings)) return settings;
  const source = findCopySource(exchange);
  if (source.kind !== "source") return source;
  const overwrite = overwriteProblem(exchange, settings.mayOverwrite);
  if (overwrite !== null) return overwrite;
  const directive = requestHeader(exchange, "x-oss-metadata-directive") ?? "COPY";
  if (directive !== "COPY" && directive !== "REPLACE") return invalidArgument("x-oss-metadata-directive", directive);
  const copy: StoredObject = {
    ...source.object,
    key: exchange.key,
    etag: copiedEtag(source.object, source.body),
    type: "Normal",
    lastModifiedMs: exchange.nowMs,
    metadata: directive === "REPLACE" ? settings.metadata : source.object.metadata,
    acl: settings.acl,
    storageClass: settings.storageClass,
  };
  exchange.bucket.objects.set(copy.key, copy);
  return xmlAnswer(copyResult("CopyObjectResult", copy.etag, exchange.nowMs), ["ETag", copy.etag]);
}

/** `LastModified` and `ETag`, as copies of objects and of parts answer. */
export function copyResult(root: string, etag: string, nowMs: number): string {
  return xmlDocument(root, element("LastModified", new Date(nowMs).toISOString()), element("ETag", etag));
}

function copiedEtag(object: StoredObject, body: NonNullable<StoredObject["body"]>): string {
  if (object.type === "Normal") return object.etag;
  return md5Etag(createHash("md5").update(readAll(body)).digest());
}

type Source = {
  readonly kind: "source";
  readonly object: StoredObject;
  readonly body: NonNullable<StoredObject["body"]>;
};

/** Finds what `x-oss-copy-source: /bucket/key` (percent-encoded) names, and checks access and `x-oss-copy-source-if-*`. */
export function findCopySource(exchange: Exchange): Source | Outcome {
  const header = requestHeader(exchange, COPY_SOURCE) ?? "";
  const named = parseCopySource(header);
  if (isRefusal(named)) return named;
  const bucket = exchange.world.store.findBucket(named.bucket);
  if (bucket === undefined) return refuse("NoSuchBucket", { extra: [["BucketName", named.bucket]] });
  if (bucket.region !== exchange.bucket.region) return notEmulated("copying between regions");
  const object = bucket.objects.get(named.key);
  if (!hasAccess("read-object", bucket, object, exchange.accessKeyId)) return refuse("AccessDenied");
  if (object === undefined) return noSuchKey(named.key);
  const verdict = evaluateConditions(readConditions(exchange.headers, `${COPY_SOURCE}-`), object);
  if (verdict === "failed") return refuse("PreconditionFailed");
  if (verdict === "not-modified") return bodilessAnswer(304);
  if (object.body === null) return notEmulated("copying an object whose bytes were dropped");
  return { kind: "source", object, body: object.body };
}

function parseCopySource(header: string): { readonly bucket: string; readonly key: string } | Refusal {
  const match = /^\/?([^/?]+)\/([^?]+)(\?.*)?$/.exec(header);
  if (match === null)
    return invalidArgument(COPY_SOURCE, header, "Copy Source must mention the source bucket and key.");
  if (match[3] !== undefined) return notEmulated("versions of a copy source");
  try {
    return { bucket: match[1] as string, key: decodePath(match[2] as string) };
  } catch {
    return invalidArgument(COPY_SOURCE, header, "Copy Source must be percent-encoded UTF-8.");
  }
}
