import t from "tap";
import { configOf, credentialsOf, type Lines, problemsOf, signedWith, warningsOf } from "./helpers.js";

const ROLE = "roleArn: acs:ram::1234567890123456:role/oss-reader";

const KINDS: readonly [keys: string, config: object][] = [
  ["type: env", { type: "env" }],
  ["type: file, path: oss.json", { type: "file", path: "oss.json" }],
  ["type: ecsRamRole", { type: "ecsRamRole", roleName: null, metadataUrl: "http://100.100.100.200" }],
  [
    'type: ecsRamRole, roleName: oss-reader, metadataUrl: "http://127.0.0.1:8080/a/"',
    { type: "ecsRamRole", roleName: "oss-reader", metadataUrl: "http://127.0.0.1:8080/a" },
  ],
  [
    `type: assumeRole, ${ROLE}, from: other`,
    {
      type: "assumeRole",
      roleArn: "acs:ram::1234567890123456:role/oss-reader",
      from: "other",
      sessionName: "ossgate",
      durationSeconds: 3600,
      externalId: null,
      policy: null,
      stsEndpoint: "https://sts.aliyuncs.com",
    },
  ],
  [
    `type: assumeRole, ${ROLE}, from: other, sessionName: a.b@c-d_e, duration: 15m, externalId: ab, policy: '{"Statement":[]}', stsEndpoint: "http://127.0.0.1:9/"`,
    {
      type: "assumeRole",
      roleArn: "acs:ram::1234567890123456:role/oss-reader",
      from: "other",
      sessionName: "a.b@c-d_e",
      durationSeconds: 900,
      externalId: "ab",
      policy: '{"Statement":[]}',
      stsEndpoint: "http://127.0.0.1:9",
    },
  ],
  [
    "type: oidcRole",
    {
      type: "oidcRole",
      roleArn: null,
      providerArn: null,
      tokenFile: null,
      sessionName: "ossgate",
      durationSeconds: 3600,
      stsEndpoint: "https://sts.aliyuncs.com",
    },
  ],
  [
    `type: oidcRole, ${ROLE}, providerArn: "acs:ram::1:oidc-provider/ack", tokenFile: /run/token, duration: 12h`,
    {
      type: "oidcRole",
      roleArn: "acs:ram::1234567890123456:role/oss-reader",
      providerArn: "acs:ram::1:oidc-provider/ack",
      tokenFile: "/run/token",
      sessionName: "ossgate",
      durationSeconds: 43_200,
      stsEndpoint: "https://sts.aliyuncs.com",
    },
  ],
  [
    'type: credentialsUri, url: "http://127.0.0.1:9999/a/"',
    { type: "credentialsUri", url: "http://127.0.0.1:9999/a/" },
  ],
  ["type: default", { type: "default" }],
];

for (const [keys, config] of KINDS) {
  t.test(`credentials with ${keys.slice(0, 60)} become a frozen value with every default`, async (t) => {
    const credentials = credentialsOf(keys);
    t.strictSame(credentials, config);
    t.ok(Object.isFrozen(credentials));
  });
}

t.test("a file without credentials has none", async (t) => {
  t.equal(configOf(signedWith({ 3: "", 4: "", 11: "", 12: "" })).credentials.size, 0);
});

const TYPES = "env, file, ecsRamRole, assumeRole, oidcRole, credentialsUri, default";

