import { createHash } from "node:crypto";
import t, { type Test } from "tap";
import { presignV4Url } from "../../src/signing/sign.js";
import { xmlText } from "../support/raw-client.js";
import {
  ask,
  BUCKET,
  EVERY_METHOD,
  everythingOf,
  inSeconds,
  LINK_SECRET,
  LINKS,
  linkOf,
  NGINX_SECRET,
  OLD_LINK_SECRET,
  OWN,
  outcome,
  REGION,
  type SignWorld,
  sentHeader,
  signingRoute,
  startSigning,
  statusFrom,
} from "../support/sign-world.js";

const ROTATED =
  "links: { secret: { file: $SECRETS/link }, previousSecrets: [{ file: $SECRETS/old-link }], maxAge: 2h }";
const NGINX =
  'links: { secret: { file: $SECRETS/link }, secureLink: { expression: "$secure_link_expires$uri$remote_addr $secret", secret: { file: $SECRETS/nginx } } }';

/** A route that relays, guarded in the same way. */
const relayRoute = (name: string, rest: string): string =>
  `  - { name: ${name}, match: { hosts: [${name}.test] }, bucket: one, ${rest} }\n`;

/** Each access rule twice: where the gateway signs, and where it relays. */
const twice = (name: string, rest: string): string => signingRoute(name, rest) + relayRoute(`relay-${name}`, rest);

const ROUTES =
  twice("closed", "allow: { clients: [192.0.2.1] }") +
  twice("listed", 'allow: { clients: [127.0.0.1, "::1"] }') +
  twice("subnet", 'allow: { clients: ["127.0.0.2/31"] }') +
  twice("denied", "allow: { anyone: true }, deny: { clients: [127.0.0.2] }") +
  twice("links", `${EVERY_METHOD}, allow: { ${LINKS} }`) +
  twice("either", `allow: { clients: [127.0.0.2], ${LINKS} }, satisfy: any`) +
  twice("every", `allow: { clients: [127.0.0.2], ${LINKS} }, satisfy: all, deny: { clients: ["::1"] }`) +
  twice("rotated", `allow: { ${ROTATED} }`) +
  twice("nginx", `allow: { ${NGINX} }`) +
  relayRoute("deny-only", "deny: { clients: [127.0.0.2] }") +
  signingRoute("options", `allow: { ${LINKS} }`, 'process: ["style/*"], responseOverrides: [response-content-type]');

const ALL_FAMILIES = 'listeners: [{ name: web, address: "[::]:0" }]';
const KINDS = ["", "relay-"];

async function worldWithObjects(t: Test): Promise<SignWorld> {
  const world = await startSigning(t, ROUTES, { listeners: ALL_FAMILIES });
  // Relayed requests are anonymous here, and the question is who may use the route.
  const open = { "x-oss-object-acl": "public-read" };
  for (const key of ["k", "a+b", "a b", "dir/k", "dir/sub/k", "dir2/k", "x/y"])
    world.emulator.putObject(BUCKET, key, key, open);
  return world;
}

t.test("addresses: those that may and those that may not, where the gateway signs and where it relays", async (t) => {
  const world = await worldWithObjects(t);
  const expected: Readonly<Record<string, Readonly<Record<string, number>>>> = {
    closed: { "127.0.0.1": 403, "127.0.0.2": 403, "::1": 403 },
    listed: { "127.0.0.1": 200, "127.0.0.2": 403, "::1": 200 },
    subnet: { "127.0.0.1": 403, "127.0.0.2": 200, "127.0.0.3": 200, "127.0.0.4": 403, "::1": 403 },
    denied: { "127.0.0.1": 200, "127.0.0.2": 403, "127.0.0.3": 200, "::1": 200 },
  };
  for (const kind of KINDS) {
    for (const [route, clients] of Object.entries(expected)) {
      for (const [client, status] of Object.entries(clients)) {
        world.emulator.clearCaptures();
        t.equal(await statusFrom(world, client, `${kind}${route}.test`, "/k"), status, `${kind}${route} ${client}`);
        t.equal(world.emulator.captures.length, status === 200 ? 1 : 0);
      }
    }
  }
  t.equal(await statusFrom(world, "127.0.0.1", "deny-only.test", "/k"), 200);
  t.equal(await statusFrom(world, "127.0.0.2", "deny-only.test", "/k"), 403);
});

