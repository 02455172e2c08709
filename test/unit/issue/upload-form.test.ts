import t from "tap";
import type { Issuer } from "../../../src/issue/issuer.js";
import { checkCallbackToken } from "../../../src/policy/callback-token.js";
import { CALLBACK_SECRET, issued, KEYS, makeIssuer, NOW_MS, NOW_SECONDS, refusal, STS } from "./issuer.js";

type Request = Parameters<Issuer["uploadForm"]>[0];

const FILE_NAME = ["$", "{filename}"].join("");
const IMG: Request = { url: "http://img.example.com", dir: "user/", credentials: "reader" };
const policyOf = (base64: string) => JSON.parse(Buffer.from(base64, "base64").toString().replaceAll("\\$", "$"));
const jsonOf = (base64: string) => JSON.parse(Buffer.from(base64, "base64").toString());

t.test("the answer has the shape of the vendor's samples, and every field to post", async (t) => {
  const form = issued(makeIssuer().uploadForm({ ...IMG, version: "v1", maxBytes: 1_000 }, NOW_MS));
  t.match(form, {
    accessid: KEYS.accessKeyId,
    host: "http://img.example.com",
    policy: form.fields.policy,
    signature: form.fields.Signature,
    expire: NOW_SECONDS + 600,
    dir: "user/",
    callback: "",
    choose: {},
    isCappedByCredentials: false,
  });
  t.match(form.fields, { key: `user/${FILE_NAME}`, success_action_status: "200", OSSAccessKeyId: KEYS.accessKeyId });
  t.same(policyOf(form.policy).conditions[1], ["starts-with", "$key", "user/"]);
  t.same(policyOf(form.policy).conditions[2], ["content-length-range", 0, 1_000]);
});

const HOSTS: readonly (readonly [request: Partial<Request>, host: string, bucket: string])[] = [
  [{ url: "http://img.example.com/" }, "http://img.example.com", "examplebucket"],
  [{ url: undefined, route: "img" }, "http://img.example.com", "examplebucket"],
  [{ url: "https://47.0.2.73/otherbucket/" }, "https://47.0.2.73/otherbucket", "otherbucket"],
  [{ url: "http://47.0.2.75/up" }, "http://47.0.2.75/up", "examplebucket"],
  [{ url: undefined, route: "up" }, "http://47.0.2.75/up", "examplebucket"],
  [{ url: "http://47.0.2.78/" }, "http://47.0.2.78", "examplebucket"],
];

for (const [request, host, bucket] of HOSTS) {
  t.test(`a form for ${request.url ?? request.route} is posted to ${host}`, async (t) => {
    const form = issued(makeIssuer().uploadForm({ ...IMG, ...request }, NOW_MS));
    t.equal(form.host, host);
    t.same(policyOf(form.policy).conditions[0], { bucket });
  });
}

t.test("a form ends with its credentials, token and all", async (t) => {
  const form = issued(makeIssuer().uploadForm({ ...IMG, credentials: "writer", expiresInSeconds: 7_200 }, NOW_MS));
  t.match(form, { expire: NOW_SECONDS + 1_200, isCappedByCredentials: true });
  t.equal(policyOf(form.policy).expiration, "2025-01-01T00:20:00.000Z");
  t.equal(form.fields["x-oss-security-token"], STS.securityToken);
});

t.test("a key of its own is the only one", async (t) => {
  const form = issued(makeIssuer().uploadForm({ ...IMG, key: `user/1/${FILE_NAME}` }, NOW_MS));
  t.equal(form.fields.key, `user/1/${FILE_NAME}`);
  t.same(policyOf(form.policy).conditions[1], ["eq", "$key", `user/1/${FILE_NAME}`]);
});

t.test("without a size the route's own limit holds, and at most OSS's", async (t) => {
  const rangeOf = (url: string) =>
    policyOf(issued(makeIssuer().uploadForm({ ...IMG, url }, NOW_MS)).policy).conditions[2];
  t.same(rangeOf("http://img.example.com"), ["content-length-range", 0, 5 * 2 ** 30]);
  t.same(rangeOf("http://47.0.2.78"), ["content-length-range", 0, 2 ** 20]);
});

t.test("types to choose from are left to the page", async (t) => {
  const ask = (contentTypes: readonly string[]) => issued(makeIssuer().uploadForm({ ...IMG, contentTypes }, NOW_MS));
  t.same(ask(["image/png"]).choose, {});
  t.equal(ask(["image/png"]).fields["Content-Type"], "image/png");
  for (const types of [["image/*"], ["image/png", "image/jpeg"]]) {
    t.same(ask(types).choose, { "Content-Type": types });
    t.notOk("Content-Type" in ask(types).fields);
  }
});

t.test("an empty dir must be said", async (t) => {
  t.match(refusal(makeIssuer().uploadForm({ ...IMG, dir: "" }, NOW_MS)), { status: 400, message: /allowEmptyDir/ });
  const form = issued(makeIssuer().uploadForm({ ...IMG, dir: "", allowEmptyDir: true }, NOW_MS));
  t.same(policyOf(form.policy).conditions[1], ["starts-with", "$key", ""]);
});

