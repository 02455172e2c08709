import { createRequire } from "node:module";
import fc from "fast-check";
import t from "tap";
import type { OssCredentials } from "../../../src/core/secret.js";
import { hasDotSegment } from "../../../src/core/target.js";
import type { Issuer } from "../../../src/issue/issuer.js";
import type { PresignMethod } from "../../../src/issue/presign.js";
import { parsePublicUrl } from "../../../src/issue/public-url.js";
import { queryValue } from "../../../src/signing/canonical.js";
import { parseIsoBasicMs } from "../../../src/signing/time.js";
import { verifyRequest } from "../../../src/signing/verify.js";
import { requestOfUrl } from "../signing/ali-oss.js";
import { issued, KEYS, makeIssuer, NOW_MS, NOW_SECONDS, refusal, STS } from "./issuer.js";

// ali-oss has no types of its own; these are the parts that the tests use.
interface AliClient {
  signatureUrl(name: string, options: Record<string, unknown>, isStrict?: boolean): string;
  signatureUrlV4(method: string, expires: number, request: Record<string, unknown>, name: string): Promise<string>;
}

const Client = createRequire(import.meta.url)("ali-oss") as new (options: Record<string, unknown>) => AliClient;

const aliClient = ({ accessKeyId, accessKeySecret, securityToken }: OssCredentials): AliClient =>
  new Client({
    accessKeyId,
    accessKeySecret: accessKeySecret.reveal(),
    ...(securityToken === undefined ? {} : { stsToken: securityToken }),
    bucket: "examplebucket",
    region: "oss-cn-beijing",
    endpoint: "http://img.example.com",
    cname: true,
  });

// Far from now: the clock of ali-oss is the machine's, and these must not expire by it.
const LONG_LIVED: OssCredentials = { ...STS, expiresAtMs: Date.parse("2100-01-01T00:00:00Z") };
const SIGNERS: readonly OssCredentials[] = [KEYS, LONG_LIVED];

/** The clock by which ali-oss made a URL. */
function clockOf(url: string, expiresInSeconds: number): number {
  const parsed = parsePublicUrl(url);
  if (!("query" in parsed)) throw new Error(parsed.message);
  const date = queryValue(parsed.query, "x-oss-date");
  const expires = Number(queryValue(parsed.query, "Expires"));
  return date === undefined ? (expires - expiresInSeconds) * 1_000 : (parseIsoBasicMs(date) ?? Number.NaN);
}

const keyed = (keys: OssCredentials): Issuer => makeIssuer({ reader: keys, writer: KEYS });
type Case = readonly [what: string, method: PresignMethod, ali: AliParts, ours: Parameters<Issuer["presign"]>[0]];
interface AliParts {
  readonly process?: string;
  readonly response?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
}

const CASES: readonly Case[] = [
  ["a GET", "GET", {}, {}],
  ["a HEAD", "HEAD", {}, { method: "HEAD" }],
  [
    "a PUT with a type",
    "PUT",
    { headers: { "Content-Type": "image/png" } },
    { method: "PUT", headers: { "content-type": "image/png" } },
  ],
  [
    "a PUT with headers of OSS",
    "PUT",
    { headers: { "x-oss-meta-a": "1 2", "x-oss-forbid-overwrite": "true" } },
    { method: "PUT", headers: { "x-oss-meta-a": "1 2", "x-oss-forbid-overwrite": "true" } },
  ],
  ["a process", "GET", { process: "image/resize,w_100/format,png" }, { process: "image/resize,w_100/format,png" }],
  [
    "overrides of the answer's headers",
    "GET",
    {
      response: {
        "content-type": "text/plain; charset=utf-8",
        "content-disposition": 'attachment; filename="a (1)\'s.txt"',
      },
    },
    {
      response: {
        "content-type": "text/plain; charset=utf-8",
        "response-content-disposition": 'attachment; filename="a (1)\'s.txt"',
      },
    },
  ],
];

const KEYS_TO_SIGN = ["plain.txt", "a b+c%25.txt", "照片 1.txt", "😀?#&'()*!.txt", "a//b", "~._-", '[a]{b}|^`"<>\\'];

