import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import bcrypt from "bcrypt";
import fc from "fast-check";
import t, { type Test } from "tap";
import type { Explanation } from "../../src/gateway/explain.js";
import { presignV1Url } from "../../src/signing/sign.js";
import { temporaryDirectory } from "../clients/programs.js";
import {
  ask,
  BUCKET,
  EVERY_METHOD,
  LINKS,
  OWN,
  type SignWorld,
  signingRoute,
  startSigning,
} from "../support/sign-world.js";

const PASSWORD = "a password of a test";

async function routes(t: Test): Promise<string> {
  const users = join(await temporaryDirectory(t), "users");
  await writeFile(users, `anna:${bcrypt.hashSync(PASSWORD, 4)}\n`);
  const relayed = (name: string, rest: string): string =>
    `  - { name: ${name}, match: { hosts: [${name}.test] }, bucket: one, ${rest} }\n`;
  return [
    relayed("plain", "requestHeaders: { remove: [cookie] }"),
    relayed("secured", "httpsRedirect: true"),
    relayed("shut", "httpsRedirect: true, deny: { clients: [127.0.0.0/8] }"),
    relayed(
      "guarded",
      'httpsRedirect: true, referer: { allowEmptyReferer: false, refererList: ["https://good.test"] }',
    ),
    relayed("prefixed", "keyPrefix: albums/2026/"),
    `  - { name: below, match: { hosts: [plain.test], pathPrefix: /below }, bucket: one, stripPrefix: true }\n`,
    `  - { name: style, match: { hosts: [style.test] }, buckets: [one] }\n`,
    relayed("inside", "deny: { clients: [127.0.0.0/8] }"),
    relayed("refered", 'referer: { allowEmptyReferer: false, refererList: ["https://good.test"] }'),
    relayed("reported", 'referer: { mode: report, allowEmptyReferer: false, refererList: ["https://good.test"] }'),
    relayed("crossed", 'cors: { rules: [{ allowedOrigins: ["https://good.test"], allowedMethods: [GET] }] }'),
    relayed("limited", "limits: { requests: 1000/s, bodySize: 10B }, methods: [GET, PUT]"),
    signingRoute("signs", "allow: { anyone: true }", "responseOverrides: [response-content-type]"),
    signingRoute("writes", `allow: { anyone: true }, ${EVERY_METHOD}, keyPrefix: in/`),
    signingRoute("old", "allow: { anyone: true }", "version: v1"),
    signingRoute("linked", `allow: { ${LINKS} }`),
    signingRoute("verified", "allow: { signatures: true }, clientSignatures: verify"),
    signingRoute(
      "nginx",
      `allow: { links: { secret: { file: $SECRETS/link }, secureLink: { expression: "$secure_link_expires$uri $secret", secret: { file: $SECRETS/nginx }, md5Parameter: st } } }`,
    ),
    signingRoute("site", "allow: { anyone: true }, indexDocument: index.html, errorDocument: e.html"),
    signingRoute("hls", `allow: { clients: [127.0.0.0/8], ${LINKS} }, satisfy: any, hls: { mode: rewrite }`),
    signingRoute("members", `allow: { basic: { file: ${users}, realm: x } }`),
  ].join("");
}

interface Sent {
  readonly method?: string;
  readonly host: string;
  readonly target: string;
  readonly headers?: readonly string[];
}

async function explain(
  { gateway }: SignWorld,
  { method = "GET", host, target, headers = [] }: Sent,
): Promise<Explanation> {
  const query = new URLSearchParams({ url: `http://${host}${target}`, method, format: "json" });
  for (let i = 0; i < headers.length; i += 2) query.append("header", `${headers[i]}: ${headers[i + 1]}`);
  const answer = await fetch(`${gateway.adminUrl}/routes/explain?${query}`);
  const text = await answer.text();
  if (answer.status !== 200) throw new Error(`${answer.status} ${text}`);
  return JSON.parse(text) as Explanation;
}

/** Made for each request: about the connection, the body, or the time. */
const NOT_COMPARED = /^(?:connection|keep-alive|content-length|transfer-encoding|user-agent)$/i;
const SECRET = /^(?:authorization|cookie|x-oss-security-token)$/i;
const OF_THE_TIME = /^(?:x-oss-date)$/i;

function comparable(headers: readonly string[]): string[] {
  const lines: string[] = [];
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] as string;
    if (NOT_COMPARED.test(name)) continue;
    // undici writes this one name in its own way.
    lines.push(
      `${name === "Host" ? "host" : name}: ${SECRET.test(name) || OF_THE_TIME.test(name) ? "…" : headers[i + 1]}`,
    );
  }
  return lines;
}