t.test(
  "an address that is refused learns nothing: not the method's 405, not what is wrong with its link",
  async (t) => {
    const world = await worldWithObjects(t);
    for (const kind of KINDS) {
      const answer = await ask(world, { method: "PATCH", host: `${kind}closed.test`, target: "/k?ossgate-expires=x" });
      t.equal(outcome(answer), "CLIENT_NOT_ALLOWED");
      t.equal(answer.header("allow"), "");
      const preflight = ["Origin", "https://a.example", "Access-Control-Request-Method", "GET"];
      const asked = await ask(world, {
        method: "OPTIONS",
        host: `${kind}closed.test`,
        target: "/k",
        headers: preflight,
      });
      t.equal(outcome(asked), "CLIENT_NOT_ALLOWED");
    }
  },
);

t.test("satisfy any: the address or the link; satisfy all: both, and deny before either", async (t) => {
  const world = await worldWithObjects(t);
  for (const kind of KINDS) {
    const any = `${kind}either`;
    const all = `${kind}every`;
    const good = (route: string): string => `/k?${linkOf(route, "/k")}`;
    const expired = (route: string): string => `/k?${linkOf(route, "/k", { expiresSeconds: inSeconds(-10) })}`;
    const cases: readonly (readonly [client: string, route: string, target: string, status: number])[] = [
      ["127.0.0.2", any, "/k", 200],
      ["127.0.0.1", any, "/k", 403],
      ["127.0.0.1", any, good(any), 200],
      ["::1", any, good(any), 200],
      ["127.0.0.1", any, expired(any), 403],
      ["127.0.0.2", any, expired(any), 200],
      ["127.0.0.2", all, "/k", 403],
      ["127.0.0.1", all, good(all), 403],
      ["127.0.0.2", all, good(all), 200],
      ["127.0.0.2", all, expired(all), 403],
      ["::1", all, good(all), 403],
    ];
    for (const [client, route, target, status] of cases) {
      t.equal(
        await statusFrom(world, client, `${route}.test`, target),
        status,
        `${client} ${route} ${target.slice(0, 30)}`,
      );
    }
  }
});

t.test("a link admits to its path, to GET and HEAD, and is taken off before the upstream", async (t) => {
  const world = await worldWithObjects(t);
  for (const kind of KINDS) {
    const host = `${kind}links.test`;
    const link = linkOf(`${kind}links`, "/x/y");
    for (const method of ["GET", "HEAD"]) {
      for (const target of [`/x/y?${link}`, `/x%2Fy?${link}`, `/%78/y?${link}`]) {
        const answer = await ask(world, { method, host, target });
        t.equal(answer.status, 200, `${method} ${host}${target}`);
        t.notMatch(answer.captures[0]?.rawTarget, /ossgate/);
        t.notMatch(answer.entry.target, /ossgate-signature=(?!\*)/, "the log has it masked");
      }
    }
    for (const method of ["PUT", "DELETE", "POST"]) {
      t.equal(outcome(await ask(world, { method, host, target: `/x/y?${link}` })), "LINK_INVALID", method);
    }
    for (const path of ["/k", "/x", "/x/y/", "/x//y", "/x%252Fy", "/X/y", "//x/y", "/x/./y"]) {
      const answer = await ask(world, { host, target: `${path}?${link}` });
      t.match(outcome(answer), /^(LINK_INVALID|DOT_SEGMENT)$/, path);
      t.strictSame(answer.captures, [], path);
    }
  }
});

t.test("a link for a method admits to that method alone", async (t) => {
  const world = await worldWithObjects(t);
  const target = `/up?${linkOf("links", "/up", { method: "PUT" })}`;
  for (const method of ["GET", "HEAD", "DELETE", "POST"]) {
    t.equal(outcome(await ask(world, { method, host: "links.test", target })), "LINK_INVALID", method);
  }
  const headers = ["Content-Type", "text/plain"];
  t.equal((await ask(world, { method: "PUT", host: "links.test", target, headers, body: "new" })).status, 200);
  t.equal(world.emulator.readObject(BUCKET, "up").toString(), "new");
  const deletion = `/up?${linkOf("links", "/up", { method: "DELETE" })}`;
  t.equal((await ask(world, { method: "DELETE", host: "links.test", target: deletion })).status, 204);
});