for (const [what, method, ali, mine] of CASES) {
  for (const keys of SIGNERS) {
    const who = keys.securityToken === undefined ? "" : " with a token";
    t.test(`${what}${who} is presigned to the byte as ali-oss does, V1 and V4`, async (t) => {
      for (const key of KEYS_TO_SIGN) {
        const v1 = aliClient(keys).signatureUrl(key, { method, expires: 600, ...ali, ...ali.headers });
        t.equal(presigned(v1, key, { ...mine, version: "v1" }), v1, key);
        const queries = {
          ...(ali.process === undefined ? {} : { "x-oss-process": ali.process }),
          ...Object.fromEntries(Object.entries(ali.response ?? {}).map(([name, value]) => [`response-${name}`, value])),
        };
        const v4 = await aliClient(keys).signatureUrlV4(method, 600, { headers: ali.headers ?? {}, queries }, key);
        t.equal(presigned(v4, key, mine), v4, key);
      }
      function presigned(theirs: string, key: string, request: Parameters<Issuer["presign"]>[0]): string {
        const url = `http://img.example.com/${encodeURIComponent(key)}`;
        const asked = { url, credentials: "reader", expiresInSeconds: 600, ...request };
        return issued(keyed(keys).presign(asked, clockOf(theirs, 600))).url;
      }
    });
  }
}

t.test("for any key, V1 and V4, the URL is that of ali-oss", async () => {
  const issuer = keyed(KEYS);
  const client = aliClient(KEYS);
  // ali-oss takes leading slashes off, and strips nothing else; a URL cannot carry dot segments.
  const anyKey = fc
    .string({ unit: "binary", minLength: 1 })
    .filter((key) => !/^[/?]/.test(key) && !hasDotSegment(`/${key}`));
  await fc.assert(
    fc.asyncProperty(anyKey, async (key) => {
      const url = `http://img.example.com/${encodeURIComponent(key)}`;
      const request = { url, credentials: "reader", expiresInSeconds: 600 };
      const v1 = client.signatureUrl(key, { expires: 600 });
      const v4 = await client.signatureUrlV4("GET", 600, {}, key);
      const mine = [
        issued(issuer.presign({ ...request, version: "v1" }, clockOf(v1, 600))).url,
        issued(issuer.presign(request, clockOf(v4, 600))).url,
      ];
      return mine[0] === v1 && mine[1] === v4;
    }),
  );
});

const PLACES: readonly (readonly [url: string, bucket: string, key: string, region: string])[] = [
  ["http://47.0.2.73/examplebucket/a%20b.jpg", "examplebucket", "a b.jpg", "cn-beijing"],
  ["http://47.0.2.73/otherbucket/a/b", "otherbucket", "a/b", "cn-hangzhou"],
  ["https://[2001:db8::1]:8443/examplebucket/k", "examplebucket", "k", "cn-beijing"],
  ["http://examplebucket.oss-cn-beijing.aliyuncs.com/k", "examplebucket", "k", "cn-beijing"],
  ["http://a.wild.example.com/k", "examplebucket", "k", "cn-beijing"],
  ["http://47.0.2.79/k", "examplebucket", "site/k", "cn-beijing"],
];

for (const [url, bucket, key, region] of PLACES) {
  for (const version of ["v1", "v4"] as const) {
    t.test(`${url} is presigned ${version} for the bucket and key that its route makes of it`, async (t) => {
      const { url: made } = issued(makeIssuer().presign({ url, version, credentials: "reader" }, NOW_MS));
      t.ok(made.startsWith(`${url}?`));
      const request = { ...requestOfUrl("GET", made), bucket, key };
      const verdict = verifyRequest(request, `${version}-url`, {
        nowMs: NOW_MS,
        region,
        product: "oss",
        findCredentials: (id) => (id === KEYS.accessKeyId ? KEYS : null),
      });
      t.match(verdict, { ok: true });
    });
  }
}

t.test("a URL that its credentials outlive not ends with them, and says so", async (t) => {
  const url = "http://47.0.2.73/examplebucket/a";
  for (const version of ["v1", "v4"] as const) {
    const long = issued(makeIssuer().presign({ url, version, credentials: "writer" }, NOW_MS));
    t.match(long, { isCappedByCredentials: true, expiresSeconds: NOW_SECONDS + 1_200 });
    t.match(long.url, version === "v1" ? `Expires=${NOW_SECONDS + 1_200}` : "x-oss-expires=1200&");
    const short = { url, version, credentials: "writer", expiresInSeconds: 1_199 };
    t.match(issued(makeIssuer().presign(short, NOW_MS)), { isCappedByCredentials: false });
  }
  const dying = makeIssuer({ writer: { ...STS, expiresAtMs: NOW_MS + 100 } });
  t.match(refusal(dying.presign({ url, credentials: "writer" }, NOW_MS)), { status: 503 });
});

