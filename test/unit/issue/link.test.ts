import t from "tap";
import { decodePath, splitTarget } from "../../../src/core/target.js";
import { Issuer } from "../../../src/issue/issuer.js";
import { checkLink, compileLinkKeys } from "../../../src/policy/link-check.js";
import { takeLinkParameters } from "../../../src/policy/link-query.js";
import { parseQuery } from "../../../src/signing/canonical.js";
import { issued, LINK_SECRET, makeIssuer, NOW_MS, NOW_SECONDS, readTestConfig, refusal, TOP } from "./issuer.js";

const VOD = "http://vod.example.com";

/** What the gateway decides about a URL, from the client's address. */
function check(url: string, { method = "GET", client = "203.0.113.9", nowMs = NOW_MS, path = "" } = {}) {
  const { rawPath, rawQuery } = splitTarget(url.slice(VOD.length));
  const { link, rest } = takeLinkParameters(rawQuery, null);
  const keys = compileLinkKeys({ route: "vod", secrets: [LINK_SECRET], maxAgeMs: 12 * 3_600_000 });
  if (link === null) throw new Error("no link");
  const request = { path: path || decodePath(rawPath), method, client, host: "", parameters: parseQuery(rest) };
  return checkLink(link, request, keys, nowMs).ok;
}

t.test("a link is good for its path, for GET and HEAD, until it expires", async (t) => {
  const link = issued(makeIssuer().link({ url: `${VOD}/show/照片 1.jpg`, expiresInSeconds: 600 }, NOW_MS));
  t.match(link, { kind: "link", route: "vod", method: "GET", expiresSeconds: NOW_SECONDS + 600, client: null });
  t.match(link.url, `${VOD}/show/%E7%85%A7%E7%89%87%201.jpg?ossgate-expires=`);
  t.ok(check(link.url));
  t.ok(check(link.url, { method: "HEAD" }));
  t.notOk(check(link.url, { method: "PUT" }));
  t.notOk(check(link.url, { path: "/show/other.jpg" }));
  t.ok(check(link.url, { nowMs: NOW_MS + 599_000 }));
  t.notOk(check(link.url, { nowMs: NOW_MS + 600_000 }));
});

t.test("a prefix link covers what is below its path, and nothing beside it", async (t) => {
  const link = issued(makeIssuer().link({ url: `${VOD}/show/`, isPrefix: true }, NOW_MS));
  t.ok(check(link.url, { path: "/show/a/b.ts" }));
  t.notOk(check(link.url, { path: "/show2/a" }));
  t.match(refusal(makeIssuer().link({ url: `${VOD}/show`, isPrefix: true }, NOW_MS)), { status: 400 });
});

t.test("a link for a client is good for that client alone, however its address is written", async (t) => {
  const link = issued(makeIssuer().link({ url: `${VOD}/a`, client: "::ffff:203.0.113.9" }, NOW_MS));
  t.equal(link.client, "203.0.113.9");
  t.ok(check(link.url));
  t.notOk(check(link.url, { client: "203.0.113.10" }));
  for (const client of ["203.0.113.0/24", "me", "fe80::1%eth0", ""]) {
    t.match(refusal(makeIssuer().link({ url: `${VOD}/a`, client }, NOW_MS)), { status: 400 }, client);
  }
});

t.test("a link for PUT is good for PUT alone", async (t) => {
  const link = issued(makeIssuer().link({ url: `${VOD}/a`, method: "PUT" }, NOW_MS));
  t.ok(check(link.url, { method: "PUT" }));
  t.notOk(check(link.url));
});

t.test("parameters of the URL and of the request are part of the link, what OSS does not know is not", async (t) => {
  const url = `${VOD}/a.jpg?x-oss-process=image/resize,w_20&utm=1`;
  const link = issued(makeIssuer().link({ url, response: { "content-type": "text/plain" } }, NOW_MS));
  const query = parseQuery(link.url.slice(link.url.indexOf("?") + 1)).slice(0, 3);
  t.same(query, [
    ["x-oss-process", "image/resize,w_20"],
    ["utm", "1"],
    ["response-content-type", "text/plain"],
  ]);
  t.ok(check(link.url.replace("utm=1&", "")));
  t.notOk(check(link.url.replace("w_20", "w_21").replace("utm=1&", "")));
});

t.test("a link by route and path is on the route's own address", async (t) => {
  const byName = issued(makeIssuer().link({ route: "vod", path: "/a b", expiresInSeconds: 5 }, NOW_MS));
  const byUrl = issued(makeIssuer().link({ url: `${VOD}/a%20b`, expiresAtSeconds: NOW_SECONDS + 5 }, NOW_MS));
  t.equal(byName.url, byUrl.url);
});

