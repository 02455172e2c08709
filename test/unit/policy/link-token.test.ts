import { inspect } from "node:util";
import fc from "fast-check";
import t from "tap";
import { Secret } from "../../../src/core/secret.js";
import { takeLinkParameters } from "../../../src/policy/link-query.js";
import {
  type LinkClaims,
  LinkSigner,
  linkText,
  linkTextHead,
  type QueryParameters,
} from "../../../src/policy/link-token.js";
import { claims as anyClaims, path as anyPath } from "./arbitraries.js";

const secret = new Secret("correct horse battery staple");
const signer = new LinkSigner(secret, "vod");
const expiresSeconds = 1_767_225_600;

const exact: Omit<LinkClaims, "route"> = {
  path: "/vod/a/b.mp4",
  isPrefix: false,
  expiresSeconds,
  scope: null,
  client: null,
  method: "GET",
  parameters: [],
};

t.test("links are those that openssl computes from the documented text", (t) => {
  // printf %s TEXT | openssl dgst -sha256 -hmac SECRET -binary | openssl base64 -A | tr +/ -_ | tr -d =
  const vectors: readonly (readonly [text: string, claims: Omit<LinkClaims, "route">, query: string])[] = [
    [
      "14:ossgate-link-1,3:vod,4:path,10:1767225600,-,3:GET,-,1:0,12:/vod/a/b.mp4,",
      exact,
      "ossgate-expires=1767225600&ossgate-signature=x8J4n3uvvqkmOrDc-5SRrdypmh4Am2FiboMycTRs2wo",
    ],
    [
      "14:ossgate-link-1,3:vod,6:prefix,10:1767225600,11:203.0.113.7,3:GET,-,1:0,9:/vod/中/,",
      { ...exact, path: "/vod/中/", isPrefix: true, client: "203.0.113.7" },
      "ossgate-expires=1767225600&ossgate-prefix=/vod/%E4%B8%AD/&ossgate-client=1" +
        "&ossgate-signature=t84sewjzPZgkdDj4iP60Zup9f_0phJ12V4sh7Pku4C4",
    ],
    [
      "14:ossgate-link-1,3:vod,4:path,10:1767225600,-,3:PUT,5:/vod/,1:2,13:x-oss-process,11:style/thumb,1:z,0:,12:/vod/a/b.mp4,",
      {
        ...exact,
        method: "PUT",
        scope: "/vod/",
        parameters: [
          ["z", null],
          ["x-oss-process", "style/thumb"],
        ],
      },
      "ossgate-expires=1767225600&ossgate-scope=/vod/&ossgate-method=PUT" +
        "&ossgate-signature=MGV8hGFPCVG5UE05-Y46TImtEdw7VuQIY-PXBzBGMLU",
    ],
  ];
  for (const [text, claims, query] of vectors) {
    t.equal(textOf({ ...claims, route: "vod" }), text);
    t.equal(signer.sign(claims), query);
  }
  t.end();
});

t.test("the signed text can be read back, so different claims never give the same text", (t) => {
  fc.assert(
    fc.property(anyClaims, (claims) => {
      t.strictSame(readText(textOf(claims)), comparable(claims));
    }),
  );
  t.end();
});

t.test("two sets of claims have the same text only when they say the same", (t) => {
  fc.assert(
    fc.property(anyClaims, anyClaims, (a, b) => {
      const isSame = JSON.stringify(comparable(a)) === JSON.stringify(comparable(b));
      return (textOf(a) === textOf(b)) === isSame;
    }),
  );
  t.end();
});

t.test("moving a character from one field to the next changes the text", (t) => {
  const parameters = (...pairs: QueryParameters): LinkClaims => ({ ...exact, route: "vod", parameters: pairs });
  const pairs: readonly (readonly [LinkClaims, LinkClaims])[] = [
    [parameters(["a", "bc"]), parameters(["ab", "c"])],
    [parameters(["a", "b"], ["c", "d"]), parameters(["a", "b1:c1:d"])],
    [
      { ...exact, route: "vod", scope: "/a/" },
      { ...exact, route: "vod", client: "/a/" },
    ],
    [
      { ...exact, route: "vod", path: "/a/", isPrefix: true },
      { ...exact, route: "vod", path: "/a/" },
    ],
    [
      { ...exact, route: "vod" },
      { ...exact, route: "vod", client: "-" },
    ],
  ];
  for (const [a, b] of pairs) t.not(textOf(a), textOf(b));
  t.end();
});

t.test("the order of parameters does not matter, nor whether an empty value has its =", (t) => {
  const signed = (parameters: QueryParameters): string => signer.sign({ ...exact, parameters });
  t.equal(
    signed([
      ["b", "1"],
      ["a", "2"],
      ["a", "1"],
    ]),
    signed([
      ["a", "1"],
      ["b", "1"],
      ["a", "2"],
    ]),
  );
  t.equal(signed([["acl", null]]), signed([["acl", ""]]));
  t.not(
    signed([
      ["a", "1"],
      ["a", "1"],
    ]),
    signed([["a", "1"]]),
  );
  t.end();
});