/** What the explanation says is what happens: the refusal, or what arrives at OSS. */
async function compare(t: Test, world: SignWorld, sent: Sent): Promise<void> {
  const title = `${sent.method ?? "GET"} ${sent.host}${sent.target} ${(sent.headers ?? []).join(" ")}`;
  const explanation = await explain(world, sent);
  const { entry, status, captures } = await ask(world, sent);
  t.equal(explanation.route?.name ?? "-", entry.route, `route of ${title}`);
  const [capture] = captures;
  if (capture === undefined) {
    t.equal(explanation.upstream, null, `nothing is sent of ${title}`);
    t.equal(explanation.answer?.status, status, `status of ${title}`);
    t.equal(explanation.answer?.code ?? undefined, entry.error, `code of ${title}`);
    if (entry.error !== undefined) t.equal(explanation.answer?.reason, entry.detail, `reason of ${title}`);
    return;
  }
  t.equal(explanation.answer, null, `OSS answers ${title}`);
  t.equal(explanation.upstream?.method, capture.method, `method of ${title}`);
  t.equal(explanation.upstream?.target, capture.rawTarget, `target of ${title}`);
  t.strictSame(comparable(explanation.upstream?.headers ?? []), comparable(capture.rawHeaders), `headers of ${title}`);
  const isReported = explanation.checks.some(({ outcome }) => outcome === "report");
  t.equal(isReported, entry.reported !== undefined, `what is only reported of ${title}`);
}

const basic = (password: string): readonly string[] => [
  "Authorization",
  `Basic ${Buffer.from(`anna:${password}`).toString("base64")}`,
];

const CASES: readonly Sent[] = [
  { host: "plain.test", target: "/a.txt" },
  {
    host: "plain.test",
    target: "/a%20b/%E7%85%A7.png?x=1&x=2",
    headers: ["X-A", "1", "Cookie", "s=1", "Range", "bytes=0-1"],
  },
  { host: "plain.test", target: "/below/a.txt" },
  { host: "plain.test", target: "/below" },
  { host: "plain.test", target: "/below/../a.txt" },
  { host: "plain.test", target: "/a.txt", method: "DELETE" },
  { host: "plain.test", target: "/%zz" },
  { host: "plain.test", target: "/%ff" },
  { host: "nowhere.test", target: "/" },
  { host: "secured.test", target: "/a.txt?x=1" },
  { host: "secured.test", target: "//evil.test/a.txt" },
  { host: "secured.test", target: "/a.txt", method: "DELETE" },
  { host: "shut.test", target: "/a.txt" },
  { host: "guarded.test", target: "/a.txt" },
  { host: "prefixed.test", target: "/a.txt" },
  { host: "prefixed.test", target: "/../a.txt" },
  { host: "prefixed.test", target: "/a.txt", headers: ["Authorization", "OSS ak:c2lnbmF0dXJl"] },
  { host: "style.test", target: `/${BUCKET}/a.txt` },
  { host: "style.test", target: "/another/a.txt" },
  { host: "inside.test", target: "/a.txt" },
  { host: "refered.test", target: "/a.txt" },
  { host: "refered.test", target: "/a.txt", headers: ["Referer", "https://good.test/x"] },
  { host: "refered.test", target: "/a.txt", headers: ["Referer", "https://evil.test/x"] },
  { host: "reported.test", target: "/a.txt", headers: ["Referer", "https://evil.test/x"] },
  { host: "crossed.test", target: "/a.txt", headers: ["Origin", "https://good.test"] },
  {
    host: "crossed.test",
    target: "/a.txt",
    method: "OPTIONS",
    headers: ["Origin", "https://good.test", "Access-Control-Request-Method", "GET"],
  },
  {
    host: "crossed.test",
    target: "/a.txt",
    method: "OPTIONS",
    headers: ["Origin", "https://evil.test", "Access-Control-Request-Method", "GET"],
  },
  {
    host: "plain.test",
    target: "/a.txt",
    method: "OPTIONS",
    headers: ["Origin", "https://good.test", "Access-Control-Request-Method", "GET"],
  },
  { host: "limited.test", target: "/a.txt" },
  { host: "signs.test", target: "/a.txt" },
  {
    host: "signs.test",
    target: "/a b%2Bc+d.txt".replace(" ", "%20"),
    headers: ["Cookie", "s=1", "Range", "bytes=0-1"],
  },
  { host: "signs.test", target: "/a.txt?response-content-type=text%2Fhtml" },
  { host: "signs.test", target: "/a.txt?response-expires=1" },
  { host: "signs.test", target: "/a.txt?acl" },
  { host: "signs.test", target: "/?prefix=a" },
  { host: "signs.test", target: "/a.txt", headers: ["x-oss-process", "image/info"] },
  { host: "signs.test", target: "/a.txt", headers: ["Authorization", "OSS ak:c2lnbmF0dXJl"] },
  { host: "writes.test", target: "/a.txt", method: "DELETE" },
  { host: "old.test", target: "/a.txt" },
  { host: "linked.test", target: "/a.txt" },
  { host: "linked.test", target: "/a.txt?ossgate-expires=1&ossgate-signature=abc" },
  { host: "verified.test", target: "/a.txt" },
  { host: "verified.test", target: "/a.txt?OSSAccessKeyId=gateway-ak&Expires=1&Signature=abc%3D" },
  { host: "site.test", target: "/" },
  { host: "site.test", target: "/docs/" },
  { host: "hls.test", target: "/live/list.m3u8" },
  { host: "members.test", target: "/a.txt" },
  { host: "members.test", target: "/a.txt", headers: basic(PASSWORD) },
];

