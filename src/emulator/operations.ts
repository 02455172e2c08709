import { V1_SIGNED_PARAMETERS } from "../signing/canonical.js";
import type { AccessNeed } from "./access.js";
import { xmlAnswer } from "./answer.js";
import {
  deleteMultiple,
  getBucketAcl,
  getBucketInfo,
  getBucketLocation,
  getObjectAcl,
  putBucketAcl,
  putObjectAcl,
} from "./bucket-handlers.js";
import { deleteBucketCors, getBucketCors, preflight, putBucketCors } from "./cors.js";
import { notEmulated, type Refusal, refuse } from "./errors.js";
import type { Handler } from "./exchange.js";
import { hlsTokenProblem } from "./hls-sign.js";
import { listObjects, listObjectsV2, listUploads } from "./list-handlers.js";
import {
  abortUpload,
  completeUpload,
  initiateUpload,
  listParts,
  uploadPart,
  uploadPartCopy,
} from "./multipart-handlers.js";
import { headerProblem, parameterProblem } from "./not-emulated.js";
import { COPY_SOURCE, copyObject } from "./object-copy.js";
import { getProcessedObject } from "./object-process.js";
import { getObject, headObject, headObjectMeta, RESPONSE_OVERRIDES } from "./object-read.js";
import { appendObject, deleteObject, putObject } from "./object-write.js";
import type { Query } from "./query.js";
import { renderReferer } from "./referer-configuration.js";

/** One operation of OSS that is emulated. */
export interface Operation {
  readonly name: string;
  readonly method: string;
  readonly level: "bucket" | "object";
  /** Query parameters that make a request this operation. */
  readonly marks: readonly string[];
  /** Sub-resources that it understands besides; any other is answered 501. */
  readonly accepts?: Iterable<string>;
  /** A header that makes a request this operation. */
  readonly header?: string;
  readonly need: AccessNeed;
  /** What is refused before the signature is verified. */
  readonly precheck?: (query: Query, headerNames: ReadonlySet<string>) => Refusal | null;
  readonly handle: Handler;
}

const OVERRIDES = [...RESPONSE_OVERRIDES.keys()];

