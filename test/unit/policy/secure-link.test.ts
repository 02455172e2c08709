import { createHash } from "node:crypto";
import { inspect } from "node:util";
import fc from "fast-check";
import t from "tap";
import { Secret } from "../../../src/core/secret.js";
import { checkLink, compileLinkKeys } from "../../../src/policy/link-check.js";
import { takeLinkParameters } from "../../../src/policy/link-query.js";
import type { LinkRequest, LinkVerdict } from "../../../src/policy/link-verdict.js";
import { compileSecureLink } from "../../../src/policy/secure-link.js";

const names = { md5: "md5", expires: "expires" };
const nowMs = 1_767_225_600_000;
const maxAgeMs = 2_147_483_647_000;
const usual = "$secure_link_expires$uri$remote_addr $secret";
const request: LinkRequest = {
  path: "/s/link",
  method: "GET",
  host: "img.example.com",
  client: "127.0.0.1",
  parameters: [],
};

interface Case {
  readonly expression?: string;
  readonly secret?: string;
  readonly query: string;
  readonly asked?: Partial<LinkRequest>;
  readonly atMs?: number;
  readonly maxAgeMs?: number;
}

function check(given: Case): LinkVerdict {
  const { link } = takeLinkParameters(given.query, names);
  if (link?.form !== "secure-link") throw new Error(`no secure link in ${given.query}`);
  const secret = new Secret(given.secret ?? "nginx-secret");
  const options = { expression: given.expression ?? usual, secret, maxAgeMs: given.maxAgeMs ?? maxAgeMs };
  const keys = compileLinkKeys({ route: "s", secrets: [], maxAgeMs, secureLink: compileSecureLink(options) });
  return checkLink(link, { ...request, ...given.asked }, keys, given.atMs ?? nowMs);
}

function codeOf(given: Case): string {
  const verdict = check(given);
  return verdict.ok ? "admitted" : verdict.denial.code;
}

const md5 = (text: string): string => createHash("md5").update(text).digest("base64url");

t.test("links that openssl made admit", (t) => {
  // printf %s TEXT | openssl md5 -binary | openssl base64 | tr +/ -_ | tr -d =      The first is in NGINX's documentation.
  const vectors: readonly (readonly [text: string, given: Case])[] = [
    ["2147483647/s/link127.0.0.1 secret", { secret: "secret", query: "md5=_e4Nc3iduzkWRm01TBBNYw&expires=2147483647" }],
    [
      "2147483647/s/a b/中.mp4203.0.113.7 nginx-secret",
      {
        query: "md5=2cyAoYW7ntJLq7xVU6Iveg&expires=2147483647",
        asked: { path: "/s/a b/中.mp4", client: "203.0.113.7" },
      },
    ],
    [
      "1767225600/s/link2001:db8::1 nginx-secret",
      { query: "md5=x_8kUE18D8NpO5A1ZnlEDg&expires=1767225600", asked: { client: "2001:db8::1" } },
    ],
    [
      "2147483647/s/linkimg.example.com nginx-secret",
      { expression: "$secure_link_expires$uri$host $secret", query: "md5=MT_2Jf23FHVYrOZEB8Vtkw&expires=2147483647" },
    ],
    [
      "2147483647/s/link style%2Fthumb nginx-secret",
      {
        expression: "$secure_link_expires$uri $arg_style $secret",
        query: "style=style%2Fthumb&md5=mmbuyLHrpzXjqd6ETfZvbQ&expires=2147483647",
        asked: { parameters: [["style", "style/thumb"]] },
      },
    ],
  ];
  for (const [text, given] of vectors) {
    t.equal(codeOf(given), "admitted", text);
    for (const asked of [{ path: "/s/other" }, { path: "/s/link/" }]) {
      t.equal(codeOf({ ...given, asked: { ...given.asked, ...asked } }), "LINK_INVALID", `${text}, ${asked.path}`);
    }
    t.equal(codeOf({ ...given, secret: "guessed" }), "LINK_INVALID", `${text}, another secret`);
  }
  t.end();
});

t.test("a link admits one path, until the end of its second, for the address that it covers", (t) => {
  const link = (text: string, query: string): string => `md5=${md5(text)}&expires=${query}`;
  const bound = link("1767229200/s/link127.0.0.1 nginx-secret", "1767229200");
  const verdict = { ok: true, expiresSeconds: 1_767_229_201, isPrefix: false, path: "/s/link", scope: null };
  t.same(check({ query: bound }), { ...verdict, client: "127.0.0.1" });
  const free = link("1767229200/s/link nginx-secret", "1767229200");
  t.same(check({ expression: "$secure_link_expires$uri $secret", query: free }), { ...verdict, client: null });
  t.end();
});

