import { inspect } from "node:util";
import t from "tap";
import { configOf, type Lines, problemsOf, signedRoute, signedWith } from "./helpers.js";

const LINKS = "    allow: { links: { secret: ";

t.test("a secret is the name of a variable or of a file", async (t) => {
  const route = signedRoute({
    13: `${LINKS}{ env: LINK_SECRET }, previousSecrets: [{ file: /a b }, { env: _o1 }] } }`,
  });
  t.strictSame(route.allow?.links?.secret, { kind: "env", name: "LINK_SECRET" });
  t.strictSame(route.allow?.links?.previousSecrets, [
    { kind: "file", path: "/a b" },
    { kind: "env", name: "_o1" },
  ]);
  const { admin } = configOf(signedWith({ 1: "admin: { bearerSecret: { file: s } }\nlisteners:" }));
  t.strictSame(admin.bearerSecret, { kind: "file", path: "s" });
});

const NEVER = "A secret is never written here: { env: NAME } or { file: PATH }.";
const PLACE = "g.yaml:13:31: routes[0].allow.links.secret";
const EITHER = "expected { env: NAME } or { file: PATH }";

/** What stands behind `secret:` → the one problem. */
const WRONG: readonly [written: string, problem: string][] = [
  ["hunter2", `${PLACE}: ${EITHER}, found a text. ${NEVER}`],
  ["'env: hunter2'", `${PLACE}: ${EITHER}, found a text. ${NEVER}`],
  ['""', `${PLACE}: ${EITHER}, found an empty text. ${NEVER}`],
  ["40028922", `${PLACE}: ${EITHER}, found a value. ${NEVER}`],
  ["true", `${PLACE}: ${EITHER}, found a value. ${NEVER}`],
  ["[hunter2]", `${PLACE}: ${EITHER}, found a list. ${NEVER}`],
  ["null", `${PLACE}: ${EITHER}, found nothing`],
  ["{ hunter2 }", `${PLACE}: ${EITHER}, found a map. ${NEVER}`],
  ["{ value: hunter2 }", `${PLACE}: ${EITHER}, found a map. ${NEVER}`],
  ["{ ENV: A }", `${PLACE}: ${EITHER}, found a map. Did you mean env?`],
  ["{}", `${PLACE}: expected exactly one of env and file, found an empty map`],
  ["{ env: A, file: b }", `${PLACE}: expected exactly one of env and file, found a map`],
  [
    "{ env: hunter-2+hunter2 }",
    "g.yaml:13:38: routes[0].allow.links.secret.env: expected the name of an environment variable such as LINK_SECRET, found a text. Write the variable's name, not what is in it.",
  ],
  [
    "{ env: 4002892 }",
    "g.yaml:13:38: routes[0].allow.links.secret.env: expected the name of an environment variable such as LINK_SECRET, found a value. Write the variable's name, not what is in it.",
  ],
  [
    '{ file: "-----BEGIN hunter2" }',
    "g.yaml:13:39: routes[0].allow.links.secret.file: expected the path of a file, found a text. Write where the file is, not what is in it.",
  ],
  ['{ file: "" }', "g.yaml:13:39: routes[0].allow.links.secret.file: expected the path of a file, found an empty text"],
];

for (const [written, problem] of WRONG) {
  t.test(`secret: ${written} is refused, and nothing of it is shown`, async (t) => {
    t.strictSame(problemsOf(signedWith({ 13: `${LINKS}${written} } }` })), [problem]);
  });
}

