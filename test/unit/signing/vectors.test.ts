import { createHash } from "node:crypto";
import t from "tap";
import { classify } from "../../../src/signing/classify.js";
import { deriveDayKey } from "../../../src/signing/day-key.js";
import { postSignatureV1, postSignatureV4 } from "../../../src/signing/post-policy.js";
import { presignV1Url } from "../../../src/signing/sign.js";
import * as v1 from "../../../src/signing/v1.js";
import * as v2 from "../../../src/signing/v2.js";
import * as v4 from "../../../src/signing/v4.js";
import { verifyRequest } from "../../../src/signing/verify.js";
import {
  contextOf,
  flat,
  inputOf,
  knownOf,
  readVectors,
  requestOf,
  scopeOf,
  secretOf,
  type Vector,
} from "./vectors.js";

const vectors = readVectors("signatures");
const extra = readVectors("extra");
const v2Vectors = extra.filter(({ kind }) => kind === "v2");
const dateOf = (v: Vector): string => (v.location === "url" ? String(v.expires) : v1.dateLine(flat(v.headers)));

t.test("all 88 published and generated signatures are there", async (t) => {
  const count = (version: string, location: string) =>
    vectors.filter((v) => v.version === version && v.location === location).length;
  t.equal(vectors.length, 88);
  t.same([count("V1", "header"), count("V1", "url"), count("V4", "header"), count("V4", "url")], [19, 22, 22, 25]);
  t.equal(v2Vectors.length, 5);
});

for (const v of vectors.filter(({ version }) => version === "V1")) {
  t.test(`${v.name}: the string to sign and the signature are the published ones`, async (t) => {
    const stringToSign = v1.stringToSign(inputOf(v), dateOf(v));
    t.equal(stringToSign, v.stringToSign);
    t.equal(v1.signature(secretOf(v), stringToSign), v.expected);
  });
}

for (const v of vectors.filter(({ version }) => version === "V4")) {
  t.test(`${v.name}: canonical request, string to sign and signature are the published ones`, async (t) => {
    const canonicalRequest = v4.canonicalRequest(inputOf(v), v4.additionalHeaderNames(v.additionalHeaders ?? []));
    const stringToSign = v4.stringToSign(v.date ?? "", scopeOf(v), canonicalRequest);
    t.equal(canonicalRequest, v.canonicalRequest);
    t.equal(stringToSign, v.stringToSign);
    t.equal(v4.signature(deriveDayKey(secretOf(v), scopeOf(v)), stringToSign), v.expected);
  });
}

for (const v of v2Vectors) {
  t.test(`${v.name}: the string to sign and the signature are those of oss2`, async (t) => {
    const names = v2.additionalHeaderNames(v.additionalHeaders ?? []);
    const stringToSign = v2.stringToSign(inputOf(v), dateOf(v), names);
    t.equal(stringToSign, v.stringToSign);
    t.equal(v2.signature(secretOf(v), stringToSign), v.expected);
  });
}

for (const v of [...vectors, ...v2Vectors]) {
  const signatureClass = `${v.version.toLowerCase()}-${v.location}`;
  t.test(`${v.name}: the request that carries the signature is ${signatureClass} and verifies`, async (t) => {
    const request = requestOf(v);
    const found = classify(request.method, request.rawQuery, request.headers);
    t.equal(found, signatureClass);
    const verdict = verifyRequest(request, found, contextOf(v));
    t.same(verdict, { ok: true, signatureClass: found, accessKeyId: v.accessKeyId });
  });

  t.test(`${v.name}: with another method or another key it does not verify`, async (t) => {
    const request = requestOf(v);
    const found = classify(request.method, request.rawQuery, request.headers);
    for (const changed of [{ method: "DELETE" }, { key: `${request.key}x`, bucket: request.bucket || "b" }]) {
      t.match(verifyRequest({ ...request, ...changed }, found, contextOf(v)), {
        ok: false,
        status: 403,
        code: "SignatureDoesNotMatch",
      });
    }
  });
}

t.test("a V4 signature from a given signing key is the published one", async (t) => {
  const v = extra.find(({ kind }) => kind === "v4-header-signing-key-given") as Vector;
  const input = { ...inputOf({ ...v, query: {}, location: "header" }) };
  const canonicalRequest = v4.canonicalRequest(input, v4.additionalHeaderNames(v.additionalHeaders ?? []));
  t.equal(createHash("sha256").update(canonicalRequest).digest("hex"), v.canonicalRequestSha256);
  const stringToSign = v4.stringToSign(v.date ?? "", scopeOf(v), canonicalRequest);
  t.equal(v4.signature(Buffer.from(v.signingKeyHex ?? "", "hex"), stringToSign), v.expected);
});

for (const v of extra.filter(({ kind }) => kind === "post-v1")) {
  t.test(`${v.name}: the signature of the form is the published one`, async (t) => {
    t.equal(postSignatureV1(secretOf(v), v.policyBase64 ?? ""), v.expected);
  });
}

for (const v of extra.filter(({ kind }) => kind === "post-v4")) {
  t.test(`${v.name}: the signature of the form is that of ali-oss`, async (t) => {
    t.equal(postSignatureV4(deriveDayKey(secretOf(v), scopeOf(v)), v.policyBase64 ?? ""), v.expected);
  });
}

for (const v of extra.filter(({ kind }) => kind === "hls-ts-line")) {
  t.test(`${v.name}: a segment's URL is signed and written as OSS writes it`, async (t) => {
    const { segmentKey, outputLine } = v as Vector & { readonly segmentKey: string; readonly outputLine: string };
    const input = { method: "GET", bucket: v.bucket, key: segmentKey, query: [], headers: [] };
    t.equal(presignV1Url(input, knownOf(v), Number(v.expires)), outputLine.slice(outputLine.indexOf("?") + 1));
  });
}

// The gateway makes no RTMP URLs; their signature is the one of V1 over a text of their own.
for (const v of extra.filter(({ kind }) => kind === "rtmp")) {
  t.test(`${v.name}: the signature of an RTMP URL is V1's`, async (t) => {
    t.equal(v1.signature(secretOf(v), v.stringToSign), v.expected);
  });
}

t.test(
  "all 25 other vectors are there, each kind with the tests that it has here or with its own subject",
  async (t) => {
    const here = ["v2", "v4-header-signing-key-given", "post-v1", "post-v4", "hls-ts-line", "rtmp"];
    const elsewhere = ["crc64", "crc64-combine", "callback-rsa"];
    const count = (kinds: readonly string[]) => extra.filter(({ kind }) => kinds.includes(kind ?? "")).length;
    t.same([extra.length, count(here), count(elsewhere)], [25, 16, 9]);
  },
);