// Of several that fit, the first is taken: what has more marks stands before what has fewer.
const OPERATIONS: readonly Operation[] = [
  { name: "GetBucketAcl", method: "GET", level: "bucket", marks: ["acl"], need: "owner", handle: getBucketAcl },
  { name: "PutBucketAcl", method: "PUT", level: "bucket", marks: ["acl"], need: "owner", handle: putBucketAcl },
  {
    name: "GetBucketLocation",
    method: "GET",
    level: "bucket",
    marks: ["location"],
    need: "owner",
    handle: getBucketLocation,
  },
  {
    name: "GetBucketInfo",
    method: "GET",
    level: "bucket",
    marks: ["bucketInfo"],
    need: "owner",
    handle: getBucketInfo,
  },
  { name: "GetBucketCors", method: "GET", level: "bucket", marks: ["cors"], need: "owner", handle: getBucketCors },
  { name: "PutBucketCors", method: "PUT", level: "bucket", marks: ["cors"], need: "owner", handle: putBucketCors },
  {
    name: "DeleteBucketCors",
    method: "DELETE",
    level: "bucket",
    marks: ["cors"],
    need: "owner",
    handle: deleteBucketCors,
  },
  {
    name: "GetBucketReferer",
    method: "GET",
    level: "bucket",
    marks: ["referer"],
    need: "owner",
    handle: ({ bucket }) => xmlAnswer(renderReferer(bucket.refererRules)),
  },
  {
    name: "GetBucketWebsite",
    method: "GET",
    level: "bucket",
    marks: ["website"],
    need: "owner",
    handle: () => refuse("NoSuchWebsiteConfiguration"),
  },
  {
    name: "ListMultipartUploads",
    method: "GET",
    level: "bucket",
    marks: ["uploads"],
    need: "owner",
    handle: listUploads,
  },
  {
    name: "ListObjectsV2",
    method: "GET",
    level: "bucket",
    marks: ["list-type"],
    accepts: ["continuation-token"],
    need: "list-bucket",
    handle: listObjectsV2,
  },
  { name: "ListObjects", method: "GET", level: "bucket", marks: [], need: "list-bucket", handle: listObjects },
  {
    name: "DeleteMultipleObjects",
    method: "POST",
    level: "bucket",
    marks: ["delete"],
    need: "write-bucket",
    handle: deleteMultiple,
  },
  { name: "OptionObject", method: "OPTIONS", level: "bucket", marks: [], need: "anyone", handle: preflight },
  {
    name: "OptionObject",
    method: "OPTIONS",
    level: "object",
    marks: [],
    accepts: V1_SIGNED_PARAMETERS,
    need: "anyone",
    handle: preflight,
  },
  { name: "GetObjectAcl", method: "GET", level: "object", marks: ["acl"], need: "owner", handle: getObjectAcl },
  { name: "PutObjectAcl", method: "PUT", level: "object", marks: ["acl"], need: "owner", handle: putObjectAcl },
  { name: "ListParts", method: "GET", level: "object", marks: ["uploadId"], need: "owner", handle: listParts },
  {
    name: "ProcessObject",
    method: "GET",
    level: "object",
    marks: ["x-oss-process"],
    accepts: OVERRIDES,
    need: "read-object",
    precheck: hlsTokenProblem,
    handle: getProcessedObject,
  },
  {
    name: "GetObject",
    method: "GET",
    level: "object",
    marks: [],
    accepts: OVERRIDES,
    need: "read-object",
    handle: getObject,
  },
  {
    name: "GetObjectMeta",
    method: "HEAD",
    level: "object",
    marks: ["objectMeta"],
    need: "read-object",
    handle: headObjectMeta,
  },
  {
    name: "HeadObject",
    method: "HEAD",
    level: "object",
    marks: [],
    accepts: OVERRIDES,
    need: "read-object",
    handle: headObject,
  },
  {
    name: "UploadPartCopy",
    method: "PUT",
    level: "object",
    marks: ["partNumber", "uploadId"],
    header: COPY_SOURCE,
    need: "write-object",
    handle: uploadPartCopy,
  },
  {
    name: "UploadPart",
    method: "PUT",
    level: "object",
    marks: ["partNumber", "uploadId"],
    need: "write-object",
    handle: uploadPart,
  },
  {
    name: "CopyObject",
    method: "PUT",
    level: "object",
    marks: [],
    header: COPY_SOURCE,
    need: "write-object",
    handle: copyObject,
  },
  { name: "PutObject", method: "PUT", level: "object", marks: [], need: "write-object", handle: putObject },
  {
    name: "AppendObject",
    method: "POST",
    level: "object",
    marks: ["append"],
    accepts: ["position"],
    need: "write-object",
    handle: appendObject,
  },
  {
    name: "InitiateMultipartUpload",
    method: "POST",
    level: "object",
    marks: ["uploads"],
    accepts: ["sequential"],
    need: "write-object",
    handle: initiateUpload,
  },
  {
    name: "CompleteMultipartUpload",
    method: "POST",
    level: "object",
    marks: ["uploadId"],
    need: "write-object",
    handle: completeUpload,
  },
  {
    name: "AbortMultipartUpload",
    method: "DELETE",
    level: "object",
    marks: ["uploadId"],
    need: "write-object",
    handle: abortUpload,
  },
  { name: "DeleteObject", method: "DELETE", level: "object", marks: [], need: "write-object", handle: deleteObject },
];

const METHODS = ["GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS"];

/** A request as far as it decides which operation it is. */
export interface Shape {
  readonly method: string;
  readonly level: "bucket" | "object";
  readonly query: Query;
  /** Header names in lower case. */
  readonly headerNames: ReadonlySet<string>;
}

/** Finds the operation of a request; 405 for a method that OSS does not have, 501 for what is not emulated. */
export function findOperation(shape: Shape): Operation | Refusal {
  if (!METHODS.includes(shape.method)) return methodNotAllowed(shape);
  const operation = OPERATIONS.find((candidate) => fits(candidate, shape));
  if (operation === undefined) return notEmulated(`${shape.method} of ${shape.level} with these parameters`);
  const accepted = new Set([...operation.marks, ...(operation.accepts ?? [])]);
  return parameterProblem(shape.query.keys(), accepted) ?? headerProblem(shape.headerNames) ?? operation;
}

function fits(operation: Operation, shape: Shape): boolean {
  return (
    operation.method === shape.method &&
    operation.level === shape.level &&
    operation.marks.every((mark) => shape.query.has(mark)) &&
    (operation.header === undefined || shape.headerNames.has(operation.header))
  );
}

/** 405 with `Allow` (oss-semantics §7.2). */
function methodNotAllowed(shape: Shape): Refusal {
  return refuse("MethodNotAllowed", {
    headers: ["Allow", METHODS.join(", ")],
    extra: [
      ["Method", shape.method],
      ["ResourceType", shape.level.toUpperCase()],
    ],
  });
}
