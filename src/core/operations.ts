/**
 * What a request may ask of OSS beyond reading, writing and deleting one object, under OSS's own API names. On a route
 * that the gateway signs, none of it is possible unless the route's `operations` names it.
 */
export const OPERATIONS = [
  "ListObjects",
  "ListObjectsV2",
  "ListObjectVersions",
  "ListMultipartUploads",
  "GetBucketInfo",
  "GetBucketLocation",
  "GetBucketStat",
  "DeleteMultipleObjects",
  "GetObjectMeta",
  "GetObjectVersion",
  "DeleteObjectVersion",
  "GetObjectACL",
  "PutObjectACL",
  "CopyObject",
  "UploadPartCopy",
  "AppendObject",
  "GetSymlink",
  "PutSymlink",
  "GetObjectTagging",
  "PutObjectTagging",
  "DeleteObjectTagging",
  "RestoreObject",
] as const;

export type Operation = (typeof OPERATIONS)[number];
