import fc from "fast-check";
import t from "tap";
import {
  actualHeaders,
  type CorsRequest,
  type CorsRule,
  compileCors,
  corsRuleProblem,
  preflightHeaders,
  variesByOrigin,
} from "../../../src/policy/cors.js";

// The rules of oss-semantics §6.5.
const R1: CorsRule = {
  allowedOrigins: ["https://a.com", "http://*.b.com"],
  allowedMethods: ["GET", "HEAD"],
  allowedHeaders: ["x-oss-*", "range"],
  exposeHeaders: ["ETag", "x-oss-request-id"],
  maxAgeSeconds: 600,
};
const R2: CorsRule = {
  allowedOrigins: ["*"],
  allowedMethods: ["GET"],
  allowedHeaders: [],
  exposeHeaders: [],
  maxAgeSeconds: null,
};
const R3: CorsRule = {
  allowedOrigins: ["https://a.com"],
  allowedMethods: ["PUT"],
  allowedHeaders: ["*"],
  exposeHeaders: [],
  maxAgeSeconds: null,
};

const request = (origin: string, method: string, requestHeaders?: string): CorsRequest => ({
  origin,
  method,
  requestHeaders,
});

/** The rule that decides and the origin that is allowed. */
type Expected = readonly [rule: CorsRule, allowOrigin: string] | null;

// Numbers are those of oss-semantics §6.5; rows without one are beside them.
const CASES: readonly (readonly [row: string, rules: readonly CorsRule[], asked: CorsRequest, expected: Expected])[] = [
  ["1", [], request("https://a.com", "GET"), null],
  ["3", [R1], request("https://a.com", "GET"), [R1, "https://a.com"]],
  ["4", [R1], request("https://a.com", "PUT"), null],
  ["5: the port counts", [R1], request("https://a.com:8443", "GET"), null],
  ["5: no default port is folded", [R1], request("https://a.com:443", "GET"), null],
  ["6: the scheme counts", [R1], request("http://a.com", "GET"), null],
  ["7", [R1], request("http://x.b.com", "GET"), [R1, "http://x.b.com"]],
  ["7: any depth", [R1], request("http://x.y.b.com", "HEAD"), [R1, "http://x.y.b.com"]],
  ["9", [R1], request("http://b.com", "GET"), null],
  ["9: what * stands for may be empty", [R1], request("http://.b.com", "GET"), [R1, "http://.b.com"]],
  ["10", [R1], request("https://a.com", "GET", "X-OSS-Meta-Foo, Range"), [R1, "https://a.com"]],
  ["10: without blanks", [R1], request("https://a.com", "GET", "range,x-oss-meta-foo"), [R1, "https://a.com"]],
  ["10: an empty list", [R1], request("https://a.com", "GET", ""), [R1, "https://a.com"]],
  ["11", [R1], request("https://a.com", "GET", "authorization"), null],
  ["11: one header that is not allowed is enough", [R1], request("https://a.com", "GET", "range, a"), null],
  ["11: a prefix is no match", [R1], request("https://a.com", "GET", "range-x"), null],
  ["18", [R1, R2], request("https://zzz.com", "GET"), [R2, "*"]],
  ["18: R2 allows no header", [R1, R2], request("https://zzz.com", "GET", "range"), null],
  ["19", [R1, R2], request("https://a.com", "GET", "range"), [R1, "https://a.com"]],
  ["19: the first rule that fits in full", [R3, R1], request("https://a.com", "GET"), [R1, "https://a.com"]],
  ["22", [R3], request("https://a.com", "PUT", "anything, at-all"), [R3, "https://a.com"]],
  ["24", [R2], request("null", "GET"), [R2, "*"]],
  ["24: only * matches null", [R1], request("null", "GET"), null],
  ["26", [R1], request("https://evil.com", "GET"), null],
  ["methods are case-sensitive", [R1], request("https://a.com", "get"), null],
  ["the end of a pattern is closed", [R1], request("https://a.com.evil.com", "GET"), null],
];

for (const [row, rules, asked, expected] of CASES) {
  const { origin, method, requestHeaders = "none" } = asked;
  t.test(`row ${row} (${origin} ${method}, headers: ${requestHeaders})`, (t) => {
    const match = compileCors(rules)(asked);
    t.same(match === null ? null : [match.rule, match.allowOrigin], expected);
    t.end();
  });
}

const matchOf = (rule: CorsRule) => {
  const match = compileCors([rule])(request("https://a.com", "GET"));
  if (match === null) throw new Error("the rule is for this origin");
  return match;
};

t.test("the answer to a preflight has the asked method and headers, and the rule's exposure and age", (t) => {
  const asked = request("https://a.com", "GET", "X-OSS-Meta-Foo, Range");
  t.same(preflightHeaders(matchOf(R1), asked), [
    "Access-Control-Allow-Origin",
    "https://a.com",
    "Access-Control-Allow-Methods",
    "GET",
    "Access-Control-Allow-Headers",
    "X-OSS-Meta-Foo, Range",
    "Access-Control-Expose-Headers",
    "ETag, x-oss-request-id",
    "Access-Control-Max-Age",
    "600",
  ]);
  t.same(preflightHeaders(matchOf(R2), request("https://a.com", "GET")), [
    "Access-Control-Allow-Origin",
    "*",
    "Access-Control-Allow-Methods",
    "GET",
  ]);
  t.end();
});

t.test("the answer to an actual request has all that the rule says", (t) => {
  t.same(actualHeaders(matchOf(R1)), [
    "Access-Control-Allow-Origin",
    "https://a.com",
    "Access-Control-Allow-Methods",
    "GET, HEAD",
    "Access-Control-Allow-Headers",
    "x-oss-*, range",
    "Access-Control-Expose-Headers",
    "ETag, x-oss-request-id",
    "Access-Control-Max-Age",
    "600",
  ]);
  t.same(actualHeaders(matchOf(R2)), ["Access-Control-Allow-Origin", "*", "Access-Control-Allow-Methods", "GET"]);
  t.end();
});

t.test("answers vary by origin unless every rule is for all", (t) => {
  t.equal(variesByOrigin([]), false);
  t.equal(variesByOrigin([R2]), false);
  t.equal(variesByOrigin([R2, R1]), true);
  t.end();
});

t.test("a rule that OSS would not have is named", (t) => {
  for (const rule of [R1, R2, R3]) t.equal(corsRuleProblem(rule), null);
  const bad: readonly Partial<CorsRule>[] = [
    { allowedMethods: ["PATCH"] },
    { allowedMethods: ["get"] },
    { allowedMethods: [] },
    { allowedOrigins: [] },
    { allowedOrigins: ["https://*.a.*"] },
    { allowedHeaders: ["*-*"] },
    { exposeHeaders: ["x-oss-*"] },
  ];
  for (const change of bad) t.type(corsRuleProblem({ ...R1, ...change }), "string", JSON.stringify(change));
  t.end();
});

t.test("a pattern matches exactly what it matches as a regular expression", (t) => {
  const text = fc.stringMatching(/^[ab.]{0,6}$/);
  fc.assert(
    fc.property(text, fc.option(text), text, (before, after, origin) => {
      const pattern = after === null ? before : `${before}*${after}`;
      const regex = new RegExp(`^${pattern.replaceAll(".", "\\.").replace("*", ".*")}$`);
      const match = compileCors([{ ...R2, allowedOrigins: [pattern] }])(request(origin, "GET"));
      return (match !== null) === regex.test(origin);
    }),
    { numRuns: 2000 },
  );
  t.pass("2000 patterns");
  t.end();
});