/** The line of `reader` → every problem, from its beginning. */
const REFUSED: readonly [claim: string, line: string, problems: readonly string[]][] = [
  [
    "no type",
    "  reader: { path: /a }",
    [`g.yaml:4:3: credentials.reader.type: expected one of ${TYPES}, found no such key`],
  ],
  [
    "a type in another case",
    "  reader: { type: ecsramrole }",
    [`g.yaml:4:19: credentials.reader.type: expected one of ${TYPES}, found "ecsramrole". Write ecsRamRole.`],
  ],
  [
    "keys, under the name that other programs have for them",
    "  reader: { type: static, accessKeyId: LTAI5tHunter2, accessKeySecret: hunter2 }",
    [
      `g.yaml:4:19: credentials.reader.type: expected one of ${TYPES}, found "static". A secret is never written here: { type: env } or { type: file, path: PATH } says where it is.`,
    ],
  ],
  [
    "keys of an unknown type",
    "  reader: { type: mine, access-key-id: hunter2, secret: hunter2 }",
    [`g.yaml:4:19: credentials.reader.type: expected one of ${TYPES}, found "mine". A secret is never written here: `],
  ],
  [
    "keys without a type",
    "  reader: { accessKeyId: hunter2 }",
    [
      `g.yaml:4:3: credentials.reader.type: expected one of ${TYPES}, found no such key. A secret is never written here: `,
    ],
  ],
  [
    "the role of the instance under another name",
    "  reader: { type: ramRole }\n  other: { type: ecs }",
    [
      `g.yaml:4:19: credentials.reader.type: expected one of ${TYPES}, found "ramRole". Did you mean ecsRamRole?`,
      `g.yaml:5:18: credentials.other.type: expected one of ${TYPES}, found "ecs". Did you mean ecsRamRole?`,
    ],
  ],
  [
    "a misspelt type",
    "  reader: { type: asumeRole }",
    [`g.yaml:4:19: credentials.reader.type: expected one of ${TYPES}, found "asumeRole". Did you mean assumeRole?`],
  ],
  [
    "a text instead of a map, which is not shown",
    "  reader: LTAI-hunter2",
    [`g.yaml:4:11: credentials.reader: expected a map with a type: ${TYPES}, found a text`],
  ],
  ["a list", "  reader: [a]", [`g.yaml:4:11: credentials.reader: expected a map with a type: ${TYPES}, found a list`]],
  [
    "a key of another type",
    "  reader: { type: env, path: /a }",
    ['g.yaml:4:24: credentials.reader.path: expected type alone, found "path". It belongs to type: file.'],
  ],
  [
    "a key of two other types",
    "  reader: { type: ecsRamRole, stsEndpoint: x }",
    [
      'g.yaml:4:31: credentials.reader.stsEndpoint: expected one of type, roleName, metadataUrl, found "stsEndpoint". It belongs to type: assumeRole or oidcRole.',
    ],
  ],
  [
    "a misspelt key",
    "  reader: { type: ecsRamRole, rolename: x }",
    [
      'g.yaml:4:31: credentials.reader.rolename: expected one of type, roleName, metadataUrl, found "rolename". Did you mean roleName?',
    ],
  ],
  [
    "keys of the account itself, with a hint and without their values",
    "  reader: { type: env, accessKeyId: LTAI5tHunter2, access_key_secret: hunter2, securityToken: hunter2 }",
    [
      'g.yaml:4:24: credentials.reader.accessKeyId: expected type alone, found "accessKeyId". A secret is never written here: { type: env } or { type: file, path: PATH } says where it is.',
      'g.yaml:4:52: credentials.reader.access_key_secret: expected type alone, found "access_key_secret". A secret is never written here',
      'g.yaml:4:80: credentials.reader.securityToken: expected type alone, found "securityToken". A secret is never written here',
    ],
  ],
  ["a file without path", "  reader: { type: file }", ["g.yaml:4:3: credentials.reader.path: expected the path of a"]],
  [
    "a name that is none",
    "  rea der: { type: env }",
    ['g.yaml:4:3: credentials["rea der"]: expected a name of 1 to 63', "g.yaml:12:26: routes[0].sign.credentials: "],
  ],
  [
    "a role's name instead of its ARN",
    "  reader: { type: oidcRole, roleArn: oss-reader }",
    ["g.yaml:4:38: credentials.reader.roleArn: expected the ARN of a role, acs:ram::"],
  ],
  [
    "a role's name that is a path",
    "  reader: { type: ecsRamRole, roleName: ../x }",
    ["g.yaml:4:41: credentials.reader.roleName: expected the name of a RAM role"],
  ],
  [
    "sessions that STS does not know",
    "  reader: { type: oidcRole, sessionName: a b, duration: 14m }",
    [
      "g.yaml:4:42: credentials.reader.sessionName: expected a session name of 2 to 64",
      "g.yaml:4:57: credentials.reader.duration: expected a duration from 15m to 12h",
    ],
  ],
  [
    "an external id that is none, and is not shown",
    '  reader: { type: assumeRole, roleArn: "acs:ram::1:role/a", from: b, externalId: "hunter2 hunter2" }\n  b: { type: env }',
    [
      "g.yaml:4:82: credentials.reader.externalId: expected an external id of 2 to 1224 letters, digits or any of +=,.@:/_-, found a text",
    ],
  ],
  [
    "a policy that is no JSON, and one that is no policy",
    `  reader: { type: assumeRole, roleArn: "acs:ram::1:role/a", from: b, policy: "{" }\n  b: { type: assumeRole, roleArn: "acs:ram::1:role/a", from: c, policy: "[]" }\n  c: { type: env }`,
    [
      "g.yaml:4:78: credentials.reader.policy: expected a policy as JSON text",
      "g.yaml:5:73: credentials.b.policy: expected a policy as JSON text",
    ],
  ],
  [
    "STS over plain http",
    '  reader: { type: oidcRole, stsEndpoint: "http://sts.aliyuncs.com" }',
    [
      'g.yaml:4:42: credentials.reader.stsEndpoint: expected a URL such as https://sts.aliyuncs.com, found "http://sts.aliyuncs.com". Write https://',
    ],
  ],
  [
    "a host instead of a URL",
    "  reader: { type: oidcRole, stsEndpoint: sts.aliyuncs.com }",
    [
      'g.yaml:4:42: credentials.reader.stsEndpoint: expected a URL such as https://sts.aliyuncs.com, found "sts.aliyuncs.com". Write the scheme too',
    ],
  ],
  [
    "a URL with a user, who is not shown",
    '  reader: { type: credentialsUri, url: "http://me:hunter2@localhost/a" }',
    [
      'g.yaml:4:40: credentials.reader.url: expected a URL such as http://127.0.0.1:9999/credentials, without user and password, found "http://***@localhost/a"',
    ],
  ],
  [
    "a user whose password ends the host's name, who is not shown either",
    '  reader: { type: credentialsUri, url: "http://me:hun/ter2@localhost/a" }',
    [
      'g.yaml:4:40: credentials.reader.url: expected a URL such as http://127.0.0.1:9999/credentials, found "http://***@localhost/a"',
    ],
  ],
  [
    "a URL with a query, which is not shown",
    '  reader: { type: credentialsUri, url: "http://localhost/a?hunter2" }',
    [
      "g.yaml:4:40: credentials.reader.url: expected a URL such as http://127.0.0.1:9999/credentials, without '?' and '#', found \"http://localhost/a?***\"",
    ],
  ],
  [
    "credentials that ask credentials that are not there",
    '  reader: { type: assumeRole, roleArn: "acs:ram::1:role/a", from: acount }\n  account: { type: env }',
    ['g.yaml:4:67: credentials.reader.from: expected the name of credentials, found "acount". Did you mean account?'],
  ],
  [
    "credentials that ask themselves",
    '  reader: { type: assumeRole, roleArn: "acs:ram::1:role/a", from: reader }',
    [
      'g.yaml:4:67: credentials.reader.from: expected other credentials, which do not wait for these, found "reader" from "reader"',
    ],
  ],
  [
    "credentials that ask each other, once for the circle and not for who asks into it",
    '  reader: { type: assumeRole, roleArn: "acs:ram::1:role/a", from: b }\n  b: { type: assumeRole, roleArn: "acs:ram::1:role/a", from: c }\n  c: { type: assumeRole, roleArn: "acs:ram::1:role/a", from: b }',
    [
      'g.yaml:5:62: credentials.b.from: expected other credentials, which do not wait for these, found "b" from "c" from "b"',
    ],
  ],
];