t.test("a batch makes the links that sign makes", (t) => {
  fc.assert(
    fc.property(anyClaims, fc.array(anyPath, { maxLength: 4 }), (claims, paths) => {
      const { route, client, expiresSeconds, method, scope } = claims;
      const common = { client, expiresSeconds, method, scope };
      const signer = new LinkSigner(secret, route);
      const mint = signer.batch(common);
      return paths.every((path) => mint(path) === signer.sign({ ...common, path, isPrefix: false, parameters: [] }));
    }),
  );
  t.end();
});

t.test("a link is written in unreserved bytes and slashes, and reads as it was meant", (t) => {
  fc.assert(
    fc.property(anyClaims, (claims) => {
      const query = new LinkSigner(secret, claims.route).sign(claims);
      t.match(query, /^(?:ossgate-[a-z]+=(?:[A-Za-z0-9._~/-]|%[0-9A-F]{2})*(?:&|$))+$/);
      const { link, rest } = takeLinkParameters(query, null);
      if (link?.form !== "ossgate" || link.isMalformed) throw new Error("no link");
      t.equal(rest, "");
      t.equal(link.values.get("expires"), String(claims.expiresSeconds));
      t.equal(link.values.get("prefix"), claims.isPrefix ? claims.path : undefined);
      t.equal(link.values.get("scope"), claims.scope ?? undefined);
      t.equal(link.values.get("client"), claims.client === null ? undefined : "1");
      t.equal(link.values.get("method"), claims.method === "GET" ? undefined : claims.method);
    }),
  );
  t.end();
});

t.test("the client's address is in the signature and not in the link", (t) => {
  const link = signer.sign({ ...exact, client: "203.0.113.7" });
  t.notMatch(link, "203");
  t.not(link.slice(-43), signer.sign(exact).slice(-43));
  t.end();
});

t.test("claims that no link can make are refused", (t) => {
  const table: readonly (readonly [string, Partial<LinkClaims>])[] = [
    ["a path without its slash", { path: "a" }],
    ["a prefix that does not end at a slash", { path: "/a", isPrefix: true }],
    ["a prefix with a dot segment", { path: "/a/../", isPrefix: true }],
    ["a scope that does not end at a slash", { scope: "/a" }],
    ["a scope that does not begin with a slash", { scope: "a/" }],
    ["a scope with a dot segment", { scope: "/./" }],
    ["an expiry with a fraction", { expiresSeconds: 1.5 }],
    ["an expiry of 0", { expiresSeconds: 0 }],
    ["an expiry in the past of time", { expiresSeconds: -1 }],
    ["an expiry of twelve digits", { expiresSeconds: 100_000_000_000 }],
    ["no number", { expiresSeconds: Number.NaN }],
    ["an empty address", { client: "" }],
    ["a method in small letters", { method: "get" }],
    ["an empty method", { method: "" }],
  ];
  for (const [title, wrong] of table) t.throws(() => signer.sign({ ...exact, ...wrong }), RangeError, title);
  t.throws(() => signer.batch({ ...exact, expiresSeconds: 0 }), RangeError, "a batch too");
  t.throws(() => signer.batch({ ...exact, scope: "/a" }), RangeError, "a batch too");
  t.end();
});

t.test("a signer does not print its secret", (t) => {
  const printed = `${inspect(signer, { depth: 9, showHidden: true })}${JSON.stringify(signer)}${signer}`;
  t.notMatch(printed, /horse/);
  t.end();
});

function textOf(claims: LinkClaims): string {
  return linkText(linkTextHead(claims.route), { ...claims, expires: String(claims.expiresSeconds) }, claims.path);
}

function comparable(claims: LinkClaims): LinkClaims {
  const parameters = claims.parameters.map(([name, value]): [string, string] => [name, value ?? ""]);
  parameters.sort((a, b) => (a[0] === b[0] ? order(a[1], b[1]) : order(a[0], b[0])));
  const { route, path, isPrefix, expiresSeconds, scope, client, method } = claims;
  return { route, path, isPrefix, expiresSeconds, scope, client, method, parameters };
}

function order(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

/** Reads netstrings off a signed text, knowing nothing of how it was written but the documented order. */
function readText(text: string): LinkClaims {
  const bytes = Buffer.from(text);
  let at = 0;
  const next = (): string | null => {
    if (bytes[at] === 0x2d) {
      at += 2;
      return null;
    }
    const colon = bytes.indexOf(":", at);
    const end = colon + 1 + Number(bytes.subarray(at, colon).toString());
    if (bytes[end] !== 0x2c) throw new Error(`no comma at ${end}`);
    at = end + 1;
    return bytes.subarray(colon + 1, end).toString();
  };
  const present = (): string => next() ?? "absent";
  if (present() !== "ossgate-link-1") throw new Error("another version");
  const route = present();
  const isPrefix = present() === "prefix";
  const expiresSeconds = Number(present());
  const client = next();
  const method = present();
  const scope = next();
  const count = Number(present());
  const parameters = Array.from({ length: count }, (): [string, string] => [present(), present()]);
  const path = present();
  if (at !== bytes.length) throw new Error("more than the documented fields");
  return { route, path, isPrefix, expiresSeconds, scope, client, method, parameters };
}
