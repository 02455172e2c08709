import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Browser, BrowserContextOptions, Frame, Page } from "playwright-core";
import type { Test } from "tap";

const LIMIT_MS = 10_000;

/** Where pictures of failed tests are kept; git does not see them. */
const ARTIFACTS = process.env.OSSGATE_ARTIFACTS ?? fileURLToPath(new URL("artifacts", import.meta.url));

/**
 * Gives a test a page of its own, with empty caches and no cookies. When the test fails meanwhile, what the page shows at
 * the end is kept as a picture whose path the test tells.
 */
export async function visit(
  t: Test,
  browser: Browser,
  use: (page: Page) => Promise<void>,
  options: BrowserContextOptions = {},
): Promise<void> {
  const context = await browser.newContext(options);
  context.setDefaultTimeout(LIMIT_MS);
  const page = await context.newPage();
  const wasPassing = t.passing();
  let isOver = false;
  try {
    await use(page);
    isOver = true;
  } finally {
    if (!isOver || (wasPassing && !t.passing())) await keepPicture(t, page);
    await context.close();
  }
}

/** The test has failed already: that there is no picture of it must not hide why. */
async function keepPicture(t: Test, page: Page): Promise<void> {
  const path = join(ARTIFACTS, `${fileName(t.fullname)}.png`);
  try {
    await mkdir(ARTIFACTS, { recursive: true });
    await page.screenshot({ path, fullPage: true });
    t.comment(`the page at ${page.url()} looked like ${path}`);
  } catch (error) {
    t.comment(`no picture of the page at ${page.url()}: ${error}`);
  }
}

/** The end of a full name tells more than its beginning, which is the file's. */
function fileName(name: string): string {
  return name
    .replace(/[^a-z0-9]+/gi, "-")
    .slice(-120)
    .replace(/^-/, "");
}

/** What `fetch` came to in a page: the answer as far as the page may read it, or the name of the error. */
export type Read =
  | { readonly status: number; readonly text: string; readonly headers: Readonly<Record<string, string | null>> }
  | { readonly refused: string };

export interface Question {
  readonly url: string;
  readonly init?: {
    readonly method?: string;
    readonly headers?: Readonly<Record<string, string>>;
    readonly credentials?: "include" | "omit";
    readonly cache?: "no-store";
    readonly body?: string;
  };
  /** Of the answer, those to read; `null` where the page may not, or there is none. */
  readonly headers?: readonly string[];
}

/** Asks with `fetch` from a page, or a frame of one, that has `/probe.js`. */
export function askFrom(page: Page | Frame, question: Question): Promise<Read> {
  return page.evaluate(`ask(${JSON.stringify(question)})`);
}

/** Shows an image in a page that has `/probe.js`. @returns its width, 0 where it does not show */
export function showIn(page: Page, url: string, attributes: Readonly<Record<string, string>> = {}): Promise<number> {
  return page.evaluate(`show(${JSON.stringify({ url, attributes })})`);
}

/** A page with `/probe.js` and nothing else. */
export const PROBE_PAGE =
  '<!doctype html><title>Probe</title><link rel="icon" href="data:,"><body><script src="/probe.js"></script>';
