import t from "tap";
import type { CorsRule } from "../../../src/policy/cors.js";
import { type CorsOptions, compileCorsPolicy, type Preflight } from "../../../src/policy/cors-policy.js";

// The rules of oss-semantics §6.5; which of them matches is tested with the matcher.
const R1: CorsRule = {
  allowedOrigins: ["https://a.com", "http://*.b.com"],
  allowedMethods: ["GET", "HEAD"],
  allowedHeaders: ["x-oss-*", "range"],
  exposeHeaders: ["ETag", "x-oss-request-id"],
  maxAgeSeconds: 600,
};
const R2: CorsRule = {
  ...R1,
  allowedOrigins: ["*"],
  allowedMethods: ["GET"],
  allowedHeaders: [],
  exposeHeaders: [],
  maxAgeSeconds: null,
};
const OWN = "ETag, x-oss-request-id";

const options = (rules: readonly CorsRule[], more: Partial<CorsOptions> = {}): CorsOptions => ({
  rules,
  allowCredentials: false,
  allowPrivateNetwork: false,
  responseVary: false,
  ...more,
});

const policyOf = (rules: readonly CorsRule[], more: Partial<CorsOptions> = {}) => {
  const policy = compileCorsPolicy(options(rules, more));
  if (policy === null) throw new Error("there are options");
  return policy;
};

const asked = (
  origin: string | undefined,
  requestMethod: string | undefined,
  more: Partial<Preflight> = {},
): Preflight => ({
  origin,
  requestMethod,
  requestHeaders: undefined,
  requestPrivateNetwork: undefined,
  ...more,
});

/** Headers by lower-case name, or the code of a refusal. */
const outcome = (answer: ReturnType<ReturnType<typeof policyOf>["preflight"]>): unknown =>
  "code" in answer ? answer.code : byName(answer);

function byName(headers: readonly string[]): Record<string, string> {
  const named: Record<string, string> = {};
  for (let i = 0; i < headers.length; i += 2) named[(headers[i] as string).toLowerCase()] = headers[i + 1] as string;
  t.equal(Object.keys(named).length, headers.length / 2, "no header comes twice");
  return named;
}

const A_GET = {
  "access-control-allow-origin": "https://a.com",
  "access-control-allow-methods": "GET",
  "access-control-expose-headers": OWN,
  "access-control-max-age": "600",
  vary: "Origin",
};

const PREFLIGHTS: readonly (readonly [row: string, rules: readonly CorsRule[], asked: Preflight, expected: unknown])[] =
  [
    ["1", [], asked("https://a.com", "GET"), "CORS_DENIED"],
    ["3", [R1], asked("https://a.com", "GET"), A_GET],
    ["4", [R1], asked("https://a.com", "PUT"), "CORS_DENIED"],
    ["5", [R1], asked("https://a.com:8443", "GET"), "CORS_DENIED"],
    ["6", [R1], asked("http://a.com", "GET"), "CORS_DENIED"],
    ["7", [R1], asked("http://x.b.com", "GET"), { ...A_GET, "access-control-allow-origin": "http://x.b.com" }],
    ["9", [R1], asked("http://b.com", "GET"), "CORS_DENIED"],
    [
      "10",
      [R1],
      asked("https://a.com", "GET", { requestHeaders: "X-OSS-Meta-Foo, Range" }),
      { ...A_GET, "access-control-allow-headers": "X-OSS-Meta-Foo, Range" },
    ],
    ["11", [R1], asked("https://a.com", "GET", { requestHeaders: "authorization" }), "CORS_DENIED"],
    ["13", [R1], asked(undefined, "GET"), "PREFLIGHT_INCOMPLETE"],
    ["13: an empty origin", [R1], asked("", "GET"), "PREFLIGHT_INCOMPLETE"],
    ["14", [R1], asked("https://a.com", undefined), "PREFLIGHT_INCOMPLETE"],
    [
      "18",
      [R1, R2],
      asked("https://zzz.com", "GET"),
      { "access-control-allow-origin": "*", "access-control-allow-methods": "GET", vary: "Origin" },
    ],
    [
      "19",
      [R1, R2],
      asked("https://a.com", "GET", { requestHeaders: "range" }),
      { ...A_GET, "access-control-allow-headers": "range" },
    ],
    [
      "22",
      [{ ...R1, allowedOrigins: ["https://a.com"], allowedMethods: ["PUT"], allowedHeaders: ["*"] }],
      asked("https://a.com", "PUT", { requestHeaders: "anything" }),
      { ...A_GET, "access-control-allow-methods": "PUT", "access-control-allow-headers": "anything" },
    ],
    ["24", [R2], asked("null", "GET"), { "access-control-allow-origin": "*", "access-control-allow-methods": "GET" }],
    ["a page without origin is not every page", [R1], asked("null", "GET"), "CORS_DENIED"],
  ];

