import t from "tap";
import { headerValue } from "../../../src/core/headers.js";
import { Secret } from "../../../src/core/secret.js";
import type { SignatureClass } from "../../../src/signing/types.js";
import {
  base,
  editAuthorization,
  form,
  forms,
  NOW,
  permanent,
  setHeader,
  setQuery,
  temporary,
  verify,
} from "./requests.js";

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

t.test("x-oss-date goes before Date, and Date is read without it", async (t) => {
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