t.test("a prefix link admits to all below its prefix, and to nothing beside it", async (t) => {
  const world = await worldWithObjects(t);
  for (const kind of KINDS) {
    const link = linkOf(`${kind}links`, "/dir/", { isPrefix: true });
    const host = `${kind}links.test`;
    for (const path of ["/dir/k", "/dir/sub/k", "/dir%2Fk", "/%64ir/k"]) {
      t.equal((await ask(world, { host, target: `${path}?${link}` })).status, 200, path);
    }
    for (const path of [
      "/k",
      "/dir",
      "/dir2/k",
      "/dir/../k",
      "/dir/%2e%2e/k",
      "/dir%2f..%2fk",
      "/dir/./k",
      "//dir/k",
      "/",
    ]) {
      const answer = await ask(world, { host, target: `${path}?${link}` });
      t.ok(answer.status === 403 || answer.status === 400, `${path} ${answer.status}`);
      t.strictSame(answer.captures, [], path);
    }
    const wider = link.replace("ossgate-prefix=/dir/", "ossgate-prefix=/");
    t.equal(outcome(await ask(world, { host, target: `/k?${wider}` })), "LINK_INVALID");
  }
});

t.test("every part of a link counts: whatever is changed, added, repeated or left out makes it invalid", async (t) => {
  const world = await worldWithObjects(t);
  const claims = { isPrefix: true, scope: "/dir/", client: "127.0.0.1" } as const;
  for (const kind of KINDS) {
    const route = `${kind}links`;
    const whole = linkOf(route, "/dir/", claims);
    const parts = whole.split("&");
    t.equal((await ask(world, { host: `${route}.test`, target: `/dir/k?${whole}` })).status, 200);
    t.equal(
      (await ask(world, { host: `${route}.test`, target: `/dir/k?${parts.reverse().join("&")}` })).status,
      200,
      "order",
    );
    const changed = [
      ...parts.map((part) => parts.filter((other) => other !== part).join("&")),
      ...parts.map((part) => parts.map((other) => (other === part ? bump(part) : other)).join("&")),
      ...parts.map((part) => `${whole}&${part}`),
      ...parts.map((part) => `${whole}&${part.replace("ossgate-", "ossgate%2d")}`),
      `${whole}&ossgate-new=1`,
      `${whole}&ossgate-=`,
      `${whole}&ossgate-method=GET&ossgate-method=GET`,
      whole.replace("ossgate-signature", "ossgate-Signature"),
      whole.replace(/ossgate-signature=[^&]*/, "ossgate-signature="),
      whole.replace(/(ossgate-signature=[^&]*)/, "$1=").replace(/$/, "%"),
      whole.replace("ossgate-client=1", "ossgate-client=127.0.0.1"),
    ];
    for (const query of changed) {
      const answer = await ask(world, { host: `${route}.test`, target: `/dir/k?${query}` });
      t.match(outcome(answer), /^LINK_(INVALID|REQUIRED)$/, query);
      t.strictSame(answer.captures, [], query);
      t.notOk(everythingOf(answer).includes(LINK_SECRET));
    }
  }
});

/** The parameter with another value. */
function bump(part: string): string {
  const [name = "", value = ""] = part.split("=");
  if (name === "ossgate-expires") return `${name}=${Number(value) + 1}`;
  if (name === "ossgate-signature") return `${name}=${value.startsWith("A") ? "B" : "A"}${value.slice(1)}`;
  return `${name}=${value === "1" ? "2" : "/"}`;
}

