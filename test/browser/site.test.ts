import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import bcrypt from "bcrypt";
import t from "tap";
import { temporaryDirectory } from "../clients/programs.js";
import { BUCKET, signingRoute } from "../support/sign-world.js";
import { NEEDS_CHROMIUM } from "./chromium.js";
import type { Pages } from "./page-server.js";
import { OUR_PAGE, PNG, PNG_WIDTH, setStage } from "./stage.js";
import { askFrom, showIn, visit } from "./visit.js";

const SITE = "preview: true, trusted: true, indexDocument: index.html, errorDocument: errors/404.html";
const PASSWORD = "Grüße 鍵:1";
const HTML = { "Content-Type": "text/html; charset=utf-8" };
const ICON = '<link rel="icon" href="data:,">';

/** Relative links, a style sheet, a script and an image: what breaks when a path is not what the browser thinks. */
const PAGES: Readonly<Record<string, string>> = {
  "index.html": `<title>Home</title>${ICON}<link rel="stylesheet" href="/style.css"><a href="docs">Docs</a>`,
  "docs/index.html": `<title>Docs</title>${ICON}<script src="run.js"></script><img src="../a.png"><a href="more.html">More</a>`,
  "docs/more.html": `<title>More</title>${ICON}<a href="../gone/away">Gone</a>`,
  "errors/404.html": `<title>Not here</title>${ICON}<link rel="stylesheet" href="/style.css"><a href="/">Home</a>`,
};

