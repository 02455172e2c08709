import t, { type Test } from "tap";
import { BUCKET, EVERY_METHOD, signingRoute } from "../support/sign-world.js";
import { NEEDS_CHROMIUM } from "./chromium.js";
import type { Pages } from "./page-server.js";
import { FOREIGN_PAGE, OUR_PAGE, type Stage, setStage } from "./stage.js";
import { askFrom, PROBE_PAGE, type Question, type Read, visit } from "./visit.js";

const OPEN = `allow: { anyone: true }, ${EVERY_METHOD}`;
const REFUSED = { refused: "TypeError" };

function routes(pages: Pages): string {
  const rule = `allowedOrigins: ["${pages.origin(OUR_PAGE)}"], allowedMethods: [GET, HEAD, PUT]`;
  const rules = `rules: [{ ${rule}, allowedHeaders: ["if-*", x-mine, content-type], exposeHeaders: [ETag], maxAge: 10m }]`;
  const nobody = 'rules: [{ allowedOrigins: ["null"], allowedMethods: [GET], allowedHeaders: [if-match] }]';
  return [
    signingRoute("ruled", `${OPEN}, cors: { ${rules} }`),
    signingRoute("everybody", `${OPEN}, cors: { rules: [{ allowedOrigins: ["*"], allowedMethods: [GET] }] }`),
    signingRoute("nobody", `${OPEN}, cors: { ${nobody} }`),
    signingRoute("bucket-rules", OPEN),
    "  - { name: bucket-relays, match: { hosts: [relay.test] }, bucket: one, methods: [GET, PUT] }\n",
    // Of the same site as the page, so that the browser sends the cookies that it has.
    `  - { name: without, match: { hosts: [plain.page.test] }, bucket: one, cors: { ${rules} } }\n`,
    `  - { name: with, match: { hosts: [trusting.page.test] }, bucket: one, cors: { ${rules}, allowCredentials: true } }\n`,
  ].join("");
}