t.test("a link that has expired says so, one that lasts too long or of another secret does not admit", async (t) => {
  const world = await worldWithObjects(t);
  for (const kind of KINDS) {
    const route = `${kind}rotated`;
    const verdict = async (claims: object, secret?: string): Promise<string> =>
      outcome(await ask(world, { host: `${route}.test`, target: `/k?${linkOf(route, "/k", claims, secret)}` }));
    t.equal(await verdict({}), "200");
    t.equal(await verdict({ expiresSeconds: inSeconds(-1) }), "LINK_EXPIRED");
    t.equal(await verdict({ expiresSeconds: inSeconds(7_190) }), "200");
    t.equal(await verdict({ expiresSeconds: inSeconds(7_210) }), "LINK_INVALID");
    t.equal(await verdict({}, OLD_LINK_SECRET), "200", "the secret of before the rotation");
    t.equal(await verdict({ expiresSeconds: inSeconds(-1) }, OLD_LINK_SECRET), "LINK_EXPIRED");
    t.equal(await verdict({}, NGINX_SECRET), "LINK_INVALID");
    t.equal(await verdict({ expiresSeconds: inSeconds(-1) }, NGINX_SECRET), "LINK_INVALID", "a forger is not told");
    const old = linkOf("links", "/k", {}, OLD_LINK_SECRET);
    t.equal(
      outcome(await ask(world, { host: "links.test", target: `/k?${old}` })),
      "LINK_INVALID",
      "no rotation there",
    );
  }
});

t.test("a link of one route is none of another's, though they share the secret", async (t) => {
  const world = await worldWithObjects(t);
  const routes = ["links", "relay-links", "either", "options"];
  for (const of of routes) {
    for (const on of routes) {
      const answer = await ask(world, { host: `${on}.test`, target: `/k?${linkOf(of, "/k")}` });
      t.equal(outcome(answer), of === on ? "200" : "LINK_INVALID", `${of} on ${on}`);
    }
  }
});

t.test("a link that is bound to an address is good for that alone", async (t) => {
  const world = await worldWithObjects(t);
  for (const kind of KINDS) {
    const route = `${kind}links`;
    for (const [client, others] of [
      ["127.0.0.2", ["127.0.0.1", "::1"]],
      ["::1", ["127.0.0.1"]],
    ] as const) {
      const target = `/k?${linkOf(route, "/k", { client })}`;
      t.equal(await statusFrom(world, client, `${route}.test`, target), 200, client);
      for (const other of others)
        t.equal(await statusFrom(world, other, `${route}.test`, target), 403, `${client} ${other}`);
    }
  }
});

t.test("a link for a plus does not open the key with a space, nor the reverse", async (t) => {
  const world = await worldWithObjects(t);
  const verdict = async (path: string, target: string): Promise<string> => {
    const answer = await ask(world, { host: "links.test", target: `${target}?${linkOf("links", path)}` });
    return answer.status === 200 ? answer.text : outcome(answer);
  };
  t.equal(await verdict("/a+b", "/a%2Bb"), "a+b");
  t.equal(await verdict("/a b", "/a%20b"), "a b");
  t.equal(await verdict("/a b", "/a+b"), "a b", "a raw plus means a space here");
  t.equal(await verdict("/a+b", "/a+b"), "LINK_INVALID");
  t.equal(await verdict("/a+b", "/a%20b"), "LINK_INVALID");
  t.equal(await verdict("/a b", "/a%2Bb"), "LINK_INVALID");
});

t.test("parameters that go upstream are part of the link, or the link is none", async (t) => {
  const world = await worldWithObjects(t);
  const of = async (parameters: readonly (readonly [string, string | null])[], query: string) =>
    ask(world, {
      host: "options.test",
      target: `/k?${query}${query === "" ? "" : "&"}${linkOf("options", "/k", { parameters })}`,
    });
  const signed = await of([["response-content-type", "text/plain"]], "response-content-type=text%2Fplain");
  t.equal(signed.status, 200);
  t.equal(signed.captures[0]?.rawTarget, "/k?response-content-type=text%2Fplain");
  const mismatches: readonly (readonly [parameters: readonly (readonly [string, string])[], query: string])[] = [
    [[], "response-content-type=text%2Fhtml"],
    [[["response-content-type", "text/plain"]], "response-content-type=text%2Fhtml"],
    [[["response-content-type", "text/plain"]], ""],
    [[["response-content-type", "text/plain"]], "response-content-type=text%2Fplain&x-oss-process=style%2Fa"],
    [
      [["response-content-type", "text/plain"]],
      "response-content-type=text%2Fplain&response-content-type=text%2Fplain",
    ],
    [[], "%78-oss-process=style%2Fa"],
    [[], "acl"],
  ];
  for (const [parameters, query] of mismatches) {
    const answer = await of(parameters, query);
    t.equal(outcome(answer), "LINK_INVALID", query);
    t.strictSame(answer.captures, [], query);
  }
  t.equal((await of([], "utm_source=a")).captures[0]?.rawTarget, "/k", "what is dropped need not be signed");
});

