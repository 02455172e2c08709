import fc from "fast-check";
import t from "tap";
import { Secret } from "../../../src/core/secret.js";
import { checkLink, compileLinkKeys } from "../../../src/policy/link-check.js";
import { MacKey } from "../../../src/policy/link-mac.js";
import { takeLinkParameters } from "../../../src/policy/link-query.js";
import { type LinkClaims, LinkSigner, linkText, linkTextHead } from "../../../src/policy/link-token.js";
import type { LinkRequest, LinkVerdict } from "../../../src/policy/link-verdict.js";
import { claims as anyClaims, text as anyText } from "./arbitraries.js";

const nowMs = 1_767_225_600_000;
const nowSeconds = nowMs / 1000;
const maxAgeMs = 12 * 3_600_000;
const secret = new Secret("a secret of the gateway");
const keys = compileLinkKeys({ route: "vod", secrets: [secret], maxAgeMs });
const signer = new LinkSigner(secret, "vod");

const exact: Omit<LinkClaims, "route"> = {
  path: "/vod/a",
  isPrefix: false,
  expiresSeconds: nowSeconds + 60,
  scope: null,
  client: null,
  method: "GET",
  parameters: [],
};
const prefixed: Omit<LinkClaims, "route"> = { ...exact, path: "/vod/", isPrefix: true };
const request: LinkRequest = {
  path: "/vod/a",
  method: "GET",
  host: "vod.example.com",
  client: "192.0.2.1",
  parameters: [],
};

t.test("a link admits what it says", (t) => {
  const admitted: Omit<Extract<LinkVerdict, { ok: true }>, "ok"> = {
    expiresSeconds: nowSeconds + 60,
    isPrefix: false,
    path: "/vod/a",
    scope: null,
    client: null,
  };
  t.same(check(exact, request), { ok: true, ...admitted });
  t.same(check({ ...exact, scope: "/vod/x y/" }, request), { ok: true, ...admitted, scope: "/vod/x y/" });
  t.same(check({ ...exact, client: "192.0.2.1" }, request), { ok: true, ...admitted, client: "192.0.2.1" });
  t.same(check(prefixed, request), { ok: true, ...admitted, isPrefix: true, path: "/vod/" });
  t.end();
});

