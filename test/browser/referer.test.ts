import t, { type Test } from "tap";
import { BUCKET, LINKS, linkOf, signingRoute } from "../support/sign-world.js";
import { NEEDS_CHROMIUM } from "./chromium.js";
import type { Pages } from "./page-server.js";
import { FOREIGN_PAGE, OUR_PAGE, PNG, PNG_WIDTH, type Stage, setStage } from "./stage.js";
import { showIn, visit } from "./visit.js";

const OPEN = "allow: { anyone: true }";
const OURS = 'refererList: ["http://www.page.test"]';
/** Begins as the allowed host does, and is somebody else's. */
const LOOKALIKE = "www.page.test.foreign.test";

const routes = (pages: Pages): string =>
  [
    signingRoute("lenient", `${OPEN}, referer: { ${OURS} }`),
    signingRoute("closed", `${OPEN}, referer: { ${OURS}, allowEmptyReferer: false }`),
    signingRoute("parity", `${OPEN}, referer: { ${OURS}, allowEmptyReferer: false, strict: false }`),
    signingRoute("wild", `${OPEN}, referer: { refererList: ["http://*.page.test"], allowEmptyReferer: false }`),
    signingRoute("path", `${OPEN}, referer: { refererList: ["${pages.origin(OUR_PAGE)}/shop/"] }`),
    signingRoute("nginx", `${OPEN}, referer: { validReferers: [server_names, "*.page.test"] }`),
    signingRoute("report", `${OPEN}, referer: { ${OURS}, mode: report }`),
    signingRoute("linked", `allow: { ${LINKS} }, referer: { ${OURS}, allowEmptyReferer: false }`),
    '  - { name: relay, match: { hosts: [relay.test] }, bucket: one, referer: { refererList: ["http://www.page.test"] } }\n',
  ].join("");

interface Row {
  readonly claim: string;
  readonly page: string;
  /** Of the page; the browser's own default when absent. */
  readonly policy?: string;
  readonly route: string;
  readonly path?: string;
  readonly shows: boolean;
}

const ROWS: readonly Row[] = [
  { claim: "an allowed page", page: OUR_PAGE, route: "closed", shows: true },
  { claim: "a foreign page", page: FOREIGN_PAGE, route: "closed", shows: false },
  { claim: "a foreign page, where an empty Referer may pass", page: FOREIGN_PAGE, route: "lenient", shows: false },
  { claim: "a page whose host begins as the allowed one", page: LOOKALIKE, route: "closed", shows: false },
  { claim: "the same with strict: false, as at OSS", page: LOOKALIKE, route: "parity", shows: true },
  { claim: "a subdomain of a wildcard", page: "shop.page.test", route: "wild", shows: true },
  { claim: "a foreign page of a wildcard", page: "page.test.foreign.test", route: "wild", shows: false },
  { claim: "an allowed page, through a route that relays", page: OUR_PAGE, route: "relay", shows: true },
  { claim: "a foreign page, through a route that relays", page: FOREIGN_PAGE, route: "relay", shows: false },
  { claim: "a name of NGINX's list", page: OUR_PAGE, route: "nginx", shows: true },
  { claim: "a name that is not on NGINX's list", page: FOREIGN_PAGE, route: "nginx", shows: false },
  { claim: "a foreign page where it is only reported", page: FOREIGN_PAGE, route: "report", shows: true },
  {
    claim: "an allowed page with Referrer-Policy: origin",
    page: OUR_PAGE,
    policy: "origin",
    route: "closed",
    shows: true,
  },
  { claim: "an allowed page with unsafe-url", page: OUR_PAGE, policy: "unsafe-url", route: "closed", shows: true },
  { claim: "an allowed page with no-referrer", page: OUR_PAGE, policy: "no-referrer", route: "closed", shows: false },
  { claim: "the same, allowEmptyReferer", page: OUR_PAGE, policy: "no-referrer", route: "lenient", shows: true },
  { claim: "an allowed page with same-origin", page: OUR_PAGE, policy: "same-origin", route: "closed", shows: false },
  { claim: "the same, with allowEmptyReferer", page: OUR_PAGE, policy: "same-origin", route: "lenient", shows: true },
  {
    claim: "a foreign page that hides where it is",
    page: FOREIGN_PAGE,
    policy: "no-referrer",
    route: "closed",
    shows: false,
  },
  {
    claim: "the same where an empty Referer may pass",
    page: FOREIGN_PAGE,
    policy: "no-referrer",
    route: "lenient",
    shows: true,
  },
  { claim: "an allowed path: browsers tell other origins no path", page: OUR_PAGE, route: "path", shows: false },
  {
    claim: "an allowed path, unsafe-url",
    page: OUR_PAGE,
    policy: "unsafe-url",
    route: "path",
    path: "/shop/cart",
    shows: true,
  },
];