t.test("where the route relays, every parameter goes upstream and so every one must be signed", async (t) => {
  const world = await worldWithObjects(t);
  for (const query of ["utm_source=a", "response-content-type=text%2Fhtml", "acl", "x-oss-process=image%2Fx", "="]) {
    const answer = await ask(world, { host: "relay-links.test", target: `/k?${query}&${linkOf("relay-links", "/k")}` });
    t.equal(outcome(answer), "LINK_INVALID", query);
    t.strictSame(answer.captures, []);
  }
  const parameters = [["utm_source", "a"]] as const;
  const target = `/k?utm_source=a&${linkOf("relay-links", "/k", { parameters })}`;
  t.equal((await ask(world, { host: "relay-links.test", target })).captures[0]?.rawTarget, "/k?utm_source=a");
});

t.test("link parameters never arrive upstream, however their names are written", async (t) => {
  const world = await worldWithObjects(t);
  const names = [
    "ossgate-expires=1",
    "%6fssgate-expires=1",
    "ossgate%2Dsignature=x",
    "ossgat%65-x=1",
    "ossgate-",
    "ossgate-%zz=1",
  ];
  for (const host of ["either.test", "relay-either.test", "links.test", "relay-links.test"]) {
    for (const name of names) {
      world.emulator.clearCaptures();
      await statusFrom(world, "127.0.0.2", host, `/k?${name}`);
      for (const { rawTarget } of world.emulator.captures) {
        t.notMatch(decodeURIComponent(rawTarget.replace(/%zz/g, "")), /ossgate/, `${host} ${name} ${rawTarget}`);
      }
    }
  }
});

t.test("a link with a presigned URL of OSS on a relaying route: the client's signature arrives whole", async (t) => {
  const world = await worldWithObjects(t);
  world.emulator.putObject(BUCKET, "private", "private");
  const input = { method: "GET", bucket: BUCKET, key: "private", query: [], headers: [] };
  const presigned = presignV4Url(input, OWN, { nowMs: Date.now(), region: REGION, expiresSeconds: 60 });
  const link = linkOf("relay-links", "/private");
  for (const query of [`${presigned}&${link}`, `${link}&${presigned}`]) {
    const answer = await ask(world, { host: "relay-links.test", target: `/private?${query}` });
    t.equal(answer.text, "private");
    t.equal(answer.captures[0]?.rawTarget, `/private?${presigned}`);
  }
  const alone = await ask(world, { host: "relay-links.test", target: `/private?${presigned}` });
  t.equal(outcome(alone), "LINK_REQUIRED", "OSS's signature does not admit to the route");
  const other = linkOf("relay-links", "/k");
  t.equal(
    outcome(await ask(world, { host: "relay-links.test", target: `/private?${presigned}&${other}` })),
    "LINK_INVALID",
  );
});

t.test("a browser's preflight passes without a link, unsigned; the request itself does not", async (t) => {
  const world = await worldWithObjects(t);
  const rule = {
    allowedOrigins: ["https://player.example"],
    allowedMethods: ["GET"],
    allowedHeaders: ["*"],
    exposeHeaders: [],
    maxAgeSeconds: 60,
  };
  world.emulator.setCors(BUCKET, [rule]);
  const origin = ["Origin", "https://player.example"];
  for (const kind of KINDS) {
    const host = `${kind}links.test`;
    const headers = [...origin, "Access-Control-Request-Method", "GET", "Access-Control-Request-Headers", "range"];
    for (const target of ["/k", `/k?${linkOf(`${kind}links`, "/k")}`]) {
      const preflight = await ask(world, { method: "OPTIONS", host, target, headers });
      t.equal(preflight.status, 200, host);
      t.equal(preflight.header("access-control-allow-origin"), "https://player.example");
      t.equal(preflight.captures.length, 1);
      t.equal(sentHeader(preflight.captures[0] as (typeof preflight.captures)[0], "authorization"), undefined);
      t.equal(preflight.captures[0]?.rawTarget, "/k");
    }
    t.equal(outcome(await ask(world, { host, target: "/k", headers: origin })), "LINK_REQUIRED");
    const plain = await ask(world, { method: "OPTIONS", host, target: "/k" });
    t.ok(plain.status >= 400 && plain.captures.length === 0, "an OPTIONS that is no preflight");
    const disguised = await ask(world, { host, target: "/k", headers });
    t.equal(outcome(disguised), "LINK_REQUIRED", "a GET that looks like a preflight");
  }
});

