import { readFile } from "node:fs/promises";
import type { ProcessReport } from "../../telemetry/process-report.js";
import { type AdminAnswer, JSON_TYPE, textAnswer } from "../admin-answer.js";
import type { AdminSource } from "../admin-source.js";
import { DOCUMENT } from "./document.js";
import { statusData } from "./status-data.js";
import { STYLE } from "./style.js";

/**
 * Nothing but what this listener serves, no script or style in the document, nowhere to send anything, and in no frame:
 * what clients wrote into a target or a referer cannot become more than text.
 */
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'";

const HEADERS = { "Content-Security-Policy": POLICY, "X-Frame-Options": "DENY" };
const SCRIPT_TYPE = "text/javascript; charset=utf-8";
const STYLE_TYPE = "text/css; charset=utf-8";

/** The page's own script, in modules. */
const SCRIPTS = [
  "app",
  "attention",
  "buckets",
  "charts",
  "dom",
  "events",
  "head",
  "item",
  "keys",
  "known",
  "processes",
  "routes",
  "spark",
  "tiles",
  "words",
].map((name) => `${name}.js`);

/** Where the parts of the page are; all are of this package or its dependencies. */
const FILES: Readonly<Record<string, { readonly contentType: string; url(): URL }>> = {
  ...Object.fromEntries(
    SCRIPTS.map((name) => [name, { contentType: SCRIPT_TYPE, url: () => new URL(`./page/${name}`, import.meta.url) }]),
  ),
  "uplot.js": { contentType: SCRIPT_TYPE, url: () => new URL("./uPlot.esm.js", import.meta.resolve("uplot")) },
  "uplot.css": { contentType: STYLE_TYPE, url: () => new URL("./uPlot.min.css", import.meta.resolve("uplot")) },
};

/** What the document asks for, below `/status/`. */
export const STATUS_PARTS: readonly string[] = [...Object.keys(FILES), "style.css"];

/** However many look at the page, the processes are asked as often. */
const FRESH_MS = 900;

/** The page for people: one document, its parts, and the data that it asks for every other second. */
export class StatusPage {
  readonly #parts = new Map<string, Promise<Buffer>>();
  #collected: { readonly atMs: number; readonly reports: Promise<readonly ProcessReport[]> } | null = null;

  document(): AdminAnswer {
    return { status: 200, body: DOCUMENT, contentType: "text/html; charset=utf-8", headers: HEADERS };
  }

  async asset(name: string): Promise<AdminAnswer> {
    if (name === "style.css") return { status: 200, body: STYLE, contentType: STYLE_TYPE };
    const file = FILES[name];
    if (file === undefined) return textAnswer(404, "There is no such part.");
    let part = this.#parts.get(name);
    if (part === undefined) {
      part = readFile(file.url());
      part.catch(() => this.#parts.delete(name));
      this.#parts.set(name, part);
    }
    return { status: 200, body: await part, contentType: file.contentType };
  }

  async data(source: AdminSource, rawQuery: string): Promise<AdminAnswer> {
    const query = new URLSearchParams(rawQuery);
    const since = Number(query.get("since") ?? 0);
    if (!Number.isSafeInteger(since) || since < 0) return textAnswer(400, "since is the number of a point.");
    const reports = await this.#collect(source);
    const question = { since, route: query.get("route") ?? undefined };
    return { status: 200, body: JSON.stringify(statusData(source, reports, question)), contentType: JSON_TYPE };
  }

  #collect(source: AdminSource): Promise<readonly ProcessReport[]> {
    const nowMs = performance.now();
    if (this.#collected === null || nowMs - this.#collected.atMs > FRESH_MS) {
      const reports = source.collect();
      reports.catch(() => {
        this.#collected = null;
      });
      this.#collected = { atMs: nowMs, reports };
    }
    return this.#collected.reports;
  }
}
