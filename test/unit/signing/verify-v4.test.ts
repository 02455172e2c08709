import t from "tap";
import { DayKeyCache, deriveDayKey } from "../../../src/signing/day-key.js";
import { presignV4Url, signV4Header } from "../../../src/signing/sign.js";
import * as v4 from "../../../src/signing/v4.js";
import {
  base,
  byHeader,
  byUrl,
  editAuthorization,
  form,
  input,
  NOW,
  permanent,
  setHeader,
  setQuery,
  v4Options,
  verify,
} from "./requests.js";

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

t.test("a V4 request that has Date alone, in either format, passes when it is signed so", async (t) => {
  for (const date of ["Wed, 01 Jan 2025 12:00:00 GMT", "20250101T120000Z"]) {
    const headers = ["Date", date, "x-oss-content-sha256", "UNSIGNED-PAYLOAD"];
    const canonicalRequest = v4.canonicalRequest({ ...base, query: [], headers }, []);
    const scope = { date8: "20250101", region: "cn-hangzhou", product: "oss" };
    const stringToSign = v4.stringToSign("20250101T120000Z", scope, canonicalRequest);
    const signature = v4.signature(deriveDayKey(permanent.accessKeySecret, scope), stringToSign);
    const credential = `ak/${v4.scopeText(scope)}`;
    const authorization = `OSS4-HMAC-SHA256 Credential=${credential},Signature=${signature}`;
    t.match(
      verify({ ...base, rawQuery: "", headers: [...headers, "Authorization", authorization] }),
      { ok: true },
      date,
    );
  }
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

t.test("a cache of day keys changes no verdict", async (t) => {
  const dayKeys = new DayKeyCache(4);
  t.match(verify(form("v4-url"), { dayKeys }), { ok: true });
  t.match(verify(form("v4-header"), { dayKeys }), { ok: true });
  t.equal(dayKeys.size, 1);
  t.match(verify({ ...form("v4-header"), key: "x" }, { dayKeys }), { code: "SignatureDoesNotMatch" });
});