t.test("the expiry means what it means to NGINX", (t) => {
  const signed = (expires: string): string =>
    `md5=${md5(`${expires}/s/link127.0.0.1 nginx-secret`)}&expires=${expires}`;
  const now = nowMs / 1000;
  t.equal(codeOf({ query: signed(`${now}`) }), "admitted", "this second");
  t.equal(codeOf({ query: signed(`${now}`), atMs: nowMs + 999 }), "admitted", "the end of this second");
  t.equal(codeOf({ query: signed(`${now}`), atMs: nowMs + 1000 }), "LINK_EXPIRED", "the next");
  t.equal(codeOf({ query: signed("1") }), "LINK_EXPIRED");
  t.equal(codeOf({ query: signed(`0${now}`) }), "admitted", "a zero in front, which is signed too");
  for (const none of ["0", "000", "", "-1", "+5", "2147483647x", " 2147483647", "0x7fffffff", "214748364700"]) {
    t.equal(codeOf({ query: signed(none) }), "LINK_INVALID", JSON.stringify(none));
  }
  t.equal(codeOf({ query: `md5=${md5("/s/link127.0.0.1 nginx-secret")}` }), "LINK_INVALID", "absent");
  t.end();
});

t.test("an expiry more than maxAge ahead is refused, and only then", (t) => {
  const query = (expires: number): string => `md5=${md5(`${expires}/s/link127.0.0.1 nginx-secret`)}&expires=${expires}`;
  const furthest = nowMs / 1000 + 3600;
  t.equal(codeOf({ query: query(furthest), maxAgeMs: 3_600_000 }), "admitted");
  t.equal(codeOf({ query: query(furthest + 1), maxAgeMs: 3_600_000 }), "LINK_INVALID");
  t.end();
});

t.test("a link that is not signed is invalid whatever its expiry says", (t) => {
  const invalid = check({ query: `md5=${md5("guess")}&expires=2147483647` });
  for (const expires of ["1", "99999999999", "0", "x"]) {
    t.equal(check({ query: `md5=${md5("guess")}&expires=${expires}`, maxAgeMs: 1 }), invalid, expires);
  }
  t.end();
});

t.test("the md5 is base64url, with or without its padding", (t) => {
  const good = "_e4Nc3iduzkWRm01TBBNYw";
  const at = (md5: string): string => codeOf({ secret: "secret", query: `md5=${md5}&expires=2147483647` });
  for (const md5 of [good, `${good}=`, `${good}==`]) t.equal(at(md5), "admitted", md5);
  const wrong = [
    good.replace("_", "/"),
    good.slice(0, -1),
    `${good}A`,
    `${good}===`,
    `${good}%3D%3D`,
    `${good.slice(0, -1)}x`,
    "",
    "Ÿe4Nc3iduzkWRm01TBBNYw",
  ];
  for (const md5 of wrong) t.equal(at(md5), "LINK_INVALID", md5);
  t.end();
});

t.test("no character of the md5 may differ", (t) => {
  const good = "_e4Nc3iduzkWRm01TBBNYw";
  for (let i = 0; i < good.length; i += 1) {
    const query = `md5=${good.slice(0, i)}${good[i] === "Q" ? "A" : "Q"}${good.slice(i + 1)}&expires=2147483647`;
    t.equal(codeOf({ secret: "secret", query }), "LINK_INVALID", String(i));
  }
  t.end();
});

t.test("a link reads and does not write, for it says no method", (t) => {
  const query = "md5=_e4Nc3iduzkWRm01TBBNYw&expires=2147483647";
  const at = (method: string): string => codeOf({ secret: "secret", query, asked: { method } });
  t.same(["GET", "HEAD"].map(at), ["admitted", "admitted"]);
  t.same(["PUT", "POST", "DELETE", "OPTIONS", "get"].map(at), Array(5).fill("LINK_INVALID"));
  t.end();
});

t.test("a path that NGINX would rewrite is refused, though it was signed as it is", (t) => {
  for (const path of ["//s/link", "/s//link", "/s/./link", "/s/../link", "/s/link/..", "/s/link//"]) {
    const query = `md5=${md5(`2147483647${path}127.0.0.1 nginx-secret`)}&expires=2147483647`;
    t.equal(codeOf({ query, asked: { path } }), "LINK_INVALID", path);
  }
  t.end();
});

t.test("two clients whose address is not known are not taken for one", (t) => {
  const query = `md5=${md5("2147483647/s/link nginx-secret")}&expires=2147483647`;
  t.equal(codeOf({ query, asked: { client: "" } }), "LINK_INVALID");
  t.end();
});

