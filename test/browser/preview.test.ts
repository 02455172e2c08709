import { readFile } from "node:fs/promises";
import type { Download, Page } from "playwright-core";
import t, { type Test } from "tap";
import { BUCKET, REGION, signingRoute } from "../support/sign-world.js";
import { NEEDS_CHROMIUM } from "./chromium.js";
import { PNG, PNG_WIDTH, type Stage, setStage } from "./stage.js";
import { visit } from "./visit.js";

const OPEN = "allow: { anyone: true }";
const BOUND_BUCKET = "boundbucket";
const DOMAIN = "files.page.test";

const routes = (): string =>
  [
    signingRoute("plain", OPEN),
    signingRoute("preview", `${OPEN}, preview: true`, "responseOverrides: [response-content-disposition]"),
    signingRoute("trusted", `${OPEN}, preview: true, trusted: true`),
    signingRoute("bound", `${OPEN}, hostHeader: ${DOMAIN}`).replace("bucket: one", "bucket: bound"),
  ].join("");

/** What a stored script does: it marks the page, and tells a server. */
const script = (title: string): string => `document.${title}="ran";new Image().src="/told?"+location.pathname`;

/** Documents that run script where nobody stops them. */
const DOCUMENTS: readonly (readonly [key: string, type: string, text: string])[] = [
  [
    "page.html",
    "text/html; charset=utf-8",
    `<!doctype html><title>still</title><p>shown<script>${script("title")}</script>`,
  ],
  [
    "handler.html",
    "text/html",
    `<title>still</title><p>shown<img src="data:," onerror='${script("title")}'><svg onload='${script("title")}'>`,
  ],
  [
    "page.xhtml",
    "application/xhtml+xml",
    `<html xmlns="http://www.w3.org/1999/xhtml"><head><title>still</title></head><body><p>shown</p><script><![CDATA[${script("title")}]]></script></body></html>`,
  ],
  [
    "drawing.svg",
    "image/svg+xml",
    `<svg xmlns="http://www.w3.org/2000/svg"><title>still</title><text y="20">shown</text><script><![CDATA[${script("querySelector('title').textContent")}]]></script></svg>`,
  ],
  [
    "feed.xml",
    "application/xml",
    `<feed><html xmlns="http://www.w3.org/1999/xhtml"><title>still</title><p>shown</p><script><![CDATA[${script("querySelector('title').textContent")}]]></script></html></feed>`,
  ],
];