t.test("images show on the pages that may show them", NEEDS_CHROMIUM, async (t) => {
  const stage = await setStage(t, routes);
  stage.emulator.putObject(BUCKET, "a.png", PNG, { "Content-Type": "image/png" });
  stage.emulator.putObject(BUCKET, "r.png", PNG, { "Content-Type": "image/png", "x-oss-object-acl": "public-read" });

  for (const row of ROWS) {
    t.test(`${row.claim}: ${row.shows ? "shows" : "does not show"}`, async (t) => {
      const { width, status } = await openPage(t, stage, row);
      t.equal(width, row.shows ? PNG_WIDTH : 0);
      t.equal(status, row.shows ? 200 : 403);
    });
  }

  t.test("an image may hide its page, and then needs allowEmptyReferer", async (t) => {
    await visit(t, stage.browser, async (page) => {
      await page.goto(`${stage.pages.origin(OUR_PAGE)}/probe`);
      const attributes = { referrerpolicy: "no-referrer" };
      t.equal(await showIn(page, stage.at("closed.test", "/a.png"), attributes), 0);
      t.equal(await showIn(page, stage.at("lenient.test", "/a.png"), attributes), PNG_WIDTH);
    });
  });

  t.test("a link that is good does not show on a foreign page", async (t) => {
    const url = stage.at("linked.test", `/a.png?${linkOf("linked", "/a.png")}`);
    for (const [host, width] of [
      [OUR_PAGE, PNG_WIDTH],
      [FOREIGN_PAGE, 0],
    ] as const) {
      await visit(t, stage.browser, async (page) => {
        await page.goto(`${stage.pages.origin(host)}/probe`);
        t.equal(await showIn(page, url), width, host);
      });
    }
  });

  t.test("a URL in the address bar has no Referer, and the refusal can be read", async (t) => {
    await visit(t, stage.browser, async (page) => {
      const refused = await page.goto(stage.at("closed.test", "/a.png"));
      t.equal(refused?.status(), 403);
      t.match(await refused?.text(), "<EC>0003-00000501</EC>");
      t.equal((await page.goto(stage.at("linked.test", `/a.png?${linkOf("linked", "/a.png")}`)))?.status(), 403);
    });
  });

  t.test("a refused image is not what an allowed page gets afterwards", async (t) => {
    await visit(t, stage.browser, async (page) => {
      const url = stage.at("closed.test", "/a.png");
      for (const [host, width] of [
        [FOREIGN_PAGE, 0],
        [OUR_PAGE, PNG_WIDTH],
      ] as const) {
        await page.goto(`${stage.pages.origin(host)}/probe`);
        t.equal(await showIn(page, url), width, host);
      }
    });
  });
});

/** Opens a page that has the image in its text, as pages do. */
async function openPage(
  t: Test,
  { pages, browser, at, gateway }: Stage,
  { page: host, policy, route, path = "/page" }: Row,
): Promise<{ readonly width: number; readonly status: number | undefined }> {
  const key = route === "relay" ? "/r.png" : "/a.png";
  const image = `<img id="it" src="${at(`${route}.test`, key)}">`;
  const headers = policy === undefined ? {} : { "referrer-policy": policy };
  pages.put(path, `<!doctype html><title>Page</title><link rel="icon" href="data:,">${image}`, headers);
  const before = gateway.accessLog.length;
  let width = -1;
  await visit(t, browser, async (page) => {
    await page.goto(pages.origin(host) + path);
    width = await page.evaluate('document.getElementById("it").naturalWidth');
  });
  const entry = await gateway.logged((entry) => gateway.accessLog.indexOf(entry) >= before);
  return { width, status: entry.status };
}
