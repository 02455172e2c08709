import t from "tap";
import { presignV1Url } from "../../src/signing/sign.js";
import { head, RawConnection, valuesOf, xmlText } from "../support/raw-client.js";
import {
  type Answered,
  ask,
  BUCKET,
  inSeconds,
  LINKS,
  linkOf,
  OWN,
  sentHeader,
  signingRoute,
  startSigning,
} from "../support/sign-world.js";

const SITE = "indexDocument: index.html, errorDocument: errors/404.html, trusted: true";
const OPEN = "allow: { anyone: true }";

/** A route of {@link signingRoute} under a path. */
function routeAt(name: string, pathPrefix: string, rest: string): string {
  return signingRoute(name, rest).replace(".test] }", `.test], pathPrefix: ${pathPrefix} }`);
}

const CORS = 'cors: { rules: [{ allowedOrigins: ["https://page.test"], allowedMethods: [GET] }] }';

const ROUTES = [
  signingRoute("site", `${OPEN}, ${SITE}`),
  signingRoute("bound", `${OPEN}, ${SITE}, keyPrefix: a b/`),
  signingRoute("plain", OPEN),
  signingRoute("index", `${OPEN}, indexDocument: index.html`),
  signingRoute("errors", `${OPEN}, errorDocument: errors/404.html`),
  signingRoute("gone", `${OPEN}, indexDocument: index.html, errorDocument: no/such.html`),
  signingRoute("linked", `allow: { ${LINKS} }, ${SITE}`),
  signingRoute("lists", `${OPEN}, ${SITE}, operations: [ListObjects, GetObjectACL]`),
  signingRoute("verified", `allow: { signatures: true }, clientSignatures: verify, ${SITE}`),
  signingRoute("hls", `allow: { ${LINKS}, clients: [127.0.0.1] }, satisfy: any, hls: { mode: rewrite }, ${SITE}`),
  signingRoute("headed", `${OPEN}, ${SITE}, responseHeaders: { set: { x-set: one } }`),
  signingRoute("always", `${OPEN}, ${SITE}, responseHeaders: { set: { x-set: one }, always: true }`),
  signingRoute("shared", `${OPEN}, ${SITE}, ${CORS}`),
  routeAt("sub", "/docs", `stripPrefix: true, ${OPEN}, indexDocument: index.html`),
  signingRoute("large", `${OPEN}, errorDocument: large.html, trusted: true`),
  signingRoute("guarded", `${OPEN}, ${SITE}`),
  routeAt("guard", "/docs/index.html", "allow: { clients: [192.0.2.1] }").replace("guard.test", "guarded.test"),
  routeAt("kept", "/docs", `${OPEN}, indexDocument: index.html`),
].join("");

const world = await startSigning(t, ROUTES);
const { emulator, gateway } = world;

const HTML = { "Content-Type": "text/html; charset=utf-8", "Cache-Control": "max-age=31536000" };
const ERROR_PAGE = "<h1>Not here</h1>";

for (const key of ["index.html", "docs/index.html", "a b/docs/index.html", "d+e/index.html", "图/index.html"])
  emulator.putObject(BUCKET, key, `page ${key}`, HTML);
emulator.putObject(BUCKET, "a b/index.html", "bound root", HTML);
emulator.putObject(BUCKET, "errors/404.html", ERROR_PAGE, { ...HTML, "x-oss-meta-of": "page" });
emulator.putObject(BUCKET, "a b/errors/404.html", "bound 404", HTML);
emulator.putObject(BUCKET, "docs/a.txt", "0123456789", { "Content-Type": "text/plain" });
emulator.putObject(BUCKET, "a", "an object, and a directory");
emulator.putObject(BUCKET, "a/index.html", "page of a", HTML);

const read = (host: string, target: string, headers: readonly string[] = [], method = "GET"): Promise<Answered> =>
  ask(world, { host, target, headers, method });

/** Method and target of what arrived at the emulator, in order. */
const sentOf = ({ captures }: Answered): string[] => captures.map(({ method, rawTarget }) => `${method} ${rawTarget}`);

