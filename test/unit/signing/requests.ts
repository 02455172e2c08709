import { type HeaderList, headerValue } from "../../../src/core/headers.js";
import { Secret } from "../../../src/core/secret.js";
import { enc, parseQuery } from "../../../src/signing/canonical.js";
import { classify } from "../../../src/signing/classify.js";
import { presignV1Url, presignV4Url, signV1Header, signV4Header } from "../../../src/signing/sign.js";
import type { KnownCredentials, VerifyContext } from "../../../src/signing/types.js";
import { type RequestToVerify, verifyRequest } from "../../../src/signing/verify.js";

export const NOW = Date.UTC(2025, 0, 1, 12);
export const permanent = { accessKeyId: "ak", accessKeySecret: new Secret("sk") };
export const temporary: KnownCredentials = {
  accessKeyId: "STS.ak",
  accessKeySecret: new Secret("sts-sk"),
  securityToken: "CAIS+token/=",
  expiresAtMs: NOW + 3_600_000,
};
const known = new Map<string, KnownCredentials>([permanent, temporary].map((c) => [c.accessKeyId, c]));
const context: VerifyContext = {
  nowMs: NOW,
  region: "cn-hangzhou",
  product: "oss",
  findCredentials: (id) => known.get(id) ?? null,
};

export const base = { method: "GET", bucket: "examplebucket", key: "dir/图 1.txt" };
export const input = { ...base, query: [["acl", null]] as const, headers: ["Host", "h", "x-oss-meta-a", "1"] };
export const v4Options = { nowMs: NOW, region: "cn-hangzhou", product: "oss", additionalHeaders: ["host"] };

type Credentials = typeof permanent | KnownCredentials;
export const byHeader = (added: HeaderList): RequestToVerify => ({
  ...base,
  rawQuery: "acl",
  headers: [...input.headers, ...added],
});
export const byUrl = (added: string): RequestToVerify => ({
  ...base,
  rawQuery: `acl&${added}`,
  headers: input.headers,
});

/** A valid request of each form that can be made here, by any key. */
export const forms: Readonly<Record<string, (by: Credentials) => RequestToVerify>> = {
  "v1-header": (by) => byHeader(signV1Header(input, by, NOW)),
  "v1-url": (by) => byUrl(presignV1Url(input, by, NOW / 1000 + 60)),
  "v4-header": (by) => byHeader(signV4Header(input, by, v4Options)),
  "v4-url": (by) => byUrl(presignV4Url(input, by, { ...v4Options, expiresSeconds: 60 })),
};
export const form = (name: string, by: Credentials = permanent): RequestToVerify => {
  const make = forms[name];
  if (make === undefined) throw new Error(name);
  return make(by);
};

export const verify = (request: RequestToVerify, changed: Partial<VerifyContext> = {}) =>
  verifyRequest(request, classify(request.method, request.rawQuery, request.headers), { ...context, ...changed });

export const setHeader = (request: RequestToVerify, lowerName: string, value: string | null): RequestToVerify => {
  const headers: string[] = [];
  for (let i = 0; i < request.headers.length; i += 2) {
    const name = request.headers[i] as string;
    if (name.toLowerCase() !== lowerName) headers.push(name, request.headers[i + 1] as string);
  }
  if (value !== null) headers.push(lowerName, value);
  return { ...request, headers };
};
export const setQuery = (request: RequestToVerify, name: string, value: string | null): RequestToVerify => {
  const pairs = parseQuery(request.rawQuery).filter(([candidate]) => candidate !== name);
  const kept = pairs.map(([n, v]) => (v === null ? enc(n) : `${enc(n)}=${enc(v)}`));
  return { ...request, rawQuery: (value === null ? kept : [...kept, `${name}=${enc(value)}`]).join("&") };
};
export const editAuthorization = (request: RequestToVerify, edit: (authorization: string) => string): RequestToVerify =>
  setHeader(request, "authorization", edit(headerValue(request.headers, "authorization") ?? ""));