t.test("a site is browsed from a private bucket", NEEDS_CHROMIUM, async (t) => {
  const file = join(await temporaryDirectory(t), "users");
  await writeFile(file, `anna:${bcrypt.hashSync(PASSWORD, 4)}\n`);
  const basic = `allow: { basic: { file: ${file}, realm: the files } }`;
  const routes = (pages: Pages): string => {
    const origins = `allowedOrigins: ["${pages.origin(OUR_PAGE)}"], allowedMethods: [GET], allowedHeaders: [authorization]`;
    return [
      signingRoute("site", `allow: { anyone: true }, ${SITE}`),
      signingRoute("below", `allow: { anyone: true }, ${SITE}, keyPrefix: below/`),
      signingRoute("members", `${basic}, ${SITE}`),
      signingRoute("guarded", `${basic}, cors: { rules: [{ ${origins} }] }`),
    ].join("");
  };
  const stage = await setStage(t, routes);
  const { emulator, at, browser, pages, gateway } = stage;
  for (const [key, html] of Object.entries(PAGES)) emulator.putObject(BUCKET, key, `<!doctype html>${html}`, HTML);
  emulator.putObject(BUCKET, "style.css", "body { color: rgb(1, 2, 3) }", { "Content-Type": "text/css" });
  emulator.putObject(BUCKET, "docs/run.js", "window.hasRun = true", { "Content-Type": "text/javascript" });
  emulator.putObject(BUCKET, "a.png", PNG, { "Content-Type": "image/png" });

  t.test("its links, styles, scripts and images work, and a directory gets its slash", async (t) => {
    await visit(t, browser, async (page) => {
      const answer = await page.goto(at("site.test", "/"));
      t.equal(answer?.status(), 200);
      t.equal(await page.title(), "Home");
      t.equal(await page.evaluate("getComputedStyle(document.body).color"), "rgb(1, 2, 3)");
      await page.click("text=Docs");
      await page.waitForURL(at("site.test", "/docs/"));
      t.equal(await page.title(), "Docs");
      t.equal(await page.evaluate("hasRun"), true, "a script beside the page");
      t.equal(await page.evaluate("document.images[0].naturalWidth"), PNG_WIDTH);
      await page.click("text=More");
      await page.waitForURL(at("site.test", "/docs/more.html"));
      await page.goBack();
      t.equal(page.url(), at("site.test", "/docs/"));
    });
  });

  t.test("a redirect keeps the query, and the fragment is the browser's", async (t) => {
    await visit(t, browser, async (page) => {
      await page.goto(at("site.test", "/docs?v=1&b=%2F#part"));
      t.equal(page.url(), at("site.test", "/docs/?v=1&b=%2F#part"));
      t.equal(await page.title(), "Docs");
    });
  });

  t.test("paths that look like other hosts stay on this one", async (t) => {
    // Both are directories: without the rule each would be redirected to with its slash.
    for (const [path, status] of [
      ["//www.foreign.test/docs", 404],
      ["/a//www.foreign.test", 200],
    ] as const) {
      emulator.putObject(BUCKET, `below${path}/index.html`, "<title>Below</title>", HTML);
      await visit(t, browser, async (page) => {
        const answer = await page.goto(at("below.test", path));
        t.equal(new URL(page.url()).hostname, "below.test", path);
        t.equal(answer?.status(), status, path);
      });
    }
  });

  t.test("what is not there is the error document with 404, whose own links work", async (t) => {
    await visit(t, browser, async (page) => {
      const answer = await page.goto(at("site.test", "/gone/away"));
      t.equal(answer?.status(), 404);
      t.equal(await page.title(), "Not here");
      t.equal(await page.evaluate("getComputedStyle(document.body).color"), "rgb(1, 2, 3)");
      await page.click("text=Home");
      await page.waitForURL(at("site.test", "/"));
      t.equal(await page.title(), "Home");
    });
  });

  t.test("a page behind a password shows to who has it, with all that it is made of", async (t) => {
    const httpCredentials = { username: "anna", password: PASSWORD };
    await visit(
      t,
      browser,
      async (page) => {
        const answer = await page.goto(at("members.test", "/docs"));
        t.equal(answer?.status(), 200);
        t.equal(page.url(), at("members.test", "/docs/"));
        t.equal(await page.evaluate("hasRun"), true);
        t.equal(await page.evaluate("document.images[0].naturalWidth"), PNG_WIDTH);
      },
      { httpCredentials },
    );
    t.ok(emulator.captures.every(({ rawHeaders }) => !rawHeaders.some((value) => value.startsWith("Basic "))));
  });

  for (const [claim, httpCredentials] of [
    ["without one", undefined],
    ["with a wrong one", { username: "anna", password: "wrong" }],
    ["with somebody else's", { username: "otto", password: PASSWORD }],
  ] as const) {
    t.test(`${claim} there is 401, and nothing of the page`, async (t) => {
      const before = gateway.accessLog.length;
      emulator.clearCaptures();
      await visit(
        t,
        browser,
        async (page) => {
          const opened = page.goto(at("members.test", "/"));
          // Where there is nobody to type one in, the browser gives up with an error of its own.
          const shown = await opened.then((answer) => answer?.status(), String);
          t.match(shown, httpCredentials === undefined ? /ERR_INVALID_AUTH_CREDENTIALS/ : 401);
          t.not(await page.title(), "Home");
        },
        httpCredentials === undefined ? {} : { httpCredentials },
      );
      const statuses = new Set(gateway.accessLog.slice(before).map(({ status }) => status));
      t.strictSame([...statuses], [401]);
      t.strictSame(emulator.captures, []);
    });
  }

  t.test("a script of another origin logs in with a header of its own: its preflight needs no password", async (t) => {
    const authorization = `Basic ${Buffer.from(`anna:${PASSWORD}`).toString("base64")}`;
    await visit(t, browser, async (page) => {
      await page.goto(`${pages.origin(OUR_PAGE)}/probe`);
      // Else the second comes from the browser's own cache, which does not look at who asks.
      const ask = (authorization: string) => {
        const init = { headers: { authorization }, cache: "no-store" } as const;
        return askFrom(page, { url: at("guarded.test", "/style.css"), init });
      };
      t.match(await ask(authorization), { status: 200, text: "body" });
      const wrong = await ask(authorization.replace("Basic ", "Basic AA"));
      t.match(wrong, { status: 401, text: "<Code>AccessDenied</Code>" }, "it can read why");
      t.equal(await showIn(page, at("guarded.test", "/a.png")), 0);
    });
  });
});