const admissions: readonly (readonly [string, Partial<LinkClaims>, Partial<LinkRequest>, boolean])[] = [
  ["GET admits HEAD", {}, { method: "HEAD" }, true],
  ["GET admits no PUT", {}, { method: "PUT" }, false],
  ["GET admits no OPTIONS", {}, { method: "OPTIONS" }, false],
  ["HEAD admits no GET", { method: "HEAD" }, {}, false],
  ["HEAD admits HEAD", { method: "HEAD" }, { method: "HEAD" }, true],
  ["PUT admits PUT", { method: "PUT" }, { method: "PUT" }, true],
  ["PUT admits no GET", { method: "PUT" }, {}, false],
  ["PUT admits no HEAD", { method: "PUT" }, { method: "HEAD" }, false],
  ["another path", {}, { path: "/vod/b" }, false],
  ["a path below an exact one", {}, { path: "/vod/a/b" }, false],
  ["a slash more", {}, { path: "/vod/a/" }, false],
  ["a slash twice", {}, { path: "/vod//a" }, false],
  ["a path that was escaped twice", {}, { path: "/vod%2Fa" }, false],
  ["another case", {}, { path: "/vod/A" }, false],
  ["below a prefix", { path: "/vod/", isPrefix: true }, { path: "/vod/a/b/c" }, true],
  ["a prefix itself", { path: "/vod/", isPrefix: true }, { path: "/vod/" }, true],
  ["a prefix without its slash", { path: "/vod/", isPrefix: true }, { path: "/vod" }, false],
  ["beside a prefix", { path: "/vod/", isPrefix: true }, { path: "/vodka" }, false],
  ["out of a prefix by dots", { path: "/vod/", isPrefix: true }, { path: "/vod/../private" }, false],
  ["dots at the end", { path: "/vod/", isPrefix: true }, { path: "/vod/a/.." }, false],
  ["a dot segment", { path: "/vod/", isPrefix: true }, { path: "/vod/./a" }, false],
  ["a name that begins with dots", { path: "/vod/", isPrefix: true }, { path: "/vod/..a" }, true],
  ["everything below the root", { path: "/", isPrefix: true }, { path: "/x/y" }, true],
  ["the bound client", { client: "192.0.2.1" }, {}, true],
  ["another client", { client: "192.0.2.1" }, { client: "192.0.2.2" }, false],
  ["a client whose address is not known", { client: "192.0.2.1" }, { client: "" }, false],
  ["any client of a link that is not bound", {}, { client: "" }, true],
  ["a signed parameter", { parameters: [["p", "1"]] }, { parameters: [["p", "1"]] }, true],
  ["a parameter that is not signed", {}, { parameters: [["p", "1"]] }, false],
  ["a signed parameter that is missing", { parameters: [["p", "1"]] }, {}, false],
  ["another value", { parameters: [["p", "1"]] }, { parameters: [["p", "2"]] }, false],
  [
    "a signed parameter twice",
    { parameters: [["p", "1"]] },
    {
      parameters: [
        ["p", "1"],
        ["p", "1"],
      ],
    },
    false,
  ],
  [
    "parameters in another order",
    {
      parameters: [
        ["p", "1"],
        ["q", "2"],
      ],
    },
    {
      parameters: [
        ["q", "2"],
        ["p", "1"],
      ],
    },
    true,
  ],
  ["a bare name for an empty value", { parameters: [["acl", ""]] }, { parameters: [["acl", null]] }, true],
];

t.test("a link admits nothing but what it says", (t) => {
  for (const [title, claims, asked, isAdmitted] of admissions) {
    const verdict = check({ ...exact, ...claims }, { ...request, ...asked });
    t.equal(isAdmitted ? verdict.ok : codeOf(verdict), isAdmitted ? true : "LINK_INVALID", title);
  }
  t.end();
});

t.test("a link says nothing more when it cannot be bound to the client any more", (t) => {
  const query = signer.sign({ ...exact, client: "192.0.2.1" });
  for (const changed of [
    query.replace("&ossgate-client=1", ""),
    query.replace("client=1", "client=2"),
    query.replace("client=1", "client"),
  ]) {
    t.equal(codeOf(checkQuery(changed)), "LINK_INVALID", changed);
  }
  t.end();
});

t.test("no change to a link makes it say something else", (t) => {
  const characters = fc.constantFrom(..."0129abzAZ-_./%&=+ ~", "é");
  fc.assert(
    fc.property(
      anyClaims,
      fc.nat(),
      characters,
      fc.constantFrom("replace", "insert", "delete"),
      (anything, place, character, change) => {
        const claims = { ...anything, expiresSeconds: nowSeconds + 60 };
        const query = new LinkSigner(secret, "vod").sign(claims);
        const at = place % query.length;
        const changed =
          query.slice(0, at) + (change === "delete" ? "" : character) + query.slice(change === "insert" ? at : at + 1);
        const { link } = takeLinkParameters(changed, null);
        if (link === null) return;
        const verdict = checkLink(link, askedBy(claims), keys, nowMs);
        // Admitted only where the change is one of spelling: a+b for a%20b, %2f for %2F.
        if (verdict.ok) t.same(valuesOf(changed), valuesOf(query));
      },
    ),
    { numRuns: 2000 },
  );
  t.end();
});

t.test("what is signed admits, whatever it is made of", (t) => {
  fc.assert(
    fc.property(anyClaims, anyText, (anything, below) => {
      const claims = { ...anything, expiresSeconds: nowSeconds + 60 };
      const asked = askedBy(claims);
      const path = claims.isPrefix ? `${claims.path}x${below.replaceAll("/", "")}` : claims.path;
      t.equal(check(claims, { ...asked, path }).ok, true);
    }),
  );
  t.end();
});

