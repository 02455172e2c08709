import { emptyAnswer, isRefusal, type Outcome, xmlAnswer } from "./answer.js";
import { readAll } from "./body.js";
import { invalidArgument, notEmulated, refuse } from "./errors.js";
import { type Exchange, requestHeader, type World } from "./exchange.js";
import { publicEndpoint } from "./host.js";
import { digestProblem, lengthProblem } from "./ingest.js";
import { encodeForList, readEncodingType, readMaxKeys } from "./list.js";
import { renderOwner } from "./list-handlers.js";
import { readObjectAcl } from "./metadata.js";
import { noSuchKey } from "./object-read.js";
import type { Query } from "./query.js";
import { BUCKET_ACLS, type Bucket, effectiveAcl } from "./store.js";
import { childOf, container, element, parseXml, xmlDocument } from "./xml.js";

const MAX_DELETE_KEYS = 1000;
const MAX_DELETE_BYTES = 2 * 2 ** 20;

/** GetBucketAcl. */
export function getBucketAcl(exchange: Exchange): Outcome {
  return xmlAnswer(renderAcl(exchange.world.ownerId, exchange.bucket.acl));
}

/** PutBucketAcl: the ACL is in `x-oss-acl`. */
export function putBucketAcl(exchange: Exchange): Outcome {
  const value = requestHeader(exchange, "x-oss-acl") ?? "";
  const acl = BUCKET_ACLS.find((known) => known === value);
  if (acl === undefined) return invalidArgument("x-oss-acl", value, "no such bucket access control exists");
  exchange.bucket.acl = acl;
  return emptyAnswer(200);
}

/** GetObjectAcl: `default` when the object has none of its own. */
export function getObjectAcl(exchange: Exchange): Outcome {
  const object = exchange.bucket.objects.get(exchange.key);
  return object === undefined ? noSuchKey(exchange.key) : xmlAnswer(renderAcl(exchange.world.ownerId, object.acl));
}

/** PutObjectAcl: the ACL is in `x-oss-object-acl`. */
export function putObjectAcl(exchange: Exchange): Outcome {
  const object = exchange.bucket.objects.get(exchange.key);
  if (object === undefined) return noSuchKey(exchange.key);
  const value = requestHeader(exchange, "x-oss-object-acl");
  if (value === undefined) return invalidArgument("x-oss-object-acl", "");
  const acl = readObjectAcl(value);
  if (isRefusal(acl)) return acl;
  exchange.bucket.objects.set(object.key, { ...object, acl });
  return emptyAnswer(200);
}

function renderAcl(ownerId: string, acl: string): string {
  return xmlDocument(
    "AccessControlPolicy",
    renderOwner(ownerId),
    container("AccessControlList", element("Grant", acl)),
  );
}

/** GetBucketLocation. */
export function getBucketLocation(exchange: Exchange): Outcome {
  return xmlAnswer(xmlDocument("LocationConstraint", `oss-${exchange.bucket.region}`));
}

/** GetBucketInfo: what the emulator knows about a bucket. */
export function getBucketInfo(exchange: Exchange): Outcome {
  const { bucket, world } = exchange;
  return xmlAnswer(
    xmlDocument(
      "BucketInfo",
      container(
        "Bucket",
        ...bucketElements(bucket),
        renderOwner(world.ownerId),
        container("AccessControlList", element("Grant", bucket.acl)),
      ),
    ),
  );
}

function bucketElements(bucket: Bucket): readonly string[] {
  const endpoint = publicEndpoint(bucket.region);
  return [
    element("CreationDate", new Date(bucket.createdAtMs).toISOString()),
    element("ExtranetEndpoint", endpoint),
    element("IntranetEndpoint", endpoint.replace(".aliyuncs.com", "-internal.aliyuncs.com")),
    element("Location", `oss-${bucket.region}`),
    element("Name", bucket.name),
    element("StorageClass", "Standard"),
  ];
}

/** ListBuckets (GetService) for the owner, with `prefix`, `marker` and `max-keys`. */
export function listBuckets(world: World, query: Query): Outcome {
  const maxKeys = readMaxKeys(query);
  if (isRefusal(maxKeys)) return maxKeys;
  const prefix = query.get("prefix") ?? "";
  const marker = query.get("marker") ?? "";
  const matching = world.store.buckets().filter(({ name }) => name.startsWith(prefix) && name > marker);
  const page = matching.slice(0, maxKeys);
  const isTruncated = matching.length > page.length;
  return xmlAnswer(
    xmlDocument(
      "ListAllMyBucketsResult",
      element("Prefix", prefix),
      element("Marker", marker),
      element("MaxKeys", maxKeys),
      element("IsTruncated", isTruncated),
      ...(isTruncated ? [element("NextMarker", page.at(-1)?.name ?? "")] : []),
      renderOwner(world.ownerId),
      container("Buckets", ...page.map((bucket) => container("Bucket", ...bucketElements(bucket)))),
    ),
  );
}

/** DeleteMultipleObjects: at most 1000 keys, 2 MB, `Content-MD5` required (oss-semantics §11.6). */
export async function deleteMultiple(exchange: Exchange): Promise<Outcome> {
  const encoding = readEncodingType(exchange.query);
  if (isRefusal(encoding)) return encoding;
  const refused = lengthProblem(exchange.headers);
  if (refused !== null) return refused;
  if (requestHeader(exchange, "content-md5") === undefined) return invalidArgument("Content-MD5", "");
  const received = await exchange.arrival.receiveBody({ maxBytes: MAX_DELETE_BYTES });
  if (isRefusal(received)) return received;
  const mismatch = digestProblem(exchange.headers, received);
  if (mismatch !== null) return mismatch;
  const order = parseDeleteOrder(received.body === null ? "" : readAll(received.body).toString());
  if (order === null) return refuse("MalformedXML");
  if (order.namesVersions) return notEmulated("versions of objects");
  const permitted = order.keys.every((key) => mayDelete(exchange, key));
  if (!permitted) return refuse("AccessDenied");
  for (const key of order.keys) exchange.bucket.objects.delete(key);
  if (order.isQuiet) return emptyAnswer(200);
  const deleted = order.keys.map((key) => container("Deleted", element("Key", encodeForList(key, encoding))));
  return xmlAnswer(xmlDocument("DeleteResult", ...encoding.elements, ...deleted));
}

function mayDelete(exchange: Exchange, key: string): boolean {
  return (
    exchange.accessKeyId !== null ||
    effectiveAcl(exchange.bucket, exchange.bucket.objects.get(key)) === "public-read-write"
  );
}

interface DeleteOrder {
  readonly isQuiet: boolean;
  readonly namesVersions: boolean;
  readonly keys: readonly string[];
}

function parseDeleteOrder(xml: string): DeleteOrder | null {
  const root = parseXml(xml);
  if (root === null || root.name !== "Delete") return null;
  const keys: string[] = [];
  for (const node of root.children) {
    if (node.name === "Quiet") continue;
    const key = childOf(node, "Key")?.text;
    if (node.name !== "Object" || key === undefined) return null;
    keys.push(key);
  }
  if (keys.length === 0 || keys.length > MAX_DELETE_KEYS) return null;
  const isQuiet = childOf(root, "Quiet")?.text.trim() === "true";
  return { isQuiet, namesVersions: root.children.some((node) => childOf(node, "VersionId") !== undefined), keys };
}
