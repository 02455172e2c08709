import { isRefusal, type Outcome, xmlAnswer } from "./answer.js";
import { invalidArgument, notEmulated, type Refusal } from "./errors.js";
import type { Exchange } from "./exchange.js";
import {
  compareKeys,
  encodeForList,
  type ListEncoding,
  type ListPage,
  listPage,
  makeToken,
  readEncodingType,
  readMaxKeys,
  readToken,
} from "./list.js";
import type { StoredObject, Upload } from "./store.js";
import { container, element, xmlDocument } from "./xml.js";

interface Listing {
  readonly exchange: Exchange;
  readonly page: ListPage;
  readonly encoding: ListEncoding;
  readonly maxKeys: number;
}

/** ListObjects, the first version: `marker` and `NextMarker` (oss-semantics §11.8). */
export function listObjects(exchange: Exchange): Outcome {
  const marker = exchange.query.get("marker") ?? "";
  const listing = makeListing(exchange, marker);
  if (isRefusal(listing)) return listing;
  const { page, encoding } = listing;
  const next = page.isTruncated ? [element("NextMarker", encodeForList(page.last, encoding))] : [];
  return listAnswer(listing, [element("Marker", encodeForList(marker, encoding)), ...next], true);
}

/** ListObjectsV2: `start-after`, opaque tokens, `KeyCount` (oss-semantics §11.8). */
export function listObjectsV2(exchange: Exchange): Outcome {
  const listType = exchange.query.get("list-type") ?? "";
  if (listType !== "2") return invalidArgument("list-type", listType);
  const token = exchange.query.get("continuation-token");
  const resumed = token === undefined ? null : readToken(token);
  if (token !== undefined && resumed === null) return invalidArgument("continuation-token", token);
  const startAfter = exchange.query.get("start-after") ?? "";
  const listing = makeListing(exchange, resumed ?? startAfter);
  if (isRefusal(listing)) return listing;
  const { page, encoding } = listing;
  const elements = [
    element("KeyCount", page.keys.length + page.commonPrefixes.length),
    ...(startAfter === "" ? [] : [element("StartAfter", encodeForList(startAfter, encoding))]),
    ...(token === undefined ? [] : [element("ContinuationToken", token)]),
    ...(page.isTruncated ? [element("NextContinuationToken", makeToken(page.last))] : []),
  ];
  return listAnswer(listing, elements, exchange.query.get("fetch-owner") === "true");
}

function makeListing(exchange: Exchange, after: string): Listing | Refusal {
  const encoding = readEncodingType(exchange.query);
  if (isRefusal(encoding)) return encoding;
  const maxKeys = readMaxKeys(exchange.query);
  if (isRefusal(maxKeys)) return maxKeys;
  const { query, bucket } = exchange;
  const request = { prefix: query.get("prefix") ?? "", delimiter: query.get("delimiter") ?? "", after, maxKeys };
  return { exchange, page: listPage(bucket.objects.keys(), request), encoding, maxKeys };
}

function listAnswer(listing: Listing, elements: readonly string[], withOwner: boolean): Outcome {
  const { exchange, page, encoding, maxKeys } = listing;
  const named = (name: string, parameter: string): string =>
    element(name, encodeForList(exchange.query.get(parameter) ?? "", encoding));
  const objects = page.keys.map((key) => exchange.bucket.objects.get(key)).filter((object) => object !== undefined);
  return xmlAnswer(
    xmlDocument(
      "ListBucketResult",
      element("Name", exchange.bucket.name),
      named("Prefix", "prefix"),
      ...elements,
      element("MaxKeys", maxKeys),
      named("Delimiter", "delimiter"),
      ...encoding.elements,
      element("IsTruncated", page.isTruncated),
      ...objects.map((object) => renderObject(object, encoding, withOwner ? exchange.world.ownerId : null)),
      ...page.commonPrefixes.map((prefix) =>
        container("CommonPrefixes", element("Prefix", encodeForList(prefix, encoding))),
      ),
    ),
  );
}

function renderObject(object: StoredObject, encoding: ListEncoding, ownerId: string | null): string {
  return container(
    "Contents",
    element("Key", encodeForList(object.key, encoding)),
    element("LastModified", new Date(object.lastModifiedMs).toISOString()),
    element("ETag", object.etag),
    element("Type", object.type),
    element("Size", object.size),
    element("StorageClass", object.storageClass),
    ...(ownerId === null ? [] : [renderOwner(ownerId)]),
  );
}

/** `Owner{ID, DisplayName}`; both are the account's id, as OSS writes them. */
export function renderOwner(ownerId: string): string {
  return container("Owner", element("ID", ownerId), element("DisplayName", ownerId));
}

/** ListMultipartUploads, ordered by key and then by id; `key-marker` with or without `upload-id-marker`. */
export function listUploads(exchange: Exchange): Outcome {
  const encoding = readEncodingType(exchange.query);
  if (isRefusal(encoding)) return encoding;
  const maxUploads = readMaxKeys(exchange.query, "max-uploads", 1000);
  if (isRefusal(maxUploads)) return maxUploads;
  if ((exchange.query.get("delimiter") ?? "") !== "") return notEmulated("a delimiter in a list of uploads");
  const prefix = exchange.query.get("prefix") ?? "";
  const keyMarker = exchange.query.get("key-marker") ?? "";
  const idMarker = exchange.query.get("upload-id-marker") ?? "";
  const after = [...exchange.bucket.uploads.values()]
    .filter((upload) => upload.key.startsWith(prefix) && isAfter(upload, keyMarker, idMarker))
    .sort((a, b) => compareKeys(a.key, b.key) || compareKeys(a.id, b.id));
  const page = after.slice(0, maxUploads);
  const last = page.at(-1);
  return xmlAnswer(
    xmlDocument(
      "ListMultipartUploadsResult",
      ...encoding.elements,
      element("Bucket", exchange.bucket.name),
      element("KeyMarker", encodeForList(keyMarker, encoding)),
      element("UploadIdMarker", idMarker),
      element("NextKeyMarker", encodeForList(last?.key ?? "", encoding)),
      element("NextUploadIdMarker", last?.id ?? ""),
      element("Prefix", encodeForList(prefix, encoding)),
      element("MaxUploads", maxUploads),
      element("IsTruncated", after.length > page.length),
      ...page.map((upload) => renderUpload(upload, encoding)),
    ),
  );
}

function isAfter(upload: Upload, keyMarker: string, idMarker: string): boolean {
  if (keyMarker === "") return true;
  const order = compareKeys(upload.key, keyMarker);
  return order > 0 || (order === 0 && idMarker !== "" && compareKeys(upload.id, idMarker) > 0);
}

function renderUpload(upload: Upload, encoding: ListEncoding): string {
  return container(
    "Upload",
    element("Key", encodeForList(upload.key, encoding)),
    element("UploadId", upload.id),
    element("StorageClass", upload.storageClass),
    element("Initiated", new Date(upload.initiatedMs).toISOString()),
  );
}
