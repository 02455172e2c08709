import t from "tap";
import { type HeaderList, headerValue } from "../../../src/core/headers.js";
import { Secret } from "../../../src/core/secret.js";
import { enc, parseQuery } from "../../../src/signing/canonical.js";
import { classify } from "../../../src/signing/classify.js";
import { DayKeyCache } from "../../../src/signing/day-key.js";
import { presignV1Url, presignV4Url, signV1Header, signV4Header } from "../../../src/signing/sign.js";
import type { KnownCredentials, SignatureClass, VerifyContext } from "../../../src/signing/types.js";
import { type RequestToVerify, verifyRequest } from "../../../src/signing/verify.js";

const NOW = Date.UTC(2025, 0, 1, 12);
const permanent = { accessKeyId: "ak", accessKeySecret: new Secret("sk") };
const temporary: KnownCredentials = {
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

const base = { method: "GET", bucket: "examplebucket", key: "dir/图 1.txt" };
const input = { ...base, query: [["acl", null]] as const, headers: ["Host", "h", "x-oss-meta-a", "1"] };
const v4Options = { nowMs: NOW, region: "cn-hangzhou", product: "oss", additionalHeaders: ["host"] };

type Credentials = typeof permanent | KnownCredentials;
const byHeader = (added: HeaderList): RequestToVerify => ({
  ...base,
  rawQuery: "acl",
  headers: [...input.headers, ...added],
});
const byUrl = (added: string): RequestToVerify => ({ ...base, rawQuery: `acl&${added}`, headers: input.headers });

/** A valid request of each form that can be made here, by any key. */
const forms: Readonly<Record<string, (by: Credentials) => RequestToVerify>> = {
  "v1-header": (by) => byHeader(signV1Header(input, by, NOW)),
  "v1-url": (by) => byUrl(presignV1Url(input, by, NOW / 1000 + 60)),
  "v4-header": (by) => byHeader(signV4Header(input, by, v4Options)),
  "v4-url": (by) => byUrl(presignV4Url(input, by, { ...v4Options, expiresSeconds: 60 })),
};
const form = (name: string, by: Credentials = permanent): RequestToVerify => {
  const make = forms[name];
  if (make === undefined) throw new Error(name);
  return make(by);
};

const verify = (request: RequestToVerify, changed: Partial<VerifyContext> = {}) =>
  verifyRequest(request, classify(request.method, request.rawQuery, request.headers), { ...context, ...changed });

const setHeader = (request: RequestToVerify, lowerName: string, value: string | null): RequestToVerify => {
  const headers: string[] = [];
  for (let i = 0; i < request.headers.length; i += 2) {
    const name = request.headers[i] as string;
    if (name.toLowerCase() !== lowerName) headers.push(name, request.headers[i + 1] as string);
  }
  if (value !== null) headers.push(lowerName, value);
  return { ...request, headers };
};
const setQuery = (request: RequestToVerify, name: string, value: string | null): RequestToVerify => {
  const pairs = parseQuery(request.rawQuery).filter(([candidate]) => candidate !== name);
  const kept = pairs.map(([n, v]) => (v === null ? enc(n) : `${enc(n)}=${enc(v)}`));
  return { ...request, rawQuery: (value === null ? kept : [...kept, `${name}=${enc(value)}`]).join("&") };
};
const editAuthorization = (request: RequestToVerify, edit: (authorization: string) => string): RequestToVerify =>
  setHeader(request, "authorization", edit(headerValue(request.headers, "authorization") ?? ""));

for (const name of Object.keys(forms)) {
  const signatureClass = name as SignatureClass;
  t.test(`${name}: a good request of a permanent and of a temporary key passes`, async (t) => {
    t.same(verify(form(name)), { ok: true, signatureClass, accessKeyId: "ak" });
    t.same(verify(form(name, temporary)), { ok: true, signatureClass, accessKeyId: "STS.ak" });
  });

  t.test(`${name}: a changed secret, method, bucket, key, header or parameter is SignatureDoesNotMatch`, async (t) => {
    const request = form(name);
    const wrongSecret = { findCredentials: () => ({ ...permanent, accessKeySecret: new Secret("other") }) };
    const verdicts = [
      verify(request, wrongSecret),
      verify({ ...request, method: "HEAD" }),
      verify({ ...request, bucket: "otherbucket" }),
      verify({ ...request, key: "dir/图  1.txt" }),
      verify(setHeader(request, "x-oss-meta-a", "2")),
      verify(setHeader(request, "content-type", "text/plain")),
      verify(setQuery(request, "acl", null)),
      verify(setQuery(request, "x-oss-process", "style/a")),
    ];
    for (const verdict of verdicts) t.match(verdict, { ok: false, status: 403, code: "SignatureDoesNotMatch" });
  });

  t.test(`${name}: an unknown key id is InvalidAccessKeyId`, async (t) => {
    t.match(verify(form(name), { findCredentials: () => null }), {
      ok: false,
      status: 403,
      code: "InvalidAccessKeyId",
      ec: "0002-00000902",
      extra: [["OSSAccessKeyId", "ak"]],
    });
  });

  t.test(`${name}: another token, none, or one with a permanent key is InvalidSecurityToken`, async (t) => {
    const other = { ...temporary, securityToken: "other" };
    const expected = { ok: false, status: 403, code: "InvalidSecurityToken", ec: "0002-00000006" };
    t.match(verify(form(name, other)), { ...expected, extra: [["SecurityToken", "other"]] });
    t.match(verify(form(name, { ...permanent, accessKeyId: "STS.ak" })), {
      ...expected,
      extra: [["SecurityToken", ""]],
    });
    t.match(verify(form(name, { ...permanent, securityToken: "t" })), expected);
  });

  t.test(`${name}: a token is alive until its last millisecond, then it is SecurityTokenExpired`, async (t) => {
    const findCredentials = (expiresAtMs: number) => () => ({ ...temporary, expiresAtMs });
    t.match(verify(form(name, temporary), { findCredentials: findCredentials(NOW + 1) }), { ok: true });
    t.match(verify(form(name, temporary), { findCredentials: findCredentials(NOW) }), {
      ok: false,
      status: 403,
      code: "SecurityTokenExpired",
      message: "The security token you provided has expired.",
      ec: "0002-00000007",
      extra: [["SecurityToken", "CAIS+token/="]],
    });
  });
}

t.test("a token is looked for only where its form carries it", async (t) => {
  const v1 = setHeader(
    setQuery(form("v1-url", temporary), "security-token", null),
    "x-oss-security-token",
    "CAIS+token/=",
  );
  t.match(verify(v1), { code: "InvalidSecurityToken" });
  const v4 = setQuery(
    setHeader(form("v4-header", temporary), "x-oss-security-token", null),
    "x-oss-security-token",
    "CAIS+token/=",
  );
  t.match(verify(v4), { code: "InvalidSecurityToken" });
});

t.test("a V1 mismatch tells the client what was signed", async (t) => {
  const request = editAuthorization(form("v1-header"), () => "OSS ak:AAAA");
  const stringToSign =
    "GET\n\n\nWed, 01 Jan 2025 12:00:00 GMT\nx-oss-date:Wed, 01 Jan 2025 12:00:00 GMT\nx-oss-meta-a:1\n/examplebucket/dir/图 1.txt?acl";
  const bytes = Buffer.from(stringToSign).toString("hex").toUpperCase().match(/../g)?.join(" ");
  t.same(verify(request), {
    ok: false,
    status: 403,
    code: "SignatureDoesNotMatch",
    message:
      "The request signature we calculated does not match the signature you provided. Check your key and signing method.",
    ec: "0002-00000040",
    extra: [
      ["OSSAccessKeyId", "ak"],
      ["SignatureProvided", "AAAA"],
      ["StringToSign", stringToSign],
      ["StringToSignBytes", bytes],
    ],
  });
});

t.test("a V4 mismatch tells the canonical request too", async (t) => {
  const verdict = verify(setQuery(form("v4-url"), "x-oss-signature", "0".repeat(64)));
  t.match(verdict, { code: "SignatureDoesNotMatch", ec: "0002-00000201" });
  const extra = new Map("extra" in verdict ? verdict.extra : []);
  t.same([...extra.keys()].slice(0, 3), ["OSSAccessKeyId", "SignatureProvided", "StringToSign"]);
  t.match(
    extra.get("CanonicalRequest"),
    "GET\n/examplebucket/dir/%E5%9B%BE%201.txt\nacl&x-oss-additional-headers=host&",
  );
  t.match(
    extra.get("StringToSign"),
    "OSS4-HMAC-SHA256\n20250101T120000Z\n20250101/cn-hangzhou/oss/aliyun_v4_request\n",
  );
});

for (const name of ["v1-header", "v4-header"]) {
  t.test(`${name}: a clock may be 15 minutes off either way and no more`, async (t) => {
    for (const offMs of [-900_000, 900_000])
      t.match(verify(form(name), { nowMs: NOW + offMs }), { ok: true }, `${offMs}`);
    for (const offMs of [-901_000, 901_000]) {
      t.match(verify(form(name), { nowMs: NOW + offMs }), {
        status: 403,
        code: "RequestTimeTooSkewed",
        message: "The difference between the request time and the current time is too large.",
        ec: "0002-00000504",
        extra: [
          ["RequestTime", "2025-01-01T12:00:00.000Z"],
          ["ServerTime", new Date(NOW + offMs).toISOString()],
        ],
      });
    }
  });

  t.test(`${name}: without a date, or with one that is none, access is denied with EC 503`, async (t) => {
    const expected = { status: 403, code: "AccessDenied", ec: "0002-00000503" };
    t.match(verify(setHeader(form(name), "x-oss-date", null)), expected);
    t.match(verify(setHeader(form(name), "x-oss-date", "yesterday")), expected);
  });
}

t.test("x-oss-date goes before Date, and Date alone serves in V1 and, in both formats, in V4", async (t) => {
  t.match(verify(setHeader(form("v1-header"), "date", "Thu, 02 Jan 2020 12:00:00 GMT")), { ok: true });
  const dateOnly = (name: string, date: string) =>
    verify(setHeader(setHeader(form(name), "x-oss-date", null), "date", date));
  for (const [name, date] of [
    ["v1-header", "Wed, 01 Jan 2025 12:00:00 GMT"],
    ["v4-header", "Wed, 01 Jan 2025 12:00:00 GMT"],
    ["v4-header", "20250101T120000Z"],
  ] as const) {
    t.match(dateOnly(name, date), { code: "SignatureDoesNotMatch" }, "the date is read, though x-oss-date was signed");
  }
});

t.test("a V1 URL lives through its last second", async (t) => {
  const request = form("v1-url");
  t.match(verify(request, { nowMs: NOW + 60_000 }), { ok: true });
  t.same(verify(request, { nowMs: NOW + 60_001 }), {
    ok: false,
    status: 403,
    code: "AccessDenied",
    message: "Request has expired.",
    ec: "0002-00000069",
    extra: [
      ["Expires", "2025-01-01T12:01:00.000Z"],
      ["ServerTime", "2025-01-01T12:01:00.001Z"],
    ],
  });
});

t.test("a V1 URL without one of its three parameters is denied", async (t) => {
  for (const name of ["OSSAccessKeyId", "Expires", "Signature"]) {
    const request = setQuery(form("v1-url"), name, null);
    t.match(verify(request), { status: 403, code: "AccessDenied", ec: "0002-00000037" }, name);
  }
});

t.test("an Expires that is no count of seconds is denied with EC 070", async (t) => {
  for (const expires of ["abc", "", "-1", "1.5", "1e9", " 1"]) {
    const verdict = verify(setQuery(form("v1-url"), "Expires", expires));
    t.match(verdict, {
      status: 403,
      code: "AccessDenied",
      message: "Invalid date (should be seconds since epoch)",
      ec: "0002-00000070",
    });
  }
});

t.test("the first of repeated V1 parameters counts", async (t) => {
  const request = form("v1-url");
  t.match(verify({ ...request, rawQuery: `${request.rawQuery}&Expires=1&Signature=x&acl=2` }), { ok: true });
  t.match(verify({ ...request, rawQuery: `Expires=1&${request.rawQuery}` }), { message: "Request has expired." });
});

t.test("what V1 does not sign may be added", async (t) => {
  const request = form("v1-url");
  const more = { ...request, rawQuery: `${request.rawQuery}&utm=1`, headers: [...request.headers, "Via", "1.1 x"] };
  t.match(verify(more), { ok: true });
});

t.test("a V4 URL is good from 15 minutes before its date until its last second", async (t) => {
  const request = form("v4-url");
  t.match(verify(request, { nowMs: NOW - 900_000 }), { ok: true });
  t.match(verify(request, { nowMs: NOW - 900_001 }), { status: 403, code: "AccessDenied", ec: "0002-00000235" });
  t.match(verify(request, { nowMs: NOW + 60_000 }), { ok: true });
  t.match(verify(request, { nowMs: NOW + 60_001 }), {
    status: 403,
    code: "AccessDenied",
    message: "Request has expired.",
    extra: [
      ["Expires", "2025-01-01T12:01:00.000Z"],
      ["ServerTime", "2025-01-01T12:01:00.001Z"],
    ],
  });
});

t.test("a V4 URL lives between a second and a week", async (t) => {
  for (const expiresSeconds of [1, 604_800]) {
    t.match(verify(byUrl(presignV4Url(input, permanent, { ...v4Options, expiresSeconds }))), { ok: true });
  }
  for (const expires of ["0", "604801", "-5", "abc", "", "1e3"]) {
    const verdict = verify(setQuery(form("v4-url"), "x-oss-expires", expires));
    t.match(verdict, { status: 400, code: "InvalidArgument", ec: "0002-00000232" }, expires);
  }
});

t.test("a V4 URL with a part missing is denied", async (t) => {
  const ecs = {
    "x-oss-signature-version": "0002-00000037",
    "x-oss-credential": "0002-00000037",
    "x-oss-date": "0002-00000037",
    "x-oss-signature": "0002-00000037",
    "x-oss-expires": "0002-00000215",
  };
  for (const [name, ec] of Object.entries(ecs)) {
    t.match(verify(setQuery(form("v4-url"), name, null)), { status: 403, code: "AccessDenied", ec }, name);
  }
});

t.test("a V4 signature for another region, product or day is refused with its own EC", async (t) => {
  const scopes = [
    ["20250101/cn-beijing/oss/aliyun_v4_request", "0002-00000228", "0002-00000226"],
    ["20250101/oss-cn-hangzhou/oss/aliyun_v4_request", "0002-00000228", "0002-00000226"],
    ["20250101/cn-hangzhou/oss-cloudbox/aliyun_v4_request", "0002-00000227", "0002-00000227"],
    ["20241231/cn-hangzhou/oss/aliyun_v4_request", "0002-00000212", "0002-00000223"],
    ["2025-01-01/cn-hangzhou/oss/aliyun_v4_request", "0002-00000212", "0002-00000223"],
    ["20250101/cn-hangzhou/oss/aws4_request", "0002-00000202", "0002-00000202"],
    ["20250101/cn-hangzhou/oss", "0002-00000202", "0002-00000202"],
    ["20250101/cn-hangzhou/oss/aliyun_v4_request/x", "0002-00000202", "0002-00000202"],
  ] as const;
  for (const [scope, headerEc, urlEc] of scopes) {
    const header = editAuthorization(form("v4-header"), (a) => a.replace(/ak\/[^,]+/, `ak/${scope}`));
    t.match(verify(header), { status: 400, code: "InvalidArgument", ec: headerEc }, scope);
    const url = setQuery(form("v4-url"), "x-oss-credential", `ak/${scope}`);
    t.match(verify(url), { status: 400, code: "InvalidArgument", ec: urlEc }, scope);
  }
});

t.test("a wrong region is named as OSS names it", async (t) => {
  t.match(verify(form("v4-header"), { region: "cn-beijing" }), {
    message: "Invalid signing region in Authorization header.",
  });
});

t.test("a host that tells no region takes the signer's, a CloudBox host its product", async (t) => {
  t.match(verify(form("v4-header"), { region: null }), { ok: true });
  const options = { ...v4Options, region: "cb-123", product: "oss-cloudbox" };
  const request = byHeader(signV4Header(input, permanent, options));
  t.match(verify(request, { region: "cb-123", product: "oss-cloudbox" }), { ok: true });
});

t.test("a malformed Authorization header is refused with the EC of its fault", async (t) => {
  const v4 = headerValue(form("v4-header").headers, "authorization") ?? "";
  const faults = [
    ["OSS ak", "0002-00000062"],
    ["OSS :sig", "0002-00000062"],
    ["OSS ak:", "0002-00000065"],
    ["OSS", "0002-00000061"],
    ["oss ak:sig", "0002-00000061"],
    ["Bearer abc", "0002-00000061"],
    ["OSS2 AccessKeyId:ak", "0002-00000104"],
    ["OSS2 AccessKeyId:ak,Signature:s,Other:x", "0002-00000104"],
    [v4.replace("OSS4-HMAC-SHA256", "OSS4-HMAC-SM3"), "0002-00000061"],
    [v4.replace("Credential=", "Cred="), "0002-00000202"],
    [v4.replaceAll(",", ""), "0002-00000202"],
    [v4.replace(",Signature=", ",Nothing="), "0002-00000202"],
    [`${v4},Signature=0`, "0002-00000202"],
    [v4.replace("Credential=ak/", "Credential=/"), "0002-00000206"],
    [v4.replace(/Signature=.*/, "Signature="), "0002-00000208"],
  ] as const;
  for (const [authorization, ec] of faults) {
    const verdict = verify(editAuthorization(form("v4-header"), () => authorization));
    t.match(verdict, {
      status: 400,
      code: "InvalidArgument",
      ec,
      extra: [
        ["ArgumentName", "Authorization"],
        ["ArgumentValue", authorization],
      ],
    });
  }
});

t.test("two Authorization headers are refused", async (t) => {
  const request = form("v1-header");
  const twice = { ...request, headers: [...request.headers, "Authorization", "OSS ak:other"] };
  t.match(verify(twice), { status: 400, code: "InvalidArgument" });
});

t.test("the fields of a V4 header may come in any order, with blanks", async (t) => {
  const shuffled = editAuthorization(form("v4-header"), (a) => {
    const [credential, list, signature] = a.slice("OSS4-HMAC-SHA256 ".length).split(",");
    return `OSS4-HMAC-SHA256  ${signature} , ${credential}, ${list}`;
  });
  t.match(verify(shuffled), { ok: true });
});

t.test("a list of additional headers must be names of headers of the request", async (t) => {
  const lists = [
    ["", "0002-00000209"],
    [" ", "0002-00000209"],
    ["host;", "0002-00000210"],
    [";host", "0002-00000210"],
    ["host;;range", "0002-00000210"],
    ["host;range", "0002-00000211"],
    ["host;x_y", "0002-00000211"],
  ] as const;
  const request = (name: string) => ({ ...form(name), headers: [...form(name).headers, "x_y", "1"] });
  for (const [list, ec] of lists) {
    const header = editAuthorization(request("v4-header"), (a) =>
      a.replace(/AdditionalHeaders=[^,]*/, `AdditionalHeaders=${list}`),
    );
    t.match(verify(header), { status: 400, code: "InvalidArgument", ec }, `header: ${list}`);
    const url = setQuery(request("v4-url"), "x-oss-additional-headers", list);
    t.match(verify(url), { status: 400, code: "InvalidArgument", ec }, `URL: ${list}`);
  }
});

t.test("an additional header is signed: another Host does not verify", async (t) => {
  for (const name of ["v4-header", "v4-url"]) {
    t.match(verify(setHeader(form(name), "host", "other")), { code: "SignatureDoesNotMatch" });
  }
  t.match(verify(setHeader(form("v1-url"), "host", "other")), { ok: true }, "V1 does not sign it");
});

t.test("a list may repeat names, and name what is signed anyway", async (t) => {
  const list = "AdditionalHeaders=x-oss-date;HOST;host";
  t.match(verify(editAuthorization(form("v4-header"), (a) => a.replace("AdditionalHeaders=host", list))), { ok: true });
});

t.test("a V4 header needs x-oss-content-sha256, and only the literal is taken", async (t) => {
  const expected = { status: 400, code: "InvalidArgument" };
  t.match(verify(setHeader(form("v4-header"), "x-oss-content-sha256", null)), expected);
  t.match(verify(setHeader(form("v4-header"), "x-oss-content-sha256", "0".repeat(64))), expected);
  t.match(verify(setHeader(form("v4-url"), "x-oss-content-sha256", "0".repeat(64))), expected);
});

t.test("a V4 URL with a date that is none is refused with EC 223", async (t) => {
  for (const date of ["2025-01-01T12:00:00Z", "20250101", "20250101T120060Z"]) {
    t.match(verify(setQuery(form("v4-url"), "x-oss-date", date)), { status: 400, ec: "0002-00000223" }, date);
  }
});

t.test("an unlisted parameter breaks V4, which signs them all", async (t) => {
  for (const name of ["v4-header", "v4-url"]) {
    t.match(verify(setQuery(form(name), "utm", "1")), { code: "SignatureDoesNotMatch" });
  }
});

t.test("a signature in the URL beside any Authorization header is refused with EC 039", async (t) => {
  const expected = { status: 400, code: "InvalidArgument", ec: "0002-00000039" };
  for (const name of ["v1-url", "v4-url"]) {
    for (const authorization of ["OSS ak:sig", "Basic x"]) {
      t.match(verify(setHeader(form(name), "authorization", authorization)), expected, `${name} ${authorization}`);
    }
  }
  t.match(verify({ ...form("v4-header"), rawQuery: "acl&x-oss-signature=0" }), expected);
});

t.test("time is checked before the key, the key before the signature", async (t) => {
  const late = { nowMs: NOW + 86_400_000 };
  const nobody = { findCredentials: () => null };
  const bad = (name: string) => ({ ...form(name), method: "DELETE" });
  t.match(verify(bad("v1-url"), { ...late, ...nobody }), { message: "Request has expired." });
  t.match(verify(bad("v1-header"), { ...late, ...nobody }), { code: "RequestTimeTooSkewed" });
  t.match(verify(bad("v1-header"), nobody), { code: "InvalidAccessKeyId" });
});

t.test("V2 URLs expire and must be complete", async (t) => {
  const url = (query: string) =>
    verify({ ...base, headers: [], rawQuery: `x-oss-signature-version=OSS2&x-oss-signature=s${query}` });
  const id = "&x-oss-access-key-id=ak";
  t.match(url(id), { status: 403, code: "AccessDenied", ec: "0002-00000113" });
  t.match(url("&x-oss-expires=9999999999"), { status: 403, code: "AccessDenied", ec: "0002-00000037" });
  t.match(url(`${id}&x-oss-expires=1`), { message: "Request has expired." });
  t.match(url(`${id}&x-oss-expires=x`), { ec: "0002-00000070" });
  t.match(url(`${id}&x-oss-expires=9999999999&x-oss-additional-headers=range`), { status: 400, ec: "0002-00000077" });
  t.match(url(`${id}&x-oss-expires=9999999999`), { code: "SignatureDoesNotMatch", ec: "0002-00000101" });
});

t.test("V2 headers need a date in time and a list of present headers", async (t) => {
  const header = (date: string, list: string) =>
    verify({
      ...base,
      rawQuery: "",
      headers: ["Date", date, "Authorization", `OSS2 AccessKeyId:ak,AdditionalHeaders:${list},Signature:s`],
    });
  const now = "Wed, 01 Jan 2025 12:00:00 GMT";
  t.match(header("", "date"), { ec: "0002-00000503" });
  t.match(header("Wed, 01 Jan 2025 12:15:01 GMT", "date"), { code: "RequestTimeTooSkewed" });
  t.match(header(now, "range"), { status: 400, ec: "0002-00000112" });
  t.match(header(now, "date"), { code: "SignatureDoesNotMatch", ec: "0002-00000101" });
});

t.test("requests without a signature pass as nobody", async (t) => {
  const plain = { ...base, rawQuery: "prefix=a", headers: [] };
  t.same(verify(plain), { ok: true, signatureClass: "anonymous", accessKeyId: null });
  const post = { ...plain, method: "POST", headers: ["content-type", "multipart/form-data; boundary=x"] };
  t.same(verify(post), { ok: true, signatureClass: "post-form", accessKeyId: null });
});

t.test("a signature of the S3 dialect never passes", async (t) => {
  const s3 = { ...base, rawQuery: "", headers: ["Authorization", "AWS4-HMAC-SHA256 Credential=ak"] };
  t.match(verify(s3), { ok: false, status: 400, code: "NotImplemented" });
  t.match(verify({ ...base, rawQuery: "X-Amz-Signature=0", headers: [] }), { ok: false, code: "NotImplemented" });
});

t.test("a cache of day keys changes no verdict", async (t) => {
  const dayKeys = new DayKeyCache(4);
  t.match(verify(form("v4-url"), { dayKeys }), { ok: true });
  t.match(verify(form("v4-header"), { dayKeys }), { ok: true });
  t.equal(dayKeys.size, 1);
  t.match(verify({ ...form("v4-header"), key: "x" }, { dayKeys }), { code: "SignatureDoesNotMatch" });
});