t.test("a link expires at its second, and no sooner", (t) => {
  const expiresMs = exact.expiresSeconds * 1000;
  t.equal(check(exact, request, expiresMs - 1).ok, true);
  t.equal(codeOf(check(exact, request, expiresMs)), "LINK_EXPIRED");
  t.equal(codeOf(check(exact, request, expiresMs + 1e9)), "LINK_EXPIRED");
  t.end();
});

t.test("an expiry more than maxAge ahead is refused", (t) => {
  const furthest = nowSeconds + maxAgeMs / 1000;
  t.equal(check({ ...exact, expiresSeconds: furthest }, request).ok, true);
  const later = check({ ...exact, expiresSeconds: furthest + 1 }, request);
  t.equal(codeOf(later), "LINK_INVALID");
  t.match(reasonOf(later), "maxAge", "the holder of a link of ours is told why");
  t.end();
});

t.test("a forger learns nothing, neither of the expiry nor of maxAge", (t) => {
  const forger = new LinkSigner(new Secret("another secret"), "vod");
  const invalid = checkQuery(forger.sign(exact));
  t.equal(codeOf(invalid), "LINK_INVALID");
  for (const expiresSeconds of [1, nowSeconds - 1, nowSeconds + 1, 99_999_999_999]) {
    t.equal(checkQuery(forger.sign({ ...exact, expiresSeconds })), invalid, String(expiresSeconds));
  }
  for (const query of ["ossgate-signature", "ossgate-expires=1", "ossgate-x=1", forger.sign(prefixed)]) {
    t.equal(checkQuery(query), invalid, query);
  }
  t.end();
});

t.test("an expiry is one to eleven digits, as they were signed", (t) => {
  const query = signer.sign(exact);
  const digits = String(exact.expiresSeconds);
  for (const text of [
    `0${digits}`,
    `+${digits}`,
    `%20${digits}`,
    `${digits}.0`,
    `${digits}e0`,
    "",
    "-1",
    "0x6b49d200",
    `${digits}00`,
    "999999999999",
  ]) {
    t.equal(codeOf(checkQuery(query.replace(digits, text))), "LINK_INVALID", text);
  }
  t.end();
});

t.test("a link of before a rotation admits while its secret is among the previous ones", (t) => {
  const next = new Secret("the next secret");
  const query = signer.sign(exact);
  const link = linkOf(query);
  const rotated = compileLinkKeys({ route: "vod", secrets: [next, secret], maxAgeMs });
  t.equal(checkLink(link, request, rotated, nowMs).ok, true);
  t.equal(checkLink(linkOf(new LinkSigner(next, "vod").sign(exact)), request, rotated, nowMs).ok, true);
  const over = compileLinkKeys({ route: "vod", secrets: [next], maxAgeMs });
  t.equal(codeOf(checkLink(link, request, over, nowMs)), "LINK_INVALID");
  t.equal(
    codeOf(checkLink(link, request, compileLinkKeys({ route: "vod", secrets: [], maxAgeMs }), nowMs)),
    "LINK_INVALID",
  );
  t.end();
});

t.test("a link of one route is none of another's, even under the same secret", (t) => {
  const other = compileLinkKeys({ route: "images", secrets: [secret], maxAgeMs });
  t.equal(codeOf(checkLink(linkOf(signer.sign(exact)), request, other, nowMs)), "LINK_INVALID");
  t.end();
});