t.test("what an explanation says of a request is what happens to it", async (t) => {
  const world = await startSigning(t, await routes(t));
  for (const key of ["a.txt", "index.html", "docs/index.html", "albums/2026/a.txt", "in/a.txt"]) {
    world.emulator.putObject(BUCKET, key, "text");
  }
  world.emulator.putObject(BUCKET, "live/list.m3u8", "#EXTM3U\n");

  t.test("of each kind of request", async (t) => {
    for (const sent of CASES) await compare(t, world, sent);
  });

  t.test("of a URL that OSS's own key has signed", async (t) => {
    const expires = Math.floor(Date.now() / 1_000) + 600;
    const input = { method: "GET", bucket: BUCKET, key: "a.txt", query: [], headers: [] };
    const sent = { host: "verified.test", target: `/a.txt?${presignV1Url(input, OWN, expires)}` };
    await compare(t, world, sent);
    const { checks } = await explain(world, sent);
    t.match(
      checks.find(({ check }) => check === "signature"),
      { outcome: "pass", detail: /verified$/ },
    );
  });

  t.test("of any request", async (t) => {
    const host = fc.constantFrom(
      ...["plain", "prefixed", "style", "refered", "signs", "writes", "linked", "site", "x"],
    );
    const segment = fc.constantFrom(
      "a.txt",
      "below",
      BUCKET,
      "..",
      "%2e%2e",
      "%2F",
      "a+b",
      "%E7%85%A7",
      "",
      "docs",
      "%00",
    );
    const query = fc.constantFrom(
      "",
      "?",
      "?x=1",
      "?acl",
      "?uploads",
      "?response-content-type=a",
      "?%78-oss-process=a",
      "?versionId=1",
    );
    const headers = fc.constantFrom<readonly string[]>(
      [],
      ["Referer", "https://good.test/"],
      ["Range", "bytes=1-2", "If-Match", "x"],
      ["Connection", "x-secret", "X-Secret", "1"],
      ["X-Oss-Copy-Source", "/other/key"],
      ["Origin", "https://good.test"],
    );
    const method = fc.constantFrom("GET", "HEAD", "DELETE", "OPTIONS", "PATCH");
    const asked = fc.record({
      host,
      segments: fc.array(segment, { minLength: 1, maxLength: 3 }),
      query,
      headers,
      method,
    });
    await fc.assert(
      fc.asyncProperty(asked, async ({ host, segments, query, headers, method }) => {
        await compare(t, world, { method, host: `${host}.test`, target: `/${segments.join("/")}${query}`, headers });
        return t.passing();
      }),
      { numRuns: 150 },
    );
  });

  t.test("it leaves no trace: nothing is counted, logged, asked or sent", async (t) => {
    const before = await world.gateway.metrics();
    const logged = world.gateway.accessLog.length;
    world.emulator.clearCaptures();
    for (const sent of CASES) await explain(world, sent);
    t.strictSame(world.emulator.captures, []);
    t.equal(world.gateway.accessLog.length, logged);
    const counters = (text: string) =>
      text
        .split("\n")
        .filter((line) => /^ossgate_(?:requests|errors|referer|limited|upstream_requests|basic)/.test(line));
    const counted = (text: string) => counters(text).filter((line) => !line.includes("per_second"));
    t.strictSame(counted(await world.gateway.metrics()), counted(before));
    t.ok(counted(before).length > 0);
  });
});

