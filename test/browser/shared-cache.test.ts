import t, { type Test } from "tap";
import { BUCKET, signingRoute } from "../support/sign-world.js";
import { NEEDS_CHROMIUM } from "./chromium.js";
import type { Pages } from "./page-server.js";
import { OUR_PAGE, PNG, PNG_WIDTH, type Stage, setStage } from "./stage.js";
import { askFrom, type Read, showIn, visit } from "./visit.js";

const OPEN = "allow: { anyone: true }";
/** Another origin of the same site as {@link OUR_PAGE}: a browser keeps one cache for both. */
const SISTER_PAGE = "m.page.test";

function routes(pages: Pages): string {
  const cors = (origins: string): string =>
    `cors: { rules: [{ allowedOrigins: [${origins}], allowedMethods: [GET] }] }`;
  const both = [OUR_PAGE, SISTER_PAGE].map((host) => `"${pages.origin(host)}"`).join(", ");
  return [
    signingRoute("ruled", `${OPEN}, ${cors(both)}`),
    signingRoute("everybody", `${OPEN}, ${cors('"*"')}`),
    signingRoute("bucket-rules", OPEN),
  ].join("");
}

t.test("an answer in the browser's cache", NEEDS_CHROMIUM, async (t) => {
  const stage = await setStage(t, routes);
  const { emulator, pages, at } = stage;
  const headers = { "Content-Type": "image/png", "Cache-Control": "max-age=3600" };
  emulator.putObject(BUCKET, "a.png", PNG, headers);
  const rule = { allowedOrigins: [pages.origin(OUR_PAGE), pages.origin(SISTER_PAGE)], allowedMethods: ["GET"] };
  emulator.setCors(BUCKET, [{ ...rule, allowedHeaders: [], exposeHeaders: [], maxAgeSeconds: null }]);
  t.beforeEach(() => emulator.clearCaptures());

  const requests = (): number => emulator.captures.length;

  t.test("is asked for again by fetch when an <img> got it without Origin", async (t) => {
    const { width, read } = await imageThenFetch(t, stage, at("ruled.test", "/a.png"));
    t.equal(width, PNG_WIDTH);
    t.match(read, { status: 200 });
    t.equal(requests(), 2, "Vary: Origin tells that the first is not for it");
  });

  t.test("is taken as it is where everybody may read it: the first had the headers too", async (t) => {
    const { width, read } = await imageThenFetch(t, stage, at("everybody.test", "/a.png"));
    t.equal(width, PNG_WIDTH);
    t.match(read, { status: 200 });
    t.equal(requests(), 1);
  });

  t.test("is the trap that it is with a bucket's own rules, whose ResponseVary is off", async (t) => {
    const { width, read } = await imageThenFetch(t, stage, at("bucket-rules.test", "/a.png"));
    t.equal(width, PNG_WIDTH);
    t.strictSame(read, { refused: "TypeError" });
    t.equal(requests(), 1);
  });

  t.test("is not given to a page of another origin with the headers of the first", async (t) => {
    for (const [name, count] of [
      ["ruled", 2],
      ["everybody", 1],
    ] as const) {
      emulator.clearCaptures();
      await visit(t, stage.browser, async (page) => {
        for (const host of [OUR_PAGE, SISTER_PAGE]) {
          await page.goto(`${pages.origin(host)}/probe`);
          t.match(await askFrom(page, { url: at(`${name}.test`, "/a.png") }), { status: 200 }, `${name}, ${host}`);
        }
      });
      t.equal(requests(), count, name);
    }
  });

  t.test("shows with <img crossorigin> after one without", async (t) => {
    await visit(t, stage.browser, async (page) => {
      await page.goto(`${pages.origin(OUR_PAGE)}/probe`);
      for (const attributes of [{}, { crossorigin: "anonymous" }])
        t.equal(await showIn(page, at("ruled.test", "/a.png"), attributes), PNG_WIDTH, JSON.stringify(attributes));
    });
  });
});

/** On one page: shows the image, and then reads the same URL. */
async function imageThenFetch(
  t: Test,
  { browser, pages }: Stage,
  url: string,
): Promise<{ readonly width: number; readonly read: Read | undefined }> {
  let width = -1;
  let read: Read | undefined;
  await visit(t, browser, async (page) => {
    await page.goto(`${pages.origin(OUR_PAGE)}/probe`);
    width = await showIn(page, url);
    read = await askFrom(page, { url });
  });
  return { width, read };
}