t.test("a path that ends at a slash is its index document", async (t) => {
  const rows: readonly (readonly [host: string, target: string, body: string, sent: string])[] = [
    ["site.test", "/", "page index.html", "/index.html"],
    ["site.test", "/?", "page index.html", "/index.html"],
    ["site.test", "/docs/", "page docs/index.html", "/docs/index.html"],
    ["site.test", "/docs%2F", "page docs/index.html", "/docs/index.html"],
    ["site.test", "/docs%2f", "page docs/index.html", "/docs/index.html"],
    ["site.test", "/d%2Be/", "page d+e/index.html", "/d%2Be/index.html"],
    ["site.test", "/%E5%9B%BE/", "page 图/index.html", "/%E5%9B%BE/index.html"],
    ["site.test", "/docs/?utm_source=a&gclid=b", "page docs/index.html", "/docs/index.html"],
    ["bound.test", "/", "bound root", "/a%20b/index.html"],
    ["bound.test", "/docs/", "page a b/docs/index.html", "/a%20b/docs/index.html"],
    ["sub.test", "/docs/", "page index.html", "/index.html"],
    ["sub.test", "/docs/docs/", "page docs/index.html", "/docs/index.html"],
    ["kept.test", "/docs/", "page docs/index.html", "/docs/index.html"],
  ];
  for (const [host, target, body, sent] of rows) {
    const answer = await read(host, target);
    t.same([answer.status, answer.text, sentOf(answer)], [200, body, [`GET ${sent}`]], `${host}${target}`);
    t.equal(answer.header("content-type"), HTML["Content-Type"]);
    const asked = await read(host, target, [], "HEAD");
    t.same([asked.status, asked.text, sentOf(asked)], [200, "", [`HEAD ${sent}`]], `HEAD ${host}${target}`);
  }
});

t.test("an index document is an object like others: conditions, ranges and its headers hold", async (t) => {
  const whole = await read("site.test", "/docs/");
  const part = await read("site.test", "/docs/", ["Range", "bytes=0-3"]);
  t.same([part.status, part.text], [206, "page"]);
  const cached = await read("site.test", "/docs/", ["If-None-Match", whole.header("etag")]);
  t.equal(cached.status, 304);
  t.equal(whole.header("cache-control"), HTML["Cache-Control"]);
});

t.test("a directory without its slash is redirected to, an object of that name is served", async (t) => {
  const rows: readonly (readonly [host: string, target: string, path: string])[] = [
    ["site.test", "/docs", "/docs/"],
    ["site.test", "/docs?", "/docs/?"],
    ["site.test", "/docs?v=1&b", "/docs/?v=1&b"],
    ["site.test", "/%64ocs?a=%2f%0d", "/%64ocs/?a=%2f%0d"],
    ["site.test", "/d%2Be", "/d%2Be/"],
    ["site.test", "/%e5%9b%be", "/%e5%9b%be/"],
    ["bound.test", "/docs", "/docs/"],
    ["sub.test", "/docs/docs?x", "/docs/docs/?x"],
    ["kept.test", "/docs", "/docs/"],
  ];
  for (const [host, target, path] of rows) {
    for (const method of ["GET", "HEAD"]) {
      const answer = await read(host, target, [], method);
      t.same([answer.status, answer.header("location")], [302, `http://${host}${path}`], `${method} ${host}${target}`);
      t.same([answer.text, answer.header("content-length")], ["", "0"]);
      t.match(
        answer.captures.map((capture) => capture.method),
        [method, "HEAD"],
      );
    }
  }
  const both = await read("site.test", "/a");
  t.same([both.status, both.text, both.captures.length], [200, "an object, and a directory", 1]);
  t.equal((await read("site.test", "/a/")).text, "page of a");
});

t.test("the redirect leads to the page", async (t) => {
  const { header } = await read("site.test", "/docs?v=1");
  const location = new URL(header("location"));
  t.equal((await read(location.host, location.pathname + location.search)).text, "page docs/index.html");
});