type Request = Parameters<Issuer["presign"]>[0];
const IMG = { url: "http://img.example.com/a", credentials: "reader" };

const REFUSED: readonly (readonly [claim: string, request: Request, status: number, words: RegExp])[] = [
  ["without credentials to choose", { url: IMG.url }, 400, /Say which credentials sign. There is reader, writer/],
  ["with unknown credentials", { ...IMG, credentials: "nobody" }, 404, /nobody/],
  ["V4 for more than seven days", { ...IMG, expiresInSeconds: 604_801 }, 400, /7d/],
  ["V1 for twenty years", { ...IMG, version: "v1", expiresInSeconds: 20 * 366 * 86_400 }, 400, /far ahead/],
  ["of a bucket", { ...IMG, url: "http://img.example.com/" }, 400, /no object/],
  ["of a bucket in path style", { ...IMG, url: "http://47.0.2.73/examplebucket/" }, 400, /no object/],
  [
    "of a bucket that the address does not serve",
    { ...IMG, url: "http://47.0.2.73/elsewhere/a" },
    404,
    /examplebucket/,
  ],
  ["V4 of a bucket without a region", { ...IMG, url: "http://47.0.2.73/nowherebucket/a" }, 422, /no region/],
  ["for a method that the route does not have", { ...IMG, url: "http://47.0.2.74/a", method: "PUT" }, 422, /not PUT/],
  ["where stripPrefix changes the key", { ...IMG, url: "http://47.0.2.75/up/a" }, 422, /stripPrefix/],
  ["where keyPrefix changes the key", { ...IMG, url: "http://47.0.2.76/a" }, 422, /keyPrefix/],
  ["where only links are admitted", { ...IMG, url: "http://47.0.2.77/a" }, 422, /link/],
  ["where the route signs for its clients", { ...IMG, url: "http://vod.example.com/a" }, 422, /clientSignatures/],
  ["for a callback route", { ...IMG, url: "http://img.example.com/oss-callback/a" }, 422, /callbacks/],
  [
    "with credentials that the route does not verify",
    { url: "http://47.0.2.79/a", credentials: "writer" },
    422,
    /reader/,
  ],
  [
    "with a style that the verifying route would not sign",
    { url: "http://47.0.2.79/a", process: "style/x" },
    422,
    /process/,
  ],
  ["with a header that is not signed", { ...IMG, headers: { accept: "*/*" } }, 400, /accept/],
  ["with a header of another signature", { ...IMG, headers: { "x-oss-date": "1" } }, 400, /x-oss-date/],
  ["with a header twice", { ...IMG, headers: { "Content-Type": "a/b", "content-type": "a/c" } }, 400, /once/],
  ["with a line break in a header", { ...IMG, headers: { "content-type": "a\r\nb: c" } }, 400, /ASCII/],
  [
    "with a client's address, which OSS would not see",
    { ...IMG, parameters: { "x-oss-ac-source-ip": "1" } },
    400,
    /gateway/,
  ],
  [
    "of a key that begins with the bucket's name on its OSS host",
    {
      ...IMG,
      url: "http://examplebucket.oss-cn-beijing.aliyuncs.com/examplebucket/a",
    },
    422,
    /path style/,
  ],
];

for (const [claim, request, status, words] of REFUSED) {
  t.test(`a presigned URL ${claim} is refused`, async (t) => {
    const refused = refusal(makeIssuer().presign(request, NOW_MS));
    t.equal(refused?.status, status);
    t.match(refused?.message, words);
  });
}

t.test("a route that verifies signs with its own credentials, and others are not asked for", async (t) => {
  const { url } = issued(makeIssuer().presign({ url: "http://47.0.2.79/a", process: "style/thumb" }, NOW_MS));
  t.match(url, KEYS.accessKeyId);
});

t.test("credentials that are not there yet are said so", async (t) => {
  t.match(refusal(makeIssuer({}).presign(IMG, NOW_MS)), { status: 503, message: /reader/ });
});
