import t from "tap";
import { classify, signsHost, urlSignatureClass } from "../../../src/signing/classify.js";
import type { SignatureClass } from "../../../src/signing/types.js";

interface Row {
  readonly claim: string;
  readonly method?: string;
  readonly query?: string;
  readonly headers?: readonly string[];
  readonly is: SignatureClass;
}

const V4 = "OSS4-HMAC-SHA256 Credential=ak/20250101/cn-hangzhou/oss/aliyun_v4_request,Signature=0";
const FORM = ["Content-Type", "multipart/form-data; boundary=x"];

const rows: readonly Row[] = [
  { claim: "a bare GET", is: "anonymous" },
  { claim: "ordinary query parameters", query: "x-oss-process=hls/sign&prefix=a%20b&Expires=1", is: "anonymous" },
  { claim: "Basic authorization", headers: ["Authorization", "Basic b3NzOm9zcw=="], is: "anonymous" },
  { claim: "an x-header that only ends like it", headers: ["X-Authorization", "OSS a:b"], is: "anonymous" },
  { claim: "the scheme OSSX", headers: ["Authorization", "OSSX a:b"], is: "anonymous" },

  { claim: "OSS", headers: ["Host", "h", "Authorization", "OSS ak:sig"], is: "v1-header" },
  { claim: "a header name in another case", headers: ["AUTHORIZATION", "OSS ak:sig"], is: "v1-header" },
  { claim: "a scheme in another case", headers: ["authorization", "oss ak:sig"], is: "v1-header" },
  { claim: "a scheme with nothing after it", headers: ["authorization", "OSS"], is: "v1-header" },
  { claim: "a tab after the scheme", headers: ["authorization", "OSS\tak:sig"], is: "v1-header" },
  { claim: "OSS2", headers: ["authorization", "OSS2 AccessKeyId:ak,Signature:s"], is: "v2-header" },
  { claim: "OSS4-HMAC-SHA256", headers: ["authorization", V4], is: "v4-header" },
  { claim: "AWS4-HMAC-SHA256", headers: ["authorization", "AWS4-HMAC-SHA256 Credential=ak"], is: "aws-sigv4" },
  { claim: "AWS4-ECDSA-P256-SHA256", headers: ["authorization", "AWS4-ECDSA-P256-SHA256 C=ak"], is: "aws-sigv4" },
  { claim: "the old AWS scheme", headers: ["authorization", "AWS ak:sig"], is: "aws-sigv4" },
  {
    claim: "a signature in the second of two Authorization headers",
    headers: ["authorization", "Basic x", "Authorization", "OSS ak:sig"],
    is: "v1-header",
  },

  { claim: "a complete V1 URL", query: "Expires=1&OSSAccessKeyId=ak&Signature=s", is: "v1-url" },
  { claim: "Signature alone", query: "Signature=s", is: "v1-url" },
  { claim: "Signature without a value", query: "a=1&Signature", is: "v1-url" },
  { claim: "Signature without a value, before another parameter", query: "Signature&a=1", is: "v1-url" },
  { claim: "OSSAccessKeyId alone", query: "a=1&OSSAccessKeyId=ak&b=2", is: "v1-url" },
  { claim: "a percent-encoded name", query: "a=1&%53ignature=s", is: "v1-url" },
  { claim: "a wholly percent-encoded name", query: "%53%69%67%6e%61%74%75%72%65", is: "v1-url" },
  { claim: "a percent-encoded V4 name", query: "x%2Doss-signature=s", is: "v4-url" },
  { claim: "Signature inside a value", query: "a=Signature&b=OSSAccessKeyId%3Dak", is: "anonymous" },
  { claim: "Signature after a second ?", query: "a?Signature=s", is: "anonymous" },
  { claim: "Signature in another case, which OSS does not know", query: "signature=s&SIGNATURE=s", is: "anonymous" },
  { claim: "a name that Signature only begins", query: "SignatureMethod=x&MySignature=y", is: "anonymous" },
  { claim: "a doubly encoded name, which OSS does not know", query: "%2553ignature=s", is: "anonymous" },
  { claim: "a malformed escape beside a signature", query: "a=%zz&Signature=s", is: "v1-url" },

  { claim: "a V4 URL", query: "x-oss-signature-version=OSS4-HMAC-SHA256&x-oss-signature=0", is: "v4-url" },
  { claim: "an unknown signature version", query: "x-oss-signature-version=OSS9", is: "v4-url" },
  { claim: "x-oss-signature alone", query: "x-oss-signature=0", is: "v4-url" },
  { claim: "x-oss-credential alone", query: "x-oss-credential=0", is: "v4-url" },
  { claim: "a V2 URL", query: "x-oss-signature=s&x-oss-signature-version=OSS2", is: "v2-url" },
  { claim: "a V2 URL without its version", query: "x-oss-signature=s&x-oss-access-key-id=ak", is: "v2-url" },
  { claim: "X-Amz-Signature", query: "X-Amz-Signature=0", is: "aws-sigv4" },
  { claim: "X-Amz-Algorithm", query: "X-Amz-Algorithm=AWS4-HMAC-SHA256", is: "aws-sigv4" },
  { claim: "the old S3 URL", query: "Signature=s&AWSAccessKeyId=ak&Expires=1", is: "aws-sigv4" },

  { claim: "both forms", query: "Signature=s", headers: ["Authorization", V4], is: "v4-header" },
  { claim: "Basic beside a signed URL", query: "Signature=s", headers: ["Authorization", "Basic x"], is: "v1-url" },

  { claim: "a POST form", method: "POST", headers: FORM, is: "post-form" },
  {
    claim: "a form type in another case",
    method: "POST",
    headers: ["content-type", "MultiPart/Form-Data"],
    is: "post-form",
  },
  { claim: "a PUT of form data", method: "PUT", headers: FORM, is: "anonymous" },
  { claim: "a POST of something else", method: "POST", headers: ["Content-Type", "text/plain"], is: "anonymous" },
  { claim: "a signed POST form", method: "POST", headers: [...FORM, "Authorization", "OSS ak:s"], is: "v1-header" },
  { claim: "a POST form with a signed URL", method: "POST", headers: FORM, query: "Signature=s", is: "v1-url" },
];

