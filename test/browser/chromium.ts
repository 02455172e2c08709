import { execFile, spawnSync } from "node:child_process";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { type Browser, chromium, type Page } from "playwright-core";
import { needsProgram } from "../clients/players/ffmpeg.js";
import { temporaryDirectory } from "../clients/programs.js";
import type { Teardown } from "../support/gateway.js";

const run = promisify(execFile);

const EXECUTABLE = "/usr/bin/chromium";

/** Test options: skips with a message where Debian's Chromium is absent. */
export const NEEDS_CHROMIUM = needsProgram(EXECUTABLE, "--version", "chromium");

/** Test options for a Chromium that trusts an authority of the test's: skips with a message where it cannot be told so. */
export const NEEDS_TRUSTING_CHROMIUM = { ...needsCertutil(), ...NEEDS_CHROMIUM };

/** It has no option that prints something and ends well. */
function needsCertutil(): { readonly skip?: string } {
  const isThere = process.env.OSSGATE_REQUIRE_PEERS === "1" || spawnSync("certutil", ["-H"]).error === undefined;
  return isThere ? {} : { skip: "certutil is not installed (apt-get install libnss3-tools)" };
}

/** It plays without a gesture, and asks nobody but the addresses of this machine: what ends in `.test` is here too. */
const ARGUMENTS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--no-proxy-server",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--autoplay-policy=no-user-gesture-required",
  "--host-resolver-rules=MAP *.test 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1",
];

/**
 * Starts a headless Chromium with a profile of its own; it ends with the test.
 * @param caFile an authority that it trusts besides those of the web; needs certutil
 */
export async function startChromium(t: Teardown, caFile: string | null = null): Promise<Browser> {
  const home = await temporaryDirectory(t);
  if (caFile !== null) await trust(home, caFile);
  const browser = await chromium.launch({
    executablePath: EXECUTABLE,
    headless: true,
    args: ARGUMENTS,
    env: { HOME: home, PATH: process.env.PATH ?? "" },
  });
  t.teardown(() => browser.close());
  return browser;
}

/** Where Chromium looks for what its user trusts. */
async function trust(home: string, caFile: string): Promise<void> {
  const directory = join(home, ".pki", "nssdb");
  await mkdir(directory, { recursive: true });
  const database = ["-d", `sql:${directory}`];
  await run("certutil", [...database, "-N", "--empty-password"]);
  await run("certutil", [...database, "-A", "-n", "authority of the test", "-t", "C,,", "-i", caFile]);
}

/** What the page told of a playback. */
export interface Playback {
  /** `ended`, `failed` after an error that is fatal to hls.js, or `timed out`. */
  readonly outcome: "ended" | "failed" | "timed out";
  readonly errors: readonly {
    readonly type: string;
    readonly details: string;
    readonly fatal: boolean;
    /** 0 where the browser keeps it from the page. */
    readonly status: number | null;
  }[];
  /** Of the picture, whenever it changed. */
  readonly widths: readonly number[];
  readonly duration: number;
  /** What was played of it, in seconds. */
  readonly ranges: readonly (readonly [start: number, end: number])[];
  /** Pictures, those that came too late to be shown included. */
  readonly totalVideoFrames: number;
  /** Every URL that the page and its player asked for. */
  readonly requested: readonly string[];
}

export interface PlayOptions {
  readonly url: string;
  /** 4 when absent: four seconds of the show in one. */
  readonly rate?: number;
  /** From the lowest to the highest variant after the first segment. */
  readonly isSwitching?: boolean;
  /** Put behind every URL that has no query. */
  readonly query?: string;
  /** Of hls.js. */
  readonly config?: Readonly<Record<string, unknown>>;
}

const LIMIT_MS = 20_000;

/** Opens the page and plays one URL with hls.js. */
export async function playInPage(browser: Browser, pageOrigin: string, options: PlayOptions): Promise<Playback> {
  const { url, rate = 4, isSwitching = false, query = "", config = {} } = options;
  const page: Page = await browser.newPage();
  const requested: string[] = [];
  page.on("request", (request) => requested.push(request.url()));
  try {
    await page.goto(pageOrigin);
    const input = { url, rate, isSwitching, query, config: { startLevel: 0, ...config }, limitMs: LIMIT_MS };
    const told = (await page.evaluate(`play(${JSON.stringify(input)})`)) as Omit<Playback, "requested">;
    return { ...told, requested };
  } finally {
    await page.close();
  }
}