t.test("preflights are answered as OSS answers them (oss-semantics §6.5)", async (t) => {
  for (const [row, rules, preflight, expected] of PREFLIGHTS) {
    t.same(outcome(policyOf(rules).preflight(preflight)), expected, `row ${row}`);
  }
});

t.test("a refused preflight says how OSS words it, and that it depends on the origin", async (t) => {
  const denial = policyOf([R1]).preflight(asked("https://evil.com", "GET"));
  t.match(denial, {
    code: "CORS_DENIED",
    reason: /^CORSResponse: This CORS request is not allowed\./,
    headers: ["Vary", "Origin"],
  });
  t.match(policyOf([R1]).preflight(asked(undefined, undefined)), { reason: /Origin request header needed/ });
  t.match(policyOf([R1]).preflight(asked("https://a.com", "")), {
    reason: /Access-Control-Request-Method header needed/,
  });
});

t.test("answers to actual requests carry all that the rule says", async (t) => {
  t.same(byName(policyOf([R1]).actual("https://a.com", "GET")), {
    "access-control-allow-origin": "https://a.com",
    "access-control-allow-methods": "GET, HEAD",
    "access-control-allow-headers": "x-oss-*, range",
    "access-control-expose-headers": OWN,
    "access-control-max-age": "600",
  });
  t.same(policyOf([R1]).actual("https://evil.com", "GET"), [], "row 26");
  t.same(policyOf([R1]).actual(undefined, "GET"), [], "row 17");
  t.same(policyOf([]).actual("https://a.com", "GET"), [], "row 2");
});

t.test(
  "rules for all origins speak to requests without one too, so that a cached answer serves every page",
  async (t) => {
    const policy = policyOf([R2]);
    t.equal(byName(policy.actual(undefined, "GET"))["access-control-allow-origin"], "*");
    t.same(policy.actual(undefined, "PUT"), []);
    t.notOk(policy.varies);
  },
);

t.test("answers say that they depend on the origin exactly where they do, or where it is asked for", async (t) => {
  t.ok(policyOf([R1]).varies);
  t.ok(policyOf([R2, R1]).varies);
  t.ok(policyOf([R2], { responseVary: true }).varies);
  t.notOk(policyOf([R2]).varies);
});

t.test("credentials are allowed only where the option says so", async (t) => {
  const policy = policyOf([R1], { allowCredentials: true });
  t.equal(byName(policy.actual("https://a.com", "GET"))["access-control-allow-credentials"], "true");
  t.match(outcome(policy.preflight(asked("https://a.com", "GET"))), { "access-control-allow-credentials": "true" });
  t.same(policy.actual("https://evil.com", "GET"), []);
  t.notMatch(outcome(policyOf([R1]).preflight(asked("https://a.com", "GET"))), {
    "access-control-allow-credentials": "true",
  });
});

t.test("a private network is opened only where the option says so and the browser asks", async (t) => {
  const asks = asked("https://a.com", "GET", { requestPrivateNetwork: "true" });
  const header = { "access-control-allow-private-network": "true" };
  t.match(outcome(policyOf([R1], { allowPrivateNetwork: true }).preflight(asks)), header);
  t.notMatch(outcome(policyOf([R1]).preflight(asks)), header);
  t.notMatch(outcome(policyOf([R1], { allowPrivateNetwork: true }).preflight(asked("https://a.com", "GET"))), header);
});

t.test("without options the bucket's own rules rule", async (t) => {
  t.equal(compileCorsPolicy(null), null);
});