t.test("a root without its slash is redirected without a question to OSS", async (t) => {
  const rows = [
    ["sub.test", "/docs", "/docs/"],
    ["sub.test", "/docs?a=b", "/docs/?a=b"],
  ] as const;
  for (const [host, target, path] of rows) {
    const answer = await read(host, target);
    t.same([answer.status, answer.header("location")], [302, `http://${host}${path}`]);
    t.same(answer.captures, []);
  }
});

t.test("what a redirect says is about itself, and nothing of the index document", async (t) => {
  const { rawHeaders, captures, entry } = await read("site.test", "/docs");
  const names = rawHeaders.filter((_, i) => i % 2 === 0).map((name) => name.toLowerCase());
  for (const name of ["etag", "last-modified", "cache-control", "content-type", "x-oss-ec", "x-oss-err"])
    t.notOk(names.includes(name), name);
  t.equal(entry.status, 302);
  t.equal(entry.ossRequestId, captures[1]?.requestId);
  t.equal(entry.error, undefined);
});

t.test("a missing object shows the error document, with 404 and without what is about it as an object", async (t) => {
  for (const method of ["GET", "HEAD"]) {
    const answer = await read("site.test", "/no/such?x=1", ["Range", "bytes=0-3", "If-None-Match", "*"], method);
    t.same([answer.status, answer.text], [404, method === "GET" ? ERROR_PAGE : ""]);
    t.equal(answer.reason, "Not Found");
    t.equal(answer.header("content-type"), HTML["Content-Type"]);
    t.equal(answer.header("content-length"), String(ERROR_PAGE.length));
    t.equal(answer.header("x-oss-meta-of"), "page");
    for (const name of ["etag", "last-modified", "accept-ranges", "content-range", "cache-control"])
      t.same(valuesOf(answer.rawHeaders, name), [], name);
    t.same(sentOf(answer), [`${method} /no/such`, "HEAD /no/such/index.html", `${method} /errors/404.html`]);
    for (const capture of answer.captures.slice(1)) {
      t.equal(sentHeader(capture, "range"), undefined);
      t.equal(sentHeader(capture, "if-none-match"), undefined);
    }
    t.match(answer.entry, { status: 404, ossRequestId: answer.captures[2]?.requestId });
  }
});

t.test("each site has its own", async (t) => {
  const bound = await read("bound.test", "/nothing");
  t.same([bound.status, bound.text], [404, "bound 404"]);
  const errors = await read("errors.test", "/nothing");
  t.same([errors.status, errors.text], [404, ERROR_PAGE]);
  t.same(sentOf(errors), ["GET /nothing", "GET /errors/404.html"], "no directories where there is no index document");
  t.equal(xmlText((await read("index.test", "/nothing")).body, "Code"), "NoSuchKey");
  const plain = await read("plain.test", "/docs");
  t.same([plain.status, plain.captures.length], [404, 1]);
  t.equal((await read("plain.test", "/docs/")).status, 404);
});

t.test("an error document is streamed, however large it is", async (t) => {
  const byteCount = 3 * 1024 * 1024;
  emulator.putObject(BUCKET, "large.html", "x".repeat(byteCount), HTML);
  const answer = await read("large.test", "/nothing");
  t.same([answer.status, answer.body.length, answer.entry.sentBytes], [404, byteCount, byteCount]);
});

t.test("an index document that another route guards is not shown, nor told of", async (t) => {
  t.equal((await read("guarded.test", "/docs/index.html")).status, 403);
  for (const target of ["/docs/", "/docs"]) {
    const answer = await read("guarded.test", target);
    t.same([answer.status, answer.text], [404, ERROR_PAGE]);
    t.same(sentOf(answer), [`GET ${target}`, "GET /errors/404.html"]);
  }
  t.equal((await read("guarded.test", "/")).text, "page index.html");
});