for (const [claim, line, problems] of REFUSED) {
  t.test(`${claim}: refused at its place`, async (t) => {
    const found = problemsOf(signedWith({ 4: line }));
    t.strictSame(
      found.map((text, index) => text.slice(0, problems[index]?.length)),
      problems,
    );
    t.notMatch(found.join("\n"), /hunter2|hun\/|ter2/i);
  });
}

t.test("one wrong credential hides no problem of another", async (t) => {
  const line = '  reader: { type: file }\n  b: { type: assumeRole, roleArn: "acs:ram::1:role/a", from: nobody }';
  t.equal(problemsOf(signedWith({ 4: line })).length, 2);
});

const WARNED: readonly [claim: string, lines: Lines, warnings: readonly string[]][] = [
  [
    "credentials that nothing uses",
    { 4: "  reader: { type: env }\n  spare: { type: env }" },
    ["g.yaml:5:3: credentials.spare: warning: expected a route that signs with them, found none"],
  ],
  [
    "credentials that other credentials ask with are used",
    { 4: '  reader: { type: assumeRole, roleArn: "acs:ram::1:role/a", from: account }\n  account: { type: env }' },
    [],
  ],
  [
    "credentials that POST /policy may name are not called unused",
    { 1: "admin: { bearerSecret: { env: A } }\nlisteners:", 4: "  reader: { type: env }\n  spare: { type: env }" },
    [],
  ],
  [
    "a credentials URI on the network without TLS",
    { 4: '  reader: { type: credentialsUri, url: "http://creds.example.com/a" }' },
    [
      'g.yaml:4:40: credentials.reader.url: warning: expected https, or an address of this machine, found "http://creds.example.com/a". Credentials pass there without encryption.',
    ],
  ],
  [
    "a bearer secret on an address that others reach",
    { 1: 'admin: { address: "0.0.0.0:9180", bearerSecret: { env: A } }\nlisteners:' },
    [
      'g.yaml:1:19: admin.address: warning: expected an address of this machine alone, with admin.bearerSecret, found "0.0.0.0:9180". It is plain HTTP: whoever reads it on the way gets the secret, and signatures with it.',
    ],
  ],
  [
    "a bearer secret on an address of this machine",
    { 1: 'admin: { address: "[::1]:9180", bearerSecret: { env: A } }\nlisteners:' },
    [],
  ],
  ["a credentials URI of this machine", { 4: '  reader: { type: credentialsUri, url: "http://[::1]:80/a" }' }, []],
];

for (const [claim, lines, warnings] of WARNED) {
  t.test(`${claim}: ${warnings.length === 0 ? "no warning" : "a warning, which refuses nothing"}`, async (t) => {
    const text = signedWith(lines);
    t.ok(configOf(text));
    t.strictSame(warningsOf(text), warnings);
  });
}