t.test("NGINX's secure links are taken where the route says so, and there alone", async (t) => {
  const world = await worldWithObjects(t);
  const md5 = (text: string): string => createHash("md5").update(text).digest("base64url");
  const secure = (path: string, expires: number, client: string): string =>
    `md5=${md5(`${expires}${path}${client} ${NGINX_SECRET}`)}&expires=${expires}`;
  const soon = inSeconds(600);
  for (const kind of KINDS) {
    const host = `${kind}nginx.test`;
    const good = secure("/a b", soon, "127.0.0.1");
    const answer = await ask(world, { host, target: `/a%20b?${good}` });
    t.equal(answer.text, "a b");
    t.equal(answer.captures[0]?.rawTarget, "/a%20b");
    t.equal((await ask(world, { method: "HEAD", host, target: `/a%20b?${good}` })).status, 200);
    t.equal(await statusFrom(world, "127.0.0.2", host, `/a%20b?${good}`), 403, "another address");
    const refused: readonly (readonly [string, string])[] = [
      [`/k?${good}`, "LINK_INVALID"],
      [`/a%20b?${secure("/a b", inSeconds(-60), "127.0.0.1")}`, "LINK_EXPIRED"],
      [`/a%20b?${secure("/a b", inSeconds(86_400 * 30), "127.0.0.1")}`, "LINK_INVALID"],
      [`/a%20b?${good.replace("md5=", "md5=x")}`, "LINK_INVALID"],
      [`/a%20b?${good}&expires=${soon}`, "LINK_INVALID"],
      [`/a%20b?${good}&acl`, "LINK_INVALID"],
      [`/a%20b?${good.split("&")[0]}`, "LINK_INVALID"],
    ];
    for (const [target, code] of refused) {
      const { captures, ...rest } = await ask(world, { host, target });
      t.equal(outcome(rest), code, target);
      t.strictSame(captures, []);
    }
    t.equal(outcome(await ask(world, { host: `${kind}links.test`, target: `/a%20b?${good}` })), "LINK_REQUIRED");
    t.equal((await ask(world, { host, target: `/k?${linkOf(`${kind}nginx`, "/k")}` })).status, 200, "and ours too");
  }
});

t.test("refusals are of OSS's shape and tell neither secret nor what the link should have been", async (t) => {
  const world = await worldWithObjects(t);
  const link = linkOf("links", "/k");
  for (const method of ["GET", "HEAD"]) {
    for (const target of ["/k", `/other?${link}`, `/k?${link}x`]) {
      const answer = await ask(world, { method, host: "links.test", target });
      t.equal(answer.status, 403);
      if (method === "GET") t.equal(xmlText(answer.text, "Code"), "AccessDenied");
      const right = new URLSearchParams(link).get("ossgate-signature") ?? "";
      t.notOk(everythingOf(answer).includes(right));
      t.notOk(JSON.stringify(answer.entry).includes(right), "nor does the log");
    }
  }
});

t.test("a form upload signs none of the parameters in its URL, so the link must", async (t) => {
  const world = await worldWithObjects(t);
  const headers = ["Content-Type", "multipart/form-data; boundary=b"];
  const link = linkOf("relay-links", "/k", { method: "POST" });
  const target = `/k?append&position=0&${link}`;
  const answer = await ask(world, { method: "POST", host: "relay-links.test", target, headers, body: "x" });
  t.equal(outcome(answer), "LINK_INVALID");
  t.strictSame(answer.captures, []);
});