t.test("what our signer would not sign is refused though the secret signed it", (t) => {
  // As an application could sign that has the secret and writes links by itself.
  const key = new MacKey(secret);
  const sound = { ...exact, isPrefix: true, expires: String(exact.expiresSeconds), path: "/vod/" };
  const checkSigned = (changes: Partial<typeof sound>, asked: Partial<LinkRequest> = {}): LinkVerdict => {
    const claims = { ...sound, ...changes };
    const signature = key.sign(linkText(linkTextHead("vod"), claims, claims.path));
    const { expires, path, scope, client } = claims;
    const more = `${scope === null ? "" : `&ossgate-scope=${scope}`}${client === null ? "" : "&ossgate-client=1"}`;
    const query = `ossgate-expires=${expires}&ossgate-prefix=${path}${more}&ossgate-signature=${signature}`;
    return checkLink(linkOf(query), { ...request, ...asked }, keys, nowMs);
  };
  t.equal(checkSigned({}).ok, true);
  t.equal(checkSigned({ scope: "/vod/", client: "192.0.2.1" }).ok, true);
  const invalid = checkQuery("ossgate-signature=x");
  for (const path of ["/vod", "/v", "", "vod/"]) t.equal(checkSigned({ path }), invalid, path);
  for (const path of ["/vod/./", "/vod/../"]) t.equal(checkSigned({ path }, { path: `${path}a` }), invalid, path);
  for (const scope of ["/vod", "vod/", "", "/vod/../"]) t.equal(checkSigned({ scope }), invalid, scope);
  t.equal(checkSigned({ client: "" }, { client: "" }), invalid, "two clients whose address is not known");
  for (const expires of ["100000000000", "1767225660.0", "1e9", ""])
    t.equal(checkSigned({ expires }), invalid, expires);
  t.end();
});

t.test("a good link with a parameter twice, or one more, is invalid", (t) => {
  const query = signer.sign({ ...exact, scope: "/vod/", client: request.client });
  t.equal(checkQuery(query).ok, true);
  for (const segment of query.split("&")) {
    for (const more of [`${query}&${segment}`, `${segment.replace("ossgate", "%6fssgate")}&${query}`]) {
      t.equal(codeOf(checkQuery(more)), "LINK_INVALID", more);
    }
  }
  for (const more of ["ossgate-prefix=/", "ossgate-method=PUT", "ossgate-more=1", "ossgate-", "ossgate-prefix=%ff"]) {
    t.equal(codeOf(checkQuery(`${query}&${more}`)), "LINK_INVALID", more);
  }
  t.end();
});

t.test("NGINX's form is invalid where the route does not take it", (t) => {
  const { link } = takeLinkParameters("md5=x&expires=1", { md5: "md5", expires: "expires" });
  t.equal(link === null ? "none" : codeOf(checkLink(link, request, keys, nowMs)), "LINK_INVALID");
  t.end();
});

t.test("denials are frozen", (t) => {
  const verdict = checkQuery("ossgate-signature=x");
  t.ok(!verdict.ok && Object.isFrozen(verdict) && Object.isFrozen(verdict.denial));
  t.end();
});

function check(claims: Omit<LinkClaims, "route">, asked: LinkRequest, atMs = nowMs): LinkVerdict {
  return checkLink(linkOf(signer.sign(claims)), asked, keys, atMs);
}

function checkQuery(query: string): LinkVerdict {
  return checkLink(linkOf(query), request, keys, nowMs);
}

function linkOf(query: string): NonNullable<ReturnType<typeof takeLinkParameters>["link"]> {
  const { link } = takeLinkParameters(query, null);
  if (link === null) throw new Error(`no link in ${query}`);
  return link;
}

function askedBy({ path, method, client, parameters }: LinkClaims): LinkRequest {
  return { path, method, host: "vod.example.com", client: client ?? "192.0.2.9", parameters };
}

function valuesOf(query: string): unknown {
  const link = linkOf(query);
  return link.form === "ossgate" ? [...link.values].sort() : null;
}

function codeOf(verdict: LinkVerdict): string {
  return verdict.ok ? "admitted" : verdict.denial.code;
}

function reasonOf(verdict: LinkVerdict): string {
  return verdict.ok ? "admitted" : verdict.denial.reason;
}