t.test("what a page of another origin may do with fetch", NEEDS_CHROMIUM, async (t) => {
  const stage = await setStage(t, routes);
  const { emulator, pages, at, gateway } = stage;
  // Else the browser has answers of its own for a moment.
  const headers = { "Content-Type": "text/plain", "Cache-Control": "no-store", "x-oss-meta-of": "somebody" };
  emulator.putObject(BUCKET, "a.txt", "hello", { ...headers, "x-oss-object-acl": "public-read" });
  t.beforeEach(() => emulator.clearCaptures());

  t.test("an allowed page reads the status, the bytes, and the headers that are exposed", async (t) => {
    const question = { url: at("ruled.test", "/a.txt"), headers: ["etag", "content-type", "x-oss-meta-of"] };
    const etag = emulator.getObject(BUCKET, "a.txt")?.etag ?? "";
    const headers = { etag, "content-type": "text/plain", "x-oss-meta-of": null };
    t.strictSame(await readOn(t, stage, OUR_PAGE, question), { status: 200, text: "hello", headers });
  });

  t.test("a page that no rule names reads nothing, whatever its host has in common with one", async (t) => {
    const question = { url: at("ruled.test", "/a.txt") };
    for (const host of [FOREIGN_PAGE, "m.page.test", `${OUR_PAGE}.foreign.test`])
      t.strictSame(await readOn(t, stage, host, question), REFUSED, host);
    t.match(await readOn(t, stage, FOREIGN_PAGE, { url: at("everybody.test", "/a.txt") }), { text: "hello" });
  });

  t.test("a header of its own is asked about first, which OSS does not hear of", async (t) => {
    const init = { headers: { "If-Match": emulator.getObject(BUCKET, "a.txt")?.etag ?? "" } };
    t.match(await readOn(t, stage, OUR_PAGE, { url: at("ruled.test", "/a.txt"), init }), {
      status: 200,
      text: "hello",
    });
    t.strictSame(methodsAt(stage), ["GET"]);
  });

  t.test("what the rules do not have is not even sent", async (t) => {
    const url = at("ruled.test", "/a.txt");
    for (const [host, init] of [
      [OUR_PAGE, { method: "DELETE" }],
      [OUR_PAGE, { headers: { "x-other": "1" } }],
      [FOREIGN_PAGE, { method: "PUT", body: "theirs" }],
    ] as const) {
      t.strictSame(await readOn(t, stage, host, { url, init }), REFUSED, JSON.stringify(init));
    }
    t.strictSame(methodsAt(stage), []);
    t.equal(emulator.readObject(BUCKET, "a.txt").toString(), "hello");
  });

  t.test("maxAge: the browser asks once, and remembers it", async (t) => {
    const before = gateway.accessLog.length;
    await visit(t, stage.browser, async (page) => {
      await page.goto(`${pages.origin(OUR_PAGE)}/probe`);
      const init = { headers: { "x-mine": "1" } };
      for (const _ of [1, 2]) t.match(await askFrom(page, { url: at("ruled.test", "/a.txt"), init }), { status: 200 });
    });
    const methods = gateway.accessLog.slice(before).map(({ method }) => method);
    t.strictSame(methods, ["OPTIONS", "GET", "GET"]);
  });

  t.test("with cookies an answer is kept from the page, unless allowCredentials says otherwise", async (t) => {
    const init = { credentials: "include" } as const;
    for (const [host, read, cookies] of [
      ["plain.page.test", REFUSED, 1],
      ["trusting.page.test", { status: 200, text: "hello", headers: {} }, 1],
    ] as const) {
      emulator.clearCaptures();
      await visit(t, stage.browser, async (page) => {
        await page.context().addCookies([{ name: "session", value: "1", url: at(host) }]);
        await page.goto(`${pages.origin(OUR_PAGE)}/probe`);
        t.strictSame(await askFrom(page, { url: at(host, "/a.txt"), init }), read, host);
        t.match(await askFrom(page, { url: at(host, "/a.txt") }), { status: 200 }, `${host}, without`);
      });
      const sent = emulator.captures.filter(({ rawHeaders }) => rawHeaders.includes("session=1"));
      t.equal(sent.length, cookies, "the cookie was sent where it was asked for, and only there");
    }
    const asked = { ...init, method: "PUT", body: "theirs" };
    t.strictSame(await readOn(t, stage, OUR_PAGE, { url: at("plain.page.test", "/a.txt"), init: asked }), REFUSED);
    t.equal(emulator.readObject(BUCKET, "a.txt").toString(), "hello", "a preflight without it sends nothing");
  });

  t.test("a sandboxed frame and a data: URL are the origin null", async (t) => {
    const script = `<script src="${pages.origin(OUR_PAGE)}/probe.js"></script>`;
    const frames = `<iframe sandbox="allow-scripts" src="/probe"></iframe><iframe src='data:text/html,${script}'></iframe>`;
    pages.put("/frames", `${PROBE_PAGE}${frames}`);
    await visit(t, stage.browser, async (page) => {
      await page.goto(`${pages.origin(OUR_PAGE)}/frames`);
      const [, ...children] = page.frames();
      t.equal(children.length, 2);
      for (const frame of children) {
        const ask = (host: string, init = {}) => askFrom(frame, { url: at(host, "/a.txt"), init });
        t.equal(await frame.evaluate("origin"), "null");
        t.strictSame(await ask("ruled.test"), REFUSED, "the page around it does not count");
        t.match(await ask("everybody.test"), { text: "hello" });
        t.match(await ask("nobody.test"), { text: "hello" });
        const init = { headers: { "If-Match": "*" } };
        t.match(await ask("nobody.test", init), { status: 200 }, "with a preflight too");
      }
    });
    t.strictSame(await readOn(t, stage, OUR_PAGE, { url: at("nobody.test", "/a.txt") }), REFUSED);
  });

  t.test("without rules of the route's own those of the bucket rule, preflights included", async (t) => {
    const rule = { allowedOrigins: [pages.origin(OUR_PAGE)], allowedMethods: ["GET", "PUT"], allowedHeaders: ["*"] };
    const put = { method: "PUT", body: "by the bucket's rules" };
    for (const host of ["bucket-rules.test", "relay.test"]) {
      emulator.putObject(BUCKET, "c.txt", "old", { "x-oss-object-acl": "public-read-write" });
      const url = at(host, "/c.txt");
      emulator.setCors(BUCKET, null);
      t.strictSame(await readOn(t, stage, OUR_PAGE, { url }), REFUSED, `${host}, no rules`);
      emulator.setCors(BUCKET, [{ ...rule, exposeHeaders: [], maxAgeSeconds: null }]);
      emulator.clearCaptures();
      t.match(await readOn(t, stage, OUR_PAGE, { url }), { status: 200, text: "old" }, host);
      t.match(await readOn(t, stage, OUR_PAGE, { url, init: put }), { status: 200 }, host);
      t.strictSame(await readOn(t, stage, FOREIGN_PAGE, { url, init: { ...put, body: "theirs" } }), REFUSED, host);
      t.strictSame(methodsAt(stage), ["GET", "OPTIONS", "PUT", "OPTIONS"]);
      t.equal(emulator.readObject(BUCKET, "c.txt").toString(), put.body);
    }
  });
});

/** What arrived at the bucket, in order. */
function methodsAt({ emulator }: Stage): readonly string[] {
  return emulator.captures.map(({ method }) => method);
}

/** Asks from a page of that host. */
async function readOn(t: Test, { browser, pages }: Stage, host: string, question: Question): Promise<Read | undefined> {
  let read: Read | undefined;
  await visit(t, browser, async (page) => {
    await page.goto(`${pages.origin(host)}/probe`);
    read = await askFrom(page, question);
  });
  return read;
}
