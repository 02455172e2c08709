/** Tests of which two fail as they should: `artifacts.test.ts` runs them and looks at what they leave. */
import t from "tap";
import { startChromium } from "./chromium.js";
import { startPages } from "./page-server.js";
import { visit } from "./visit.js";

const pages = await startPages(t);
pages.put("/page", "<!doctype html><title>Page</title><h1>A page</h1>");
const browser = await startChromium(t);
const open = (t: Parameters<typeof visit>[0], then: () => void) =>
  visit(t, browser, async (page) => {
    await page.goto(`${pages.origin("www.page.test")}/page`);
    then();
  });

t.test("it passes", (t) => open(t, () => void t.pass()));
t.test("an assertion fails", (t) => open(t, () => void t.fail("as it should")));
t.test("an error is thrown", (t) =>
  open(t, () => {
    throw new Error("as it should");
  }),
);