t.test("a directory without an index document is not looked for twice", async (t) => {
  const answer = await read("site.test", "/empty/");
  t.same([answer.status, answer.text], [404, ERROR_PAGE]);
  t.same(sentOf(answer), ["GET /empty/index.html", "GET /errors/404.html"]);
});

t.test("without an error document a 404 is OSS's own, under the first request's id", async (t) => {
  for (const host of ["gone.test", "index.test"]) {
    for (const method of ["GET", "HEAD"]) {
      const answer = await read(host, "/nothing", [], method);
      const plain = await read("plain.test", "/nothing", [], method);
      t.same([answer.status, answer.header("content-type")], [404, plain.header("content-type")]);
      t.equal(xmlText(answer.body, "Code"), xmlText(plain.body, "Code"));
      t.equal(xmlText(answer.body, "Key"), xmlText(plain.body, "Key"));
      t.equal(answer.entry.ossRequestId, answer.captures[0]?.requestId);
      t.equal(answer.header("x-oss-request-id"), answer.captures[0]?.requestId);
    }
  }
});

t.test("what is no page of a site stays what it is", async (t) => {
  const list = await read("lists.test", "/?prefix=docs/&max-keys=2");
  t.match(list.text, /<ListBucketResult/);
  t.same(sentOf(list).length, 1);
  t.match((await read("lists.test", "/docs/a.txt?acl")).text, /<AccessControlPolicy/);
  for (const target of [
    "/docs/?acl",
    "/docs/?%61cl",
    "/nothing?versionId=1",
    "/?prefix=a",
    "/docs?x-oss-process=style/a",
  ]) {
    const answer = await read("site.test", target);
    t.ok(
      answer.captures.every(({ rawTarget }) => !/index|404/.test(rawTarget)),
      target,
    );
    t.match(String(answer.status), /^40[034]$/, target);
  }
});

t.test("a client that signs asks for one object, and gets that or none", async (t) => {
  const target = (key: string): string => {
    const asked = { method: "GET", bucket: BUCKET, key, query: [], headers: [] };
    return `/${key}?${presignV1Url(asked, OWN, inSeconds(60))}`;
  };
  t.equal((await read("verified.test", target("docs/a.txt"))).text, "0123456789");
  for (const key of ["docs/", "docs", "nothing"]) {
    const answer = await read("verified.test", target(key));
    t.same([answer.status, xmlText(answer.body, "Code"), sentOf(answer)], [404, "NoSuchKey", [`GET /${key}`]], key);
  }
});

t.test("a link for a directory shows its page, and no redirect carries a link on", async (t) => {
  t.equal((await read("linked.test", `/docs/?${linkOf("linked", "/docs/")}`)).text, "page docs/index.html");
  t.equal((await read("linked.test", "/docs/")).status, 403);
  for (const link of [linkOf("linked", "/docs"), linkOf("linked", "/", { isPrefix: true })]) {
    const answer = await read("linked.test", `/docs?${link}`);
    t.same([answer.status, answer.text, answer.header("location")], [404, ERROR_PAGE, ""]);
    t.same(sentOf(answer), ["GET /docs", "GET /errors/404.html"]);
  }
});

t.test("a playlist that is missing is an error and no page", async (t) => {
  const answer = await read("hls.test", "/no.m3u8");
  t.same([answer.status, xmlText(answer.body, "Code"), answer.captures.length], [404, "NoSuchKey", 1]);
});

t.test("only a missing key leads on: other errors are told as they are", async (t) => {
  const cases = [
    ["NoSuchBucket", 404],
    ["AccessDenied", 403],
    ["InternalError", 500],
  ] as const;
  for (const [code, status] of cases) {
    const body = `<?xml version="1.0"?><Error><Code>${code}</Code><Message>m</Message></Error>`;
    emulator.faults.failNext(1, { kind: "answer", status, headers: ["Content-Type", "application/xml"], body });
    const answer = await read("site.test", "/docs");
    t.same([answer.status, xmlText(answer.body, "Code"), answer.captures.length], [status, code, 1]);
  }
});