t.test("secrets are not told, and signatures are not made", async (t) => {
  const world = await startSigning(t, await routes(t));
  const query = new URLSearchParams({ url: "http://signs.test/a.txt" });
  query.append("header", "X-Amz-Security-Token: token-of-somebody");
  query.append("header", "Cookie: session=of-somebody");
  const text = await (await fetch(`${world.gateway.adminUrl}/routes/explain?${query}`)).text();
  t.match(text, "Authorization: <signed by reader, v4>");
  t.notMatch(text, OWN.accessKeyId);
  t.notMatch(text, /Signature=[0-9a-f]{8}/);
  for (const format of ["json", "text"]) {
    const relayed = new URLSearchParams({ url: "http://plain.test/a?Signature=abcdef&OSSAccessKeyId=ak", format });
    for (const line of ["Authorization: OSS ak:abcdef", "Cookie: session=abcdef", "X-Oss-Security-Token: abcdef"]) {
      relayed.append("header", line);
    }
    const shown = await (await fetch(`${world.gateway.adminUrl}/routes/explain?${relayed}`)).text();
    t.match(shown, "OSS ***");
    t.notMatch(shown, "abcdef");
    const link = new URLSearchParams({ url: "http://nginx.test/a?st=abcdef&expires=1", format });
    for (const line of ["Proxy-Authorization: Basic abcdef", "Referer: http://nginx.test/?Signature=abcdef"]) {
      link.append("header", line);
    }
    const ofLink = await (await fetch(`${world.gateway.adminUrl}/routes/explain?${link}`)).text();
    t.match(ofLink, "st=***");
    t.notMatch(ofLink, "abcdef");
  }
});

t.test("without valid credentials it says that requests are answered 503", async (t) => {
  const world = await startSigning(t, signingRoute("signs", "allow: { anyone: true }"), { credentials: null });
  await compare(t, world, { host: "signs.test", target: "/a.txt" });
  t.match(await explain(world, { host: "signs.test", target: "/a.txt" }), {
    answer: { code: "NO_CREDENTIALS", status: 503 },
  });
});

t.test("a person is told in words what is wrong with a question, and why there is no route", async (t) => {
  const { gateway } = await startSigning(t, await routes(t));
  const at = async (query: string) => {
    const answer = await fetch(`${gateway.adminUrl}/routes/explain?${query}`);
    return [answer.status, await answer.text()] as const;
  };
  for (const [query, words] of [
    ["", "Which URL?"],
    ["url=/a", "begins with http"],
    ["url=ftp://a/", "begins with http"],
    ["url=http://a/&x=1", "There is no parameter x"],
    ["url=http://a/&header=novalue", "NAME:VALUE"],
    ["url=http://a/&header=a:%0d%0ab", "NAME:VALUE"],
    ["url=http://a/&header=a%20b:c", "NAME:VALUE"],
    ["url=http://a/&method=G%20T", "method is a word"],
    ["url=http://a/&listener=x", "no listener x"],
    ["url=%ff", "not percent-encoded"],
    ["url=http://a/&client=abc", "client is an address"],
    ["url=http://a/&client=203.0.113", "client is an address"],
    ["url=http://a/&client=", "client is an address"],
    ["url=http://a/&client=127.0.0.1&client=127.0.0.2", "client is there twice"],
    ["url=http://a/&url=http://b/", "url is there twice"],
    ["url=http://a/&format=xml", "format is json or text"],
  ] as const) {
    const [status, text] = await at(query);
    t.equal(status, 400, query);
    t.match(text, words);
    t.match(text, "curl -G --data-urlencode");
  }
  t.match(
    (await at("url=http%3A//plain.test/a+b%2Bc+%E7%85%A7"))[1],
    "GET /a%20b+c%20%E7%85%A7\n",
    "as curl encodes it",
  );
  const [status, text] = await at("url=http://plain.example/a");
  t.equal(status, 200);
  t.match(text, "Route     none");
  t.match(text, "No route has the host plain.example in match.hosts.");
  t.match(text, /route +REFUSED/);
  t.match((await at("url=http://plain.test/below/x"))[1], "Route plain would take it too");
  t.match((await at("url=http://plain.test/x"))[1], "its pathPrefix /below does not cover the path");
  t.match((await at("url=http://inside.test/x&client=192.0.2.9"))[1], /address +ok/);
  t.match((await at("url=http://inside.test/x&client=127.0.0.9"))[1], /address +REFUSED/);
  const redirected = (await at("url=http://shut.test/x&client=2001:db8::7"))[1];
  t.match(redirected, /address +ok.*https +ok +answered here.*Answer {4}301/s, "the redirect stands behind addresses");
  t.notMatch(redirected, /method/, "and before the method");
  t.notMatch((await at("url=http://shut.test/x&client=127.0.0.9"))[1], /https +ok|Location|301/);
  t.match((await at("url=http://limited.test/x"))[1], /limits +not made +1000 requests\/s; not counted here/);
  t.match(
    (await at(`url=http://members.test/x&header=${encodeURIComponent(basic("wrong").join(":"))}`))[1],
    /allow +assumed/,
  );
});