for (const { claim, method, query, headers, is } of rows) {
  t.test(`${claim}: ${is}`, async (t) => {
    t.equal(classify(method ?? "GET", query ?? "", headers ?? []), is);
  });
}

t.test("every class has a row in the table", async (t) => {
  t.equal(new Set(rows.map((row) => row.is)).size, 9);
});

t.test("a query without any part of a signature has no class", async (t) => {
  t.equal(urlSignatureClass(""), null);
  t.equal(urlSignatureClass("a=%20&x-oss-process=1"), null);
});

const authorization = (value: string) => ["Host", "h", "Authorization", value];
const hostRows: readonly [
  claim: string,
  signsHost: boolean,
  SignatureClass,
  query: string,
  headers: readonly string[],
][] = [
  ["V4 without a list", false, "v4-header", "", authorization(V4)],
  ["V4 with host alone", true, "v4-header", "", authorization(`${V4},AdditionalHeaders=host`)],
  ["V4 with the list in front", true, "v4-header", "", authorization("OSS4-HMAC-SHA256 AdditionalHeaders=a;host")],
  ["V4 in another case, with blanks", true, "v4-header", "", authorization(`${V4}, additionalheaders = Range ; HOST `)],
  [
    "V4 with names that only contain host",
    false,
    "v4-header",
    "",
    authorization(`${V4},AdditionalHeaders=x-host;hosts`),
  ],
  ["V4 with host elsewhere in the header", false, "v4-header", "", authorization(`${V4},AdditionalHeaders=a,x=host`)],
  ["V2 with host", true, "v2-header", "", authorization("OSS2 AccessKeyId:a,AdditionalHeaders:host;range,Signature:s")],
  ["V2 without host", false, "v2-header", "", authorization("OSS2 AccessKeyId:a,AdditionalHeaders:range,Signature:s")],
  ["a V4 URL with host", true, "v4-url", "x-oss-additional-headers=host", []],
  ["a V4 URL with an encoded list", true, "v4-url", "a=1&x-oss-additional-headers=Host%3Brange", []],
  [
    "a V4 URL with host in a repeated list",
    true,
    "v4-url",
    "x-oss-additional-headers=a&x-oss-additional-headers=host",
    [],
  ],
  ["a V4 URL with an encoded name", true, "v4-url", "x-oss-additional%2Dheaders=host", []],
  ["a V4 URL without host", false, "v4-url", "x-oss-additional-headers=range", []],
  ["a V4 URL with an empty list", false, "v4-url", "x-oss-additional-headers", []],
  ["a V2 URL with host", true, "v2-url", "x-oss-additional-headers=host%3Brange", []],
  ["the S3 dialect", true, "aws-sigv4", "", []],
  ["V1, whatever else it carries", false, "v1-url", "x-oss-additional-headers=host", authorization("OSS a:b")],
  ["a V1 header", false, "v1-header", "", authorization("OSS a:b")],
  ["no signature", false, "anonymous", "", []],
];

for (const [claim, expected, signatureClass, query, headers] of hostRows) {
  t.test(`${claim} ${expected ? "signs" : "does not sign"} the host`, async (t) => {
    t.equal(signsHost(signatureClass, query, headers), expected);
  });
}