t.test("where the directory or the error document cannot be read, the 404 stands", async (t) => {
  const isFor = (key: string) => (request: { readonly rawTarget: string }) => request.rawTarget === key;
  for (const status of [301, 403, 500, 503]) {
    emulator.faults.failNext(isFor("/docs/index.html"), { kind: "answer", status });
    const answer = await read("site.test", "/docs");
    t.same([answer.status, answer.text], [404, ERROR_PAGE], `index document: ${status}`);
    emulator.faults.failNext(isFor("/errors/404.html"), { kind: "answer", status, body: "x" });
    const other = await read("site.test", "/nothing");
    t.same([other.status, xmlText(other.body, "Code")], [404, "NoSuchKey"], `error document: ${status}`);
  }
});

t.test("headers of the route: set is for redirects and pages, and for a 404 only with always", async (t) => {
  const rows = [
    ["headed.test", "/docs/", "one"],
    ["headed.test", "/docs", "one"],
    ["headed.test", "/nothing", ""],
    ["always.test", "/nothing", "one"],
  ] as const;
  for (const [host, target, expected] of rows) t.equal((await read(host, target)).header("x-set"), expected, target);
});

t.test("a page of another origin may read all of them where the route owns CORS", async (t) => {
  for (const [target, status] of [
    ["/docs/", 200],
    ["/docs", 302],
    ["/nothing", 404],
  ] as const) {
    const answer = await read("shared.test", target, ["Origin", "https://page.test"]);
    t.same(
      [answer.status, valuesOf(answer.rawHeaders, "access-control-allow-origin")],
      [status, ["https://page.test"]],
    );
  }
});

t.test("one connection serves pages, redirects and errors in turn", async (t) => {
  const connection = await RawConnection.open(gateway.port);
  const rows = [
    ["GET", "/docs", 302],
    ["HEAD", "/nothing", 404],
    ["GET", "/nothing", 404],
    ["HEAD", "/docs", 302],
    ["GET", "/", 200],
  ] as const;
  for (const [method, target, status] of rows) {
    connection.send(head(method, target, ["Host", "site.test"]));
    const answer = await connection.answer(method);
    t.equal(answer.status, status, `${method} ${target}`);
  }
  connection.close();
});

t.test("further questions are no retries, and each has its own", async (t) => {
  const name = 'ossgate_upstream_retries_total{route="site"}';
  const page = await (await fetch(`${gateway.adminUrl}/metrics`)).text();
  t.match(page, name, "the metric is there");
  const before = await gateway.metric(name);
  t.equal((await read("site.test", "/nothing")).captures.length, 3);
  t.equal(await gateway.metric(name), before);
  emulator.faults.failNext(({ rawTarget }) => rawTarget === "/errors/404.html", { kind: "resetBeforeHead" });
  const answer = await read("site.test", "/nothing");
  t.same([answer.status, answer.text], [404, ERROR_PAGE]);
  t.same(sentOf(answer), ["GET /nothing", "HEAD /nothing/index.html", "GET /errors/404.html", "GET /errors/404.html"]);
  t.equal(await gateway.metric(name), before + 1);
});

t.test("a client that leaves during a further question ends it", async (t) => {
  for (const target of ["/docs/index.html", "/errors/404.html"]) {
    emulator.clearCaptures();
    const wanted = target.startsWith("/docs") ? "/docs" : "/nothing";
    emulator.faults.failNext(({ rawTarget }) => rawTarget === target, { kind: "stallBeforeHead" });
    const connection = await RawConnection.open(gateway.port);
    connection.send(head("GET", wanted, ["Host", "site.test", "User-Agent", `left ${target}`]));
    await emulator.until(() => emulator.faults.stalled === 1);
    connection.socket.resetAndDestroy();
    const entry = await gateway.logged(({ userAgent }) => userAgent === `left ${target}`);
    t.equal(entry.status, 499);
    await emulator.until(() => emulator.captures.at(-1)?.state === "aborted");
    t.equal(emulator.captures.at(-1)?.rawTarget, target, "nothing was asked after it");
  }
});
