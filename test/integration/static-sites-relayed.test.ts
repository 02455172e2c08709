import t from "tap";
import { presignV1Url } from "../../src/signing/sign.js";
import { valuesOf, xmlText } from "../support/raw-client.js";
import { BUCKET, CREDENTIALS, OTHER, type Relayed, relay, signingInput, startRelay } from "../support/relay-world.js";
import { inSeconds } from "../support/sign-world.js";

const SITE = "indexDocument: index.html, errorDocument: 404.html";

const world = await startRelay(
  t,
  `
  - { name: site, match: { hosts: [site.test] }, bucket: one, methods: [GET, HEAD, PUT, DELETE], ${SITE} }
  - { name: bound, match: { hosts: [bound.test] }, bucket: one, keyPrefix: a b/, ${SITE} }
  - { name: sub, match: { hosts: [sub.test], pathPrefix: /s p }, stripPrefix: true, bucket: one, indexDocument: index.html }
  - { name: private, match: { hosts: [private.test] }, bucket: two, ${SITE} }
  - { name: plain, match: { hosts: [plain.test] }, bucket: one }
`,
);
const { emulator } = world;

for (const key of ["index.html", "docs/index.html", "a b/index.html", "a b/docs/index.html"])
  emulator.putObject(BUCKET, key, `page ${key}`, { "Content-Type": "text/html" });
emulator.putObject(BUCKET, "404.html", "not here", { "Content-Type": "text/html" });
emulator.putObject(OTHER, "index.html", "private", { "Content-Type": "text/html" });

const read = (host: string, target: string, method = "GET"): Promise<Relayed> =>
  relay(world, { host, target, method, headers: method === "PUT" ? ["Content-Length", "0"] : [] });

const header = ({ answer }: Relayed, name: string): string | undefined => valuesOf(answer.rawHeaders, name)[0];

t.test("the root of a site is its page and no list; a list is asked for by name", async (t) => {
  t.match((await read("plain.test", "/")).answer.body.toString(), /<ListBucketResult/);
  for (const target of ["/", "/?", "/?utm_source=x"]) {
    const { answer, capture } = await read("site.test", target);
    t.equal(answer.body.toString(), "page index.html", target);
    t.equal(capture?.rawTarget, `/index.html${target.slice(1)}`);
  }
  for (const target of ["/?prefix=docs/", "/?list-type=2", "/?delimiter=%2F"]) {
    t.match((await read("site.test", target)).answer.body.toString(), /<ListBucketResult/, target);
  }
});

t.test("directories have their pages, prefixes taken off and put before", async (t) => {
  const rows = [
    ["site.test", "/docs/", "page docs/index.html"],
    ["bound.test", "/", "page a b/index.html"],
    ["bound.test", "/docs/?a", "page a b/docs/index.html"],
    ["sub.test", "/s%20p/", "page index.html"],
    ["sub.test", "/s%20p/docs/", "page docs/index.html"],
  ] as const;
  for (const [host, target, body] of rows) t.equal((await read(host, target)).answer.body.toString(), body, target);
});

t.test("a directory without its slash is redirected to", async (t) => {
  const rows = [
    ["site.test", "/docs?a=b", "/docs/?a=b"],
    ["bound.test", "/docs", "/docs/"],
    ["sub.test", "/s%20p/docs", "/s%20p/docs/"],
    ["sub.test", "/s%20p", "/s%20p/"],
  ] as const;
  for (const [host, target, path] of rows) {
    for (const method of ["GET", "HEAD"]) {
      const found = await read(host, target, method);
      t.same([found.answer.status, header(found, "location")], [302, `http://${host}${path}`], `${host}${target}`);
    }
  }
});

t.test("a missing object is the error document with 404", async (t) => {
  for (const method of ["GET", "HEAD"]) {
    const found = await read("site.test", "/nothing", method);
    t.same([found.answer.status, found.answer.body.toString()], [404, method === "GET" ? "not here" : ""]);
    t.same([header(found, "content-type"), header(found, "etag")], ["text/html", undefined]);
  }
});

t.test("without an error document OSS's answer arrives as it was", async (t) => {
  for (const method of ["GET", "HEAD"]) {
    const ids = /<(RequestId|HostId)>[^<]*/g;
    const found = await read("bound.test", "/nothing", method);
    const plain = await read("plain.test", "/a%20b/nothing", method);
    t.equal(found.answer.status, 404);
    t.equal(found.answer.body.toString().replace(ids, ""), plain.answer.body.toString().replace(ids, ""));
    for (const name of ["content-type", "x-oss-ec"]) t.equal(header(found, name), header(plain, name), name);
    t.equal(header(found, "x-oss-err") === undefined, method === "GET");
    if (method === "GET") t.equal(xmlText(found.answer.body, "Code"), "NoSuchKey");
  }
});

t.test("where OSS does not say that an object is missing nothing else is asked for", async (t) => {
  for (const target of ["/docs", "/nothing", "/"]) {
    const { answer } = await read("private.test", target);
    t.same([answer.status, xmlText(answer.body, "Code"), emulator.captures.length], [403, "AccessDenied", 1], target);
  }
});

t.test("uploads and deletions are of the key that they name", async (t) => {
  for (const [method, status] of [
    ["PUT", 200],
    ["DELETE", 204],
  ] as const) {
    const { answer, capture } = await read("site.test", "/new/", method);
    t.same([answer.status, capture?.rawTarget, emulator.captures.length], [status, "/new/", 1]);
  }
});

t.test("what a client signed is relayed as it was signed", async (t) => {
  for (const key of ["docs/", "docs", "nothing"]) {
    const target = `/${key}?${presignV1Url(signingInput("GET", key, "", []), CREDENTIALS, inSeconds(60))}`;
    const { answer, capture } = await read("site.test", target);
    t.same([answer.status, xmlText(answer.body, "Code")], [404, "NoSuchKey"], key);
    t.same([capture?.rawTarget, emulator.captures.length], [target, 1]);
  }
});