t.test("a link without an expiry is good for an hour", async (t) => {
  t.equal(issued(makeIssuer().link({ url: `${VOD}/a` }, NOW_MS)).expiresSeconds, NOW_SECONDS + 3_600);
});

type Request = Parameters<ReturnType<typeof makeIssuer>["link"]>[0];

const REFUSED: readonly (readonly [claim: string, request: Request, status: number, words: RegExp])[] = [
  ["beyond maxAge", { url: `${VOD}/a`, expiresInSeconds: 43_201 }, 400, /maxAge of route vod allows 12h/],
  ["in the past", { url: `${VOD}/a`, expiresAtSeconds: NOW_SECONDS }, 400, /ahead/],
  ["of half a second", { url: `${VOD}/a`, expiresInSeconds: 0.5 }, 400, /whole seconds/],
  ["with two expiries", { url: `${VOD}/a`, expiresInSeconds: 1, expiresAtSeconds: NOW_SECONDS + 1 }, 400, /not both/],
  ["for a route without links", { url: "http://img.example.com/a" }, 422, /img takes no links/],
  ["for a host that no route has", { url: "http://unknown.example.com/a" }, 404, /No route/],
  ["for a method that the route does not have", { url: `${VOD}/a`, method: "DELETE" }, 422, /not DELETE/],
  ["for a style that the route does not sign", { url: `${VOD}/a?x-oss-process=style/x` }, 422, /x-oss-process/],
  ["for a parameter that is refused", { url: `${VOD}/a?acl` }, 422, /acl/],
  ["for a list", { url: `${VOD}/?list-type=2` }, 422, /vod would refuse it/],
  ["for a URL that is a link already", { url: `${VOD}/a?ossgate-expires=1` }, 400, /link already/],
  ["for a URL that is presigned already", { url: `${VOD}/a?Signature=x` }, 400, /signature already/],
  ["with a parameter twice", { url: `${VOD}/a?versionId=1`, parameters: { versionId: "2" } }, 400, /twice/],
  ["with an override that OSS does not have", { url: `${VOD}/a`, response: { etag: "x" } }, 400, /response-etag/],
  ["for both a URL and a route", { url: `${VOD}/a`, route: "vod" }, 400, /either/],
  ["for nothing", {}, 400, /either/],
  ["for a route that is not there", { route: "vodd", path: "/a" }, 404, /no route vodd/],
  ["for a path that is none", { route: "vod", path: "a" }, 400, /begin/],
  ["that is longer than a target may be", { url: `${VOD}/${"a".repeat(17_000)}` }, 400, /16384/],
];

for (const [claim, request, status, words] of REFUSED) {
  t.test(`a link ${claim} is refused`, async (t) => {
    const refused = refusal(makeIssuer().link(request, NOW_MS));
    t.equal(refused?.status, status);
    t.match(refused?.message, words);
  });
}

t.test("a secret that cannot be read is said so by its place, and tried again the next time", async (t) => {
  let isThere = false;
  const readSecret = (_ref: unknown, where: string) => {
    if (isThere) return LINK_SECRET;
    throw new Error(`${where}: not there`);
  };
  const issuer = new Issuer({ config: readTestConfig(), credentials: new Map(), readSecret });
  t.match(refusal(issuer.link({ url: `${VOD}/a` }, NOW_MS)), {
    status: 503,
    message: "routes[7].allow.links.secret: not there",
  });
  isThere = true;
  t.ok(check(issued(issuer.link({ url: `${VOD}/a` }, NOW_MS)).url));
});

t.test("what deny.paths refuses gets no link, and no presigned URL", async (t) => {
  const routes = `
  - name: some
    match: { hosts: [some.test] }
    bucket: media
    deny: { paths: ['/\\.', '^/private/'] }
    allow: { links: { secret: { env: LINKS } } }
  - { name: api, match: { hosts: [api.test] }, buckets: [media], deny: { paths: ['^/private/'] } }
`;
  const issuer = makeIssuer(undefined, TOP + routes);
  for (const path of ["/.git/config", "/private/a", "//private/a"])
    t.match(
      refusal(issuer.link({ url: `http://some.test${path}` }, NOW_MS)),
      { status: 422, message: /deny\.paths/ },
      path,
    );
  t.match(refusal(issuer.link({ url: "http://some.test/private/", isPrefix: true }, NOW_MS)), { status: 422 });
  t.match(issued(issuer.link({ url: "http://some.test/a/private/b" }, NOW_MS)), { route: "some" });
  const presigned = (path: string) => issuer.presign({ url: `http://api.test${path}`, credentials: "reader" }, NOW_MS);
  t.match(refusal(presigned("/examplebucket/private/a")), { status: 422, message: /deny\.paths/ });
  t.match(issued(presigned("/examplebucket/a")), { route: "api" });
});
