import t from "tap";
import { findOperation } from "../../../src/emulator/operations.js";
import { parseQuery } from "../../../src/emulator/query.js";

type Row = readonly [method: string, level: "bucket" | "object", query: string, headers: string, expected: string];

// The expected name of the operation, or the code of the refusal.
const TABLE: readonly Row[] = [
  ["GET", "object", "", "", "GetObject"],
  ["GET", "object", "utm_source=x", "", "GetObject"],
  ["GET", "object", "response-content-type=a", "", "GetObject"],
  ["GET", "object", "OSSAccessKeyId=a&Expires=1&Signature=s&security-token=t", "", "GetObject"],
  [
    "GET",
    "object",
    "x-oss-signature-version=OSS4-HMAC-SHA256&x-oss-credential=c&x-oss-security-token=t",
    "",
    "GetObject",
  ],
  ["GET", "object", "acl", "", "GetObjectAcl"],
  ["GET", "object", "uploadId=u", "", "ListParts"],
  ["GET", "object", "x-oss-process=image/resize", "", "ProcessObject"],
  ["GET", "object", "x-oss-process=hls/sign&response-content-type=a", "x-oss-hls-sign-token", "ProcessObject"],
  ["GET", "object", "x-oss-process=hls/sign&acl", "", "NotImplemented"],
  ["HEAD", "object", "x-oss-process=style/a", "", "NotImplemented"],
  ["PUT", "object", "x-oss-process=style/a", "", "NotImplemented"],
  ["GET", "object", "x-oss-anything=1", "", "NotImplemented"],
  ["GET", "object", "versionId=1", "", "NotImplemented"],
  ["GET", "object", "symlink", "", "NotImplemented"],
  ["GET", "object", "tagging", "", "NotImplemented"],
  ["GET", "object", "", "x-oss-traffic-limit", "NotImplemented"],
  ["HEAD", "object", "objectMeta", "", "GetObjectMeta"],
  ["HEAD", "object", "", "", "HeadObject"],
  ["HEAD", "bucket", "", "", "NotImplemented"],
  ["PUT", "object", "", "", "PutObject"],
  ["PUT", "object", "", "x-oss-copy-source", "CopyObject"],
  ["PUT", "object", "", "x-oss-server-side-encryption", "NotImplemented"],
  ["PUT", "object", "", "x-oss-callback", "NotImplemented"],
  ["PUT", "object", "", "x-oss-meta-callback", "PutObject"],
  ["PUT", "object", "symlink", "", "NotImplemented"],
  ["PUT", "object", "partNumber=1&uploadId=u", "", "UploadPart"],
  ["PUT", "object", "partNumber=1&uploadId=u", "x-oss-copy-source", "UploadPartCopy"],
  ["PUT", "object", "acl", "", "PutObjectAcl"],
  ["PUT", "bucket", "", "", "NotImplemented"],
  ["PUT", "bucket", "acl", "", "PutBucketAcl"],
  ["PUT", "bucket", "cors", "", "PutBucketCors"],
  ["DELETE", "bucket", "cors", "", "DeleteBucketCors"],
  ["POST", "object", "append&position=0", "", "AppendObject"],
  ["POST", "object", "uploads", "", "InitiateMultipartUpload"],
  ["POST", "object", "uploadId=u", "", "CompleteMultipartUpload"],
  ["POST", "object", "", "", "NotImplemented"],
  ["POST", "object", "restore", "", "NotImplemented"],
  ["POST", "bucket", "delete", "", "DeleteMultipleObjects"],
  ["DELETE", "object", "", "", "DeleteObject"],
  ["DELETE", "object", "uploadId=u", "", "AbortMultipartUpload"],
  ["DELETE", "bucket", "", "", "NotImplemented"],
  ["GET", "bucket", "", "", "ListObjects"],
  ["GET", "bucket", "prefix=a&marker=b", "", "ListObjects"],
  ["GET", "bucket", "list-type=2&continuation-token=a", "", "ListObjectsV2"],
  ["GET", "bucket", "uploads", "", "ListMultipartUploads"],
  ["GET", "bucket", "acl", "", "GetBucketAcl"],
  ["GET", "bucket", "location", "", "GetBucketLocation"],
  ["GET", "bucket", "bucketInfo", "", "GetBucketInfo"],
  ["GET", "bucket", "cors", "", "GetBucketCors"],
  ["GET", "bucket", "lifecycle", "", "NotImplemented"],
  ["GET", "bucket", "referer", "", "GetBucketReferer"],
  ["OPTIONS", "object", "", "", "OptionObject"],
  ["OPTIONS", "bucket", "", "", "OptionObject"],
  ["PATCH", "object", "", "", "MethodNotAllowed"],
  ["TRACE", "bucket", "", "", "MethodNotAllowed"],
];

for (const [method, level, query, header, expected] of TABLE) {
  t.test(`${method} ${level}?${query} ${header} is ${expected}`, async (t) => {
    const found = findOperation({
      method,
      level,
      query: parseQuery(query),
      headerNames: new Set(header === "" ? [] : [header]),
    });
    t.equal("code" in found ? found.code : found.name, expected);
  });
}
