import type { Browser } from "playwright-core";
import type { Test } from "tap";
import { type SignOptions, type SignWorld, startSigning } from "../support/sign-world.js";
import { startChromium } from "./chromium.js";
import { type Pages, startPages } from "./page-server.js";
import { PROBE_PAGE } from "./visit.js";

/** A browser, pages of some origins, and a gateway at others before a private bucket. */
export interface Stage extends SignWorld {
  readonly browser: Browser;
  readonly pages: Pages;
  /** `http://HOST:port` of the gateway, and a path behind it. */
  at(host: string, path?: string): string;
}

/** The origin that routes allow. */
export const OUR_PAGE = "www.page.test";
/** One that none of them knows. */
export const FOREIGN_PAGE = "www.foreign.test";

/** @param routes of the origins of pages, since a port is part of an origin */
export async function setStage(t: Test, routes: (pages: Pages) => string, options: SignOptions = {}): Promise<Stage> {
  const pages = await startPages(t);
  pages.put("/probe", PROBE_PAGE);
  const world = await startSigning(t, routes(pages), options);
  const browser = await startChromium(t);
  return { ...world, pages, browser, at: (host, path = "") => `http://${host}:${world.gateway.port}${path}` };
}

/** A PNG of 3 × 2 pixels. */
export const PNG = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAMAAAACCAIAAAASFvFNAAAAEElEQVR4nGP4z8AAQQxwFgBB0gX7h/C5SAAAAABJRU5ErkJggg==",
  "base64",
);
export const PNG_WIDTH = 3;