/** Secrets of a person who did not read: each at a place where something else belongs. */
const PLANTED: readonly [where: string, lines: Lines][] = [
  ["bearerSecret", { 1: "admin: { bearerSecret: hunter2 }\nlisteners:" }],
  ["bearerSecret, as a list of maps", { 1: "admin: { bearerSecret: [{ hunter2: hunter2 }] }\nlisteners:" }],
  ["links", { 13: "    allow: { links: hunter2 }" }],
  ["links.secret, which YAML takes for an alias", { 13: `${LINKS}*hunter2 } }` }],
  ["links.secret, which YAML takes for an anchor", { 13: `${LINKS}&hunter2 hunter2 } }` }],
  ["links.secret, which YAML takes for a tag", { 13: `${LINKS}!hunter2 x } }` }],
  ["links.secret, with a key twice", { 13: `${LINKS}{ hunter2: 1, hunter2: 2 } } }` }],
  ["links.secret, with a list as a key", { 13: `${LINKS}{ [hunter2]: 1 } } }` }],
  ["links.secret, in a block", { 13: "    allow:\n      links:\n        secret: |\n          hunter2\n" }],
  ["previousSecrets", { 13: `${LINKS}{ env: A }, previousSecrets: hunter2 } }` }],
  ["a member of previousSecrets", { 13: `${LINKS}{ env: A }, previousSecrets: [hunter2] } }` }],
  ["secureLink", { 13: `${LINKS}{ env: A }, secureLink: hunter2 } }` }],
  [
    "NGINX's expression",
    {
      13: `${LINKS}{ env: A }, secureLink: { expression: "$secure_link_expires$uri hunter2", secret: { env: B } } } }`,
    },
  ],
  [
    "the callback's secret",
    {
      10: '    callback: { forward: "http://a.example.com/", buckets: [media], secret: hunter2 }',
      11: "",
      12: "",
      13: "",
    },
  ],
  [
    "a password in the callback's URL",
    {
      10: '    callback: { forward: "http://u:hunter2@a.example.com/", buckets: [media], secret: { env: A } }',
      11: "",
      12: "",
      13: "",
    },
  ],
  ["limits.shared", { 1: "limits: { shared: 'redis://:hunter2@10.0.0.5:6379/0' }\nlisteners:" }],
  ["limits.shared, without user", { 1: "limits: { shared: 'redis://hunter2@10.0.0.5:6379/0' }\nlisteners:" }],
  ["limits.shared, with an @ in it", { 1: "limits: { shared: 'redis://:a@hunter2@10.0.0.5' }\nlisteners:" }],
  ["limits.shared, in the query", { 1: "limits: { shared: 'redis://10.0.0.5?password=hunter2' }\nlisteners:" }],
  ["limits.shared, alone", { 1: "limits: { shared: hunter2 }\nlisteners:" }],
  ["limits.sharedPassword", { 1: "limits: { shared: 'redis://10.0.0.5', sharedPassword: hunter2 }\nlisteners:" }],
  ["basic", { 13: "    allow: { basic: 'alice:hunter2' }" }],
  ["basic, as a map", { 13: "    allow: { basic: { alice: hunter2 } }" }],
  ["a password in the URL of forwardAuth", { 13: "    allow: { forwardAuth: { url: 'http://a:hunter2@b.test/' } }" }],
  ["a token in the URL of forwardAuth", { 13: "    allow: { forwardAuth: { url: 'b.test/?token=hunter2' } }" }],
  ["a token of forwardAuth, in the fragment", { 13: "    allow: { forwardAuth: { url: 'http://b.test/#hunter2' } }" }],
  ["credentials", { 3: "credentials: hunter2", 4: "" }],
  ["credentials of a name", { 4: "  reader: hunter2" }],
  ["credentials, as a number in quotes", { 4: "  reader: 'hunter2'" }],
  ["a key that is none", { 4: "  reader: { type: env, password: hunter2 }" }],
  ["a route's key that is none", { 13: "    linkSecret: hunter2" }],
];

for (const [where, lines] of PLANTED) {
  t.test(`a secret that stands at ${where} is refused and not repeated`, async (t) => {
    const problems = problemsOf(signedWith(lines));
    t.not(problems.length, 0);
    t.notMatch(problems.join("\n"), /hunter2/);
  });
}

t.test("an alias or a key that is no secret is still shown", async (t) => {
  t.match(problemsOf(signedWith({ 9: "    match: { hosts: [*.example.com] }" })), [/"\*\.example\.com"/]);
  const lines = { 6: "  my-secrets: { bucket: UPPER, region: cn-beijing }", 10: "    bucket: my-secrets" };
  t.match(problemsOf(signedWith(lines)), [/found "UPPER"$/]);
  t.match(problemsOf(signedWith({ 12: "    sign: { credentials: raeder }" })), [/found "raeder"\./]);
});

t.test("the configuration that is read has no place for a secret's value", async (t) => {
  process.env.OSSGATE_TEST_SECRET = "hunter2";
  t.teardown(() => {
    delete process.env.OSSGATE_TEST_SECRET;
  });
  const config = configOf(signedWith({ 13: `${LINKS}{ env: OSSGATE_TEST_SECRET } } }` }));
  t.notMatch(inspect(config, { depth: null }), /hunter2/);
});