t.test("what a browser shows, and what it saves", NEEDS_CHROMIUM, async (t) => {
  const moreBuckets = (endpoint: string): string =>
    `bound: { bucket: ${BOUND_BUCKET}, region: ${REGION}, domains: [${DOMAIN}], endpoint: "${endpoint}" }`;
  const stage = await setStage(t, routes, { moreBuckets });
  const { emulator, at } = stage;
  emulator.addBucket({ name: BOUND_BUCKET, region: REGION, acl: "private", domains: [DOMAIN] });
  for (const bucket of [BUCKET, BOUND_BUCKET]) {
    for (const [key, type, text] of DOCUMENTS) emulator.putObject(bucket, key, text, { "Content-Type": type });
    emulator.putObject(bucket, "a.png", PNG, { "Content-Type": "image/png" });
  }
  const named = (name: string) => ({ "Content-Disposition": `attachment; filename="${name}"` });
  // OSS puts its own disposition in the place of a picture's, but not where a domain is bound.
  emulator.putObject(BOUND_BUCKET, "own.png", PNG, { "Content-Type": "image/png", ...named("their name.png") });
  emulator.putObject(BUCKET, "own.pdf", "%PDF-1.7", { "Content-Type": "application/pdf", ...named("their name.pdf") });
  emulator.putObject(BUCKET, "bare.txt", "bare", { "Content-Type": "text/plain", "Content-Disposition": "attachment" });
  emulator.putObject(BUCKET, "a.zip", "zip", { "Content-Type": "application/zip" });

  for (const [key] of DOCUMENTS) {
    for (const [name, runs] of [
      ["preview", false],
      ["bound", false],
      ["trusted", true],
    ] as const) {
      t.test(
        `${key} on a route that is ${name} is shown, and its script ${runs ? "runs" : "does not run"}`,
        async (t) => {
          await visit(t, stage.browser, async (page) => {
            const told = asksOf(page, "/told");
            const answer = await page.goto(at(`${name}.test`, `/${key}`));
            t.equal(answer?.status(), 200);
            t.match(await page.content(), "shown");
            t.match(await titleOf(page), runs ? "ran" : "still");
            t.equal(told.length > 0, runs);
          });
        },
      );
    }
  }

  t.test(
    "a sandboxed page has an origin of its own: in a frame of a trusted one it reaches nothing of it",
    async (t) => {
      const url = at("preview.test", "/page.html");
      emulator.putObject(BUCKET, "outer.html", `<title>outer</title><iframe src="${url}"></iframe>`, {
        "Content-Type": "text/html",
      });
      await visit(t, stage.browser, async (page) => {
        const told = asksOf(page, "/told");
        await page.goto(at("trusted.test", "/outer.html"));
        t.equal(await page.evaluate("frames[0].length"), 0);
        t.equal(await page.frames()[1]?.title(), "still");
        t.strictSame(told, []);
      });
    },
  );

  for (const name of ["preview", "trusted", "bound"]) {
    t.test(`an image whose download OSS forces shows in the tab on a route that is ${name}`, async (t) => {
      await visit(t, stage.browser, async (page) => {
        await page.goto(at(`${name}.test`, "/a.png"));
        t.equal(await page.evaluate("document.images[0].naturalWidth"), PNG_WIDTH);
      });
    });
  }

  for (const [claim, url, suggested, bytes] of [
    ["what OSS forces, without preview", at("plain.test", "/a.png"), "a.png", PNG],
    ["HTML, without preview", at("plain.test", "/page.html"), "page.html", null],
    ["what the object says, with its name", at("preview.test", "/own.pdf"), "their name.pdf", Buffer.from("%PDF-1.7")],
    ["what a picture says, by a bound domain", at("bound.test", "/own.png"), "their name.png", PNG],
    ["what the object says", at("preview.test", "/bare.txt"), "bare.txt", Buffer.from("bare")],
    ["what the URL asks for", at("preview.test", "/a.png?response-content-disposition=attachment"), "a.png", PNG],
    ["what no browser shows", at("preview.test", "/a.zip"), "a.zip", Buffer.from("zip")],
  ] as const) {
    t.test(`a download stays a download: ${claim}`, async (t) => {
      const saved = await download(t, stage, url);
      t.equal(saved.name, suggested);
      if (bytes !== null) t.ok(saved.bytes.equals(bytes), "its bytes");
    });
  }
});

/** An SVG's is an element as well, and `document.title` reads it; an XML document's is none. */
function titleOf(page: Page): Promise<string> {
  return page.evaluate('document.querySelector("title").textContent');
}

/** The paths of requests of a page from here on that begin with one. */
function asksOf(page: Page, path: string): readonly string[] {
  const asked: string[] = [];
  page.on("request", (request) => {
    const { pathname } = new URL(request.url());
    if (pathname.startsWith(path)) asked.push(pathname);
  });
  return asked;
}

/** Opens a URL that the browser saves. */
async function download(
  t: Test,
  { browser }: Stage,
  url: string,
): Promise<{ readonly name: string; readonly bytes: Buffer }> {
  let saved = { name: "", bytes: Buffer.alloc(0) };
  await visit(t, browser, async (page) => {
    const [event] = (await Promise.all([page.waitForEvent("download"), opened(page, url)])) as [Download, unknown];
    saved = { name: event.suggestedFilename(), bytes: await readFile(await event.path()) };
  });
  return saved;
}

/** A page that becomes a download does not come to be: that is how the browser says so. */
async function opened(page: Page, url: string): Promise<void> {
  await page.goto(url).then(
    () => Promise.reject(new Error(`${url} was shown`)),
    (error: Error) => {
      if (!error.message.includes("Download is starting")) throw error;
    },
  );
}
