import t, { type Test } from "tap";
import { signPostForm } from "../../src/signing/post-form.js";
import { BUCKET, EVERY_METHOD, OWN, REGION, signingRoute } from "../support/sign-world.js";
import { NEEDS_CHROMIUM } from "./chromium.js";
import type { Pages } from "./page-server.js";
import { FOREIGN_PAGE, OUR_PAGE, type Stage, setStage } from "./stage.js";
import { askFrom, type Question, type Read, visit } from "./visit.js";

const OPEN = `allow: { anyone: true }, ${EVERY_METHOD}`;
const REFUSED = { refused: "TypeError" };

function routes(pages: Pages): string {
  const ours = `allowedOrigins: ["${pages.origin(OUR_PAGE)}"]`;
  const rule = `{ ${ours}, allowedMethods: [PUT, POST], allowedHeaders: ["*"], exposeHeaders: [ETag], maxAge: 10m }`;
  return [
    signingRoute("put", `${OPEN}, cors: { rules: [${rule}] }`),
    signingRoute("sandboxed", `${OPEN}, cors: { rules: [{ allowedOrigins: ["null"], allowedMethods: [PUT] }] }`),
    signingRoute("nowhere", `${OPEN}, cors: { rules: [${rule}] }`).replace("bucket: one", "bucket: nowhere"),
    `  - { name: form, match: { hosts: [form.test] }, bucket: one, methods: [POST], limits: { bodySize: 1MiB }, cors: { rules: [${rule}] } }\n`,
  ].join("");
}

t.test("a script of another origin uploads, and can read what came of it", NEEDS_CHROMIUM, async (t) => {
  const moreBuckets = (): string => `nowhere: { bucket: ${BUCKET}, region: ${REGION}, endpoint: "http://127.0.0.1:1" }`;
  const stage = await setStage(t, routes, { moreBuckets });
  const { emulator, gateway, pages, at } = stage;
  t.beforeEach(() => emulator.clearCaptures());

  t.test("with PUT and headers of its own, which are asked about once; OSS hears only of the uploads", async (t) => {
    const before = gateway.accessLog.length;
    await onPage(t, stage, OUR_PAGE, async (ask) => {
      for (const body of ["1", "2"]) {
        const init = { method: "PUT", body, headers: { "x-oss-meta-mine": "1", "Content-Type": "text/plain" } };
        const read = await ask({ url: at("put.test", "/a.txt"), init, headers: ["ETag"] });
        t.match(read, { status: 200, headers: { ETag: emulator.getObject(BUCKET, "a.txt")?.etag } });
      }
    });
    t.equal(emulator.readObject(BUCKET, "a.txt").toString(), "2");
    const methods = gateway.accessLog.slice(before).map(({ method }) => method);
    t.strictSame(methods, ["OPTIONS", "PUT", "PUT"]);
    t.strictSame(
      emulator.captures.map(({ method }) => method),
      ["PUT", "PUT"],
    );
  });

  t.test("it can read why OSS could not be reached, though the body was on its way", async (t) => {
    await onPage(t, stage, OUR_PAGE, async (ask) => {
      const read = await ask({ url: at("nowhere.test", "/a.txt"), init: { method: "PUT", body: "x".repeat(100_000) } });
      t.match(read, { status: 502, text: "<Code>UpstreamRefused</Code>" });
    });
  });

  t.test("a sandboxed frame uploads where null is allowed", async (t) => {
    pages.put("/frame", '<iframe sandbox="allow-scripts" src="/probe"></iframe>');
    await visit(t, stage.browser, async (page) => {
      await page.goto(`${pages.origin(OUR_PAGE)}/frame`);
      const [, frame = page.mainFrame()] = page.frames();
      const init = { method: "PUT", body: "by nobody" };
      t.match(await askFrom(frame, { url: at("sandboxed.test", "/b.txt"), init }), { status: 200 });
      t.strictSame(await askFrom(frame, { url: at("put.test", "/b.txt"), init }), REFUSED, "the page around it may");
    });
    t.equal(emulator.readObject(BUCKET, "b.txt").toString(), "by nobody");
  });

  t.test("with FormData it reads the status, the document and the ETag, and why it was refused", async (t) => {
    const { fields } = makeForm("c.png", 2_000);
    await visit(t, stage.browser, async (page) => {
      await page.goto(`${pages.origin(OUR_PAGE)}/probe`);
      const post = (size: number): Promise<Read> => {
        const form = { url: at("form.test", "/"), fields, name: "c.png", type: "image/png", size };
        return page.evaluate(`postForm(${JSON.stringify(form)})`);
      };
      const stored = await post(1_000);
      t.match(stored, { status: 201, headers: { ETag: emulator.getObject(BUCKET, "c.png")?.etag } });
      t.match(stored, { text: "<Key>c.png</Key>" });
      t.equal(emulator.readObject(BUCKET, "c.png").length, 1_000);
      t.match(await post(2_001), { status: 400, text: "<Code>EntityTooLarge</Code>" }, "by OSS");
      const tooLarge = await post(4 * 1_024 * 1_024);
      t.match(tooLarge, { status: 413, text: "<Gateway>ossgate: BODY_TOO_LARGE</Gateway>" }, "by the gateway");
    });
  });

  t.test(
    "a page that no rule names uploads nothing where it must ask, and reads nothing where it need not",
    async (t) => {
      await onPage(t, stage, FOREIGN_PAGE, async (ask) => {
        t.strictSame(await ask({ url: at("put.test", "/d.txt"), init: { method: "PUT", body: "theirs" } }), REFUSED);
        t.strictSame(emulator.captures, []);
        t.strictSame(await ask({ url: at("form.test", "/"), init: { method: "POST", body: "theirs" } }), REFUSED);
        t.equal(emulator.captures.length, 1, "only its Referer would keep it away");
      });
    },
  );
});

function makeForm(key: string, maxBytes: number): { readonly fields: Readonly<Record<string, string>> } {
  const input = {
    ...{ bucket: BUCKET, key, keyRule: { kind: "eq", value: key } as const, minBytes: 1, maxBytes, contentType: null },
    ...{ fields: [["success_action_status", "201"]] as const, expiresAtMs: Date.now() + 600_000 },
  };
  return signPostForm(input, OWN, { version: "v4", nowMs: Date.now(), region: REGION });
}

/** Asks from a page of that host. */
async function onPage(
  t: Test,
  { browser, pages }: Stage,
  host: string,
  use: (ask: (question: Question) => Promise<Read>) => Promise<void>,
): Promise<void> {
  await visit(t, browser, async (page) => {
    await page.goto(`${pages.origin(host)}/probe`);
    await use((question) => askFrom(page, question));
  });
}