t.test("a parameter that goes upstream must be one that the expression covers, once and plainly written", (t) => {
  const expression = "$secure_link_expires$uri|$arg_Style|$arg_size|$secret";
  const query = (style: string, size: string, rest: string): string =>
    `${rest}&md5=${md5(`2147483647/s/link|${style}|${size}|nginx-secret`)}&expires=2147483647`;
  const table: readonly (readonly [string, string, LinkRequest["parameters"], string])[] = [
    [
      "both",
      query("x", "2", "style=x&size=2"),
      [
        ["style", "x"],
        ["size", "2"],
      ],
      "admitted",
    ],
    ["one", query("", "2", "size=2"), [["size", "2"]], "admitted"],
    ["the name in another case, as NGINX compares", query("x", "", "STYLE=x"), [["STYLE", "x"]], "admitted"],
    ["one that is not sent upstream", query("", "", "utm=1"), [], "admitted"],
    [
      "one that is not covered",
      query("x", "", "style=x&acl"),
      [
        ["style", "x"],
        ["acl", null],
      ],
      "LINK_INVALID",
    ],
    ["another value", query("x", "", "style=y"), [["style", "y"]], "LINK_INVALID"],
    ["an escaped name, which NGINX does not see", query("", "", "%73tyle=x"), [["style", "x"]], "LINK_INVALID"],
    [
      "an escaped name beside the plain one",
      query("x", "", "style=x&%73tyle=y"),
      [
        ["style", "x"],
        ["style", "y"],
      ],
      "LINK_INVALID",
    ],
    [
      "twice",
      query("x", "", "style=x&style=y"),
      [
        ["style", "x"],
        ["style", "y"],
      ],
      "LINK_INVALID",
    ],
    ["twice, and none goes upstream", query("x", "", "style=x&style=y"), [], "LINK_INVALID"],
    ["a bare name, which is no argument to NGINX", query("", "", "style"), [["style", null]], "LINK_INVALID"],
  ];
  for (const [title, query, parameters, code] of table) {
    t.equal(codeOf({ expression, query, asked: { parameters } }), code, title);
  }
  t.end();
});

t.test("a repeated md5 or expires is invalid, also when both are right", (t) => {
  const query = "md5=_e4Nc3iduzkWRm01TBBNYw&expires=2147483647";
  for (const more of ["md5=_e4Nc3iduzkWRm01TBBNYw", "expires=2147483647", "md5=x"]) {
    t.equal(codeOf({ secret: "secret", query: `${query}&${more}` }), "LINK_INVALID", more);
  }
  t.end();
});

t.test("an expression without expiry, path or secret, or with anything unknown, does not compile", (t) => {
  const compile = (expression: string) => () =>
    compileSecureLink({ expression, secret: new Secret("planted-secret"), maxAgeMs });
  t.doesNotThrow(compile("$secret$uri$secure_link_expires"));
  t.doesNotThrow(compile("$secure_link_expires-$uri-$URI-$arg_a-$secret"));
  for (const [expression, message] of [
    ["$uri $secret", /\$secure_link_expires/],
    ["$secure_link_expires $secret", /\$uri/],
    ["$secure_link_expires$uri", /\$secret/],
    ["", /must contain/],
    ["$secure_link_expires$uri$secret$request_uri", /\$request_uri/],
    ["$secure_link_expires$uri$secret$", /contains \$/],
    ["$secure_link_expires$uri$secret$arg_", /\$arg_/],
    ["$secure_link_expires$uri$secret_key $secret", /\$secret_key/],
  ] as const) {
    t.throws(compile(expression), { message }, expression);
  }
  t.notMatch(inspect(compile(usual)(), { depth: 9, showHidden: true }), /planted/);
  t.end();
});

t.test("whatever the path and the secret, the link made of the documented text admits, and only for that path", (t) => {
  const path = fc.string({ unit: "binary", minLength: 1, maxLength: 12 }).map((text) => `/${text}`);
  const plain = path.filter((p) => !/\/\/|\/\.{1,2}(\/|$)/.test(p));
  fc.assert(
    fc.property(plain, plain, fc.string({ unit: "binary" }), (path, other, secret) => {
      const query = `md5=${md5(`2147483647${path}127.0.0.1 ${secret}`)}&expires=2147483647`;
      t.equal(codeOf({ query, secret, asked: { path } }), "admitted");
      t.equal(codeOf({ query, secret, asked: { path: other } }) === "admitted", path === other);
    }),
  );
  t.end();
});
