// Every query parameter and every x-oss-* header that the reference of OSS's wire semantics names, wherever it does.

const words = (text: string): readonly string[] => text.trim().split(/\s+/);

/** §2.1: what V1 signs, the union over the SDKs, without the names that begin with `x-oss-`. */
export const V1_SIGNED = words(`
  acl append asyncFetch bucketArchiveDirectRead bucketInfo callback callback-var cloudboxes cname comp
  continuation-token cors delete encryption endTime group httpsConfig img inventory inventoryId lifecycle link
  live location logging metaQuery objectInfo objectMeta partNumber policy position publicAccessBlock qos qosInfo
  qosRequester redundancyTransition referer regionList replication replicationLocation replicationProgress
  requestPayment requesterQosInfo resourceGroup resourcePool resourcePoolBuckets resourcePoolInfo
  response-cache-control response-content-disposition response-content-encoding response-content-language
  response-content-type response-expires restore rtc security-token sequential startTime stat status style styleName
  symlink tagging transferAcceleration uploadId uploads versionId versioning versions vod website worm wormExtend
  wormId accessPoint accessPointPolicy
  udf udfName udfImage udfId udfImageDesc udfApplication udfApplicationLog withHashContext
  responseHeader processConfiguration vpcip vip policyStatus seal`);

/** §2.1, §2.2, §2.3, §2.4: parameters that begin with `x-oss-`. */
export const OSS_PARAMETERS = words(`
  x-oss-process x-oss-async-process x-oss-traffic-limit x-oss-request-payer x-oss-ac-source-ip x-oss-ac-subnet-mask
  x-oss-ac-vpc-id x-oss-ac-forward-allow x-oss-write-get-object-response x-oss-access-point-name
  x-oss-target-redundancy-type x-oss-redundancy-transition-taskid x-oss-enable-md5 x-oss-enable-sha1
  x-oss-enable-sha256 x-oss-hash-ctx x-oss-md5-ctx x-oss-dir x-oss-rename x-oss-delete x-oss-foo
  x-oss-signature-version x-oss-expires x-oss-access-key-id x-oss-additional-headers x-oss-signature
  x-oss-credential x-oss-date x-oss-security-token`);

/** §1.3, §2.1, §2.2, §11.8: what no signature covers in V1, the lists' parameters above all, and a signature's parts. */
export const UNSIGNED = words(`
  prefix marker max-keys delimiter list-type start-after encoding-type key-marker version-id-marker upload-id-marker
  max-uploads max-parts part-number-marker fetch-owner regions OSSAccessKeyId Expires Signature`);

export const PARAMETERS = [...V1_SIGNED, ...OSS_PARAMETERS, ...UNSIGNED];

/** Every section: of requests, of answers and of callbacks, for a client may send any of them. */
export const OSS_HEADERS = words(`
  x-oss-ac-forward-allow x-oss-ac-source-ip x-oss-ac-subnet-mask x-oss-ac-vpc-id x-oss-access-key-id
  x-oss-access-point-name x-oss-additional-headers x-oss-async-process x-oss-bucket x-oss-callback x-oss-callback-var
  x-oss-content-sha256 x-oss-content-type x-oss-copy-source x-oss-copy-source-if-match x-oss-copy-source-if-none-match
  x-oss-copy-source-if-modified-since x-oss-copy-source-if-unmodified-since x-oss-credential x-oss-date x-oss-delete
  x-oss-delete-marker x-oss-dir x-oss-ec x-oss-enable-md5 x-oss-enable-sha1 x-oss-enable-sha256 x-oss-err x-oss-expires
  x-oss-foo x-oss-forbid-overwrite x-oss-force-download x-oss-hash-crc64ecma x-oss-hash-ctx x-oss-head1
  x-oss-hls-sign-token x-oss-magic x-oss-md5-ctx x-oss-meta-author x-oss-meta-magic x-oss-multi-range-behavior
  x-oss-next-append-position x-oss-object-acl x-oss-object-type x-oss-owner x-oss-process x-oss-pub-key-url
  x-oss-qos-delay-time x-oss-range-behavior x-oss-redundancy-transition-taskid x-oss-rename x-oss-request-id
  x-oss-request-payer x-oss-requester x-oss-restore x-oss-security-token x-oss-server-side-encryption
  x-oss-server-side-encryption-key-id x-oss-server-time x-oss-signature x-oss-signature-version x-oss-storage-class
  x-oss-tag x-oss-tagging x-oss-tagging-count x-oss-target-redundancy-type x-oss-traffic-limit x-oss-version-id
  x-oss-write-get-object-response`);

/** A value with which OSS would take a parameter as meant; `null` where it comes without one. */
export const SAMPLE_VALUES: ReadonlyMap<string, string> = new Map([
  ["uploadId", "0004B9895DBBB6EC98E36"],
  ["partNumber", "1"],
  ["position", "0"],
  ["versionId", "CAEQARiBgID8rumR2hYiIGUyOTAyZGY2MzU5MjQ5"],
  ["list-type", "2"],
  ["encoding-type", "url"],
  ["x-oss-process", "image/resize,w_100"],
  ["response-content-type", "text/plain"],
  ["prefix", "a/"],
  ["max-keys", "10"],
]);