t.test("the callback's URL carries a token for this bucket and dir, which outlives the form", async (t) => {
  const request = { ...IMG, callback: { route: "calls" }, expiresInSeconds: 60 };
  const form = issued(makeIssuer().uploadForm(request, NOW_MS));
  const { callbackUrl, callbackBody, callbackBodyType } = jsonOf(form.callback);
  const [address, query = ""] = callbackUrl.split("?");
  t.equal(address, "http://img.example.com/oss-callback");
  t.same(checkCallbackToken(query, CALLBACK_SECRET, NOW_MS + 61_000), {
    ok: true,
    bucket: "examplebucket",
    keyPrefix: "user/",
  });
  t.notOk(checkCallbackToken(query, CALLBACK_SECRET, NOW_MS + 86_400_000).ok);
  t.match(callbackBody, /^bucket=\$\{bucket\}&object=\$\{object\}&/);
  t.equal(callbackBodyType, "application/x-www-form-urlencoded");
  t.equal(form.fields.callback, form.callback);
  t.same(policyOf(form.policy).conditions.at(4), ["eq", "$callback", form.callback]);
});

t.test("variables of the callback are fields of the form, and in its body", async (t) => {
  const callback = {
    url: "http://img.example.com/oss-callback/1",
    bodyType: "application/json",
    vars: { user: "5&6" },
  } as const;
  const form = issued(makeIssuer().uploadForm({ ...IMG, callback }, NOW_MS));
  t.equal(form.fields["x:user"], "5&6");
  t.same(policyOf(form.policy).conditions.at(5), ["eq", "$x:user", "5&6"]);
  t.match(jsonOf(form.callback).callbackBody, /^\{"bucket":\$\{bucket\},.*"user":\$\{x:user\}\}$/);
});

const REFUSED: readonly (readonly [claim: string, request: Partial<Request>, status: number, words: RegExp])[] = [
  ["whose dir covers its neighbours", { dir: "user" }, 400, /end with '\/'/],
  ["whose dir begins with a slash", { dir: "/user/" }, 400, /slash/],
  ["whose dir leads upwards", { dir: "user/../" }, 400, /segment/],
  ["whose dir is too long", { dir: `${"a".repeat(1_023)}/` }, 400, /1023/],
  ["whose dir has a line break", { dir: "user/\n/" }, 400, /control/],
  ["whose key is elsewhere", { key: "other/a" }, 400, /begin with dir/],
  ["whose key is the dir", { key: "user/" }, 400, /longer/],
  ["whose key leads upwards", { key: "user/../a" }, 400, /segment/],
  ["for more than OSS takes", { maxBytes: 5 * 2 ** 30 + 1 }, 400, /maxSize/],
  ["for less than nothing", { minBytes: 2, maxBytes: 1 }, 400, /minSize/],
  ["of two kinds", { contentTypes: ["image/*", "text/*"] }, 400, /contentType/],
  ["of what is no type", { contentTypes: ["image"] }, 400, /contentType/],
  ["for eight days", { expiresInSeconds: 8 * 86_400 }, 400, /7d/],
  ["for a key in the URL", { url: "http://img.example.com/user/" }, 400, /root/],
  ["for a key in path style", { url: "http://47.0.2.73/examplebucket/user/" }, 400, /root/],
  ["without a bucket in path style", { url: "http://47.0.2.73/" }, 404, /examplebucket/],
  ["V4 of a bucket without a region", { url: "http://47.0.2.73/nowherebucket" }, 422, /no region/],
  ["where POST is not allowed", { url: "http://47.0.2.74/" }, 422, /not POST/],
  ["where the path prefix is part of the key", { url: "http://47.0.2.75/deep" }, 422, /stripPrefix/],
  ["where there is a keyPrefix", { url: "http://47.0.2.76/" }, 422, /keyPrefix/],
  ["where only links are admitted", { url: "http://47.0.2.77/" }, 422, /link/],
  ["where the gateway signs", { url: "http://vod.example.com/" }, 422, /auth: relay/],
  ["where the gateway verifies", { url: "http://47.0.2.79/" }, 422, /auth: relay/],
  ["on a callback route", { url: "http://img.example.com/oss-callback" }, 422, /callbacks/],
  ["whose callback is no callback route", { callback: { route: "img" } }, 422, /img is none/],
  ["whose callback is nowhere", { callback: { url: "http://elsewhere.example.com/" } }, 404, /callback: No route/],
  ["whose callback names nothing", { callback: {} }, 400, /callback: Say/],
  [
    "whose bucket the callback does not take",
    { url: "http://47.0.2.73/otherbucket", callback: { route: "calls" } },
    422,
    /callback.buckets/,
  ],
  ["whose callback does not report the object", { callback: { route: "calls", body: "a=1" } }, 400, /object/],
  ["whose variable is in capitals", { callback: { route: "calls", vars: { User: "1" } } }, 400, /lower-case/],
  [
    "whose callback is too long",
    { callback: { route: "calls", vars: { a: "1" }, body: `${"a".repeat(4_000)}$\{bucket}$\{object}` } },
    400,
    /5120/,
  ],
  [
    "whose variable has a line break",
    { callback: { route: "calls", vars: { a: "1\r\n--boundary" } } },
    400,
    /line breaks/,
  ],
];

for (const [claim, request, status, words] of REFUSED) {
  t.test(`a form ${claim} is refused`, async (t) => {
    const refused = refusal(makeIssuer().uploadForm({ ...IMG, ...request }, NOW_MS));
    t.equal(refused?.status, status);
    t.match(refused?.message, words);
  });
}
