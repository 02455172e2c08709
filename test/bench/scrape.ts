/** How long a scrape of the metrics page takes where there are many routes, all of them used. */
import { mkdirSync, writeFileSync } from "node:fs";
import { get } from "node:http";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { treeCpuUs } from "./proc-stat.js";
import { canPin, freePort, PROXY_CORE, startProgram } from "./processes.js";
import { fetchWhole, untilOk } from "./ready.js";
import { median } from "./statistics.js";

const CLI_FILE = fileURLToPath(new URL("../../dist/cli.js", import.meta.url));
const ROUTE_COUNT = 200;
const BUCKET_COUNT = 20;
const ROUND_COUNT = 5;
const SCRAPES_PER_ROUND = 20;
/** What is served, not there, and has a range: so that each route has several series. */
const TARGETS = ["/1k", "/none", "/64k"];

export interface ScrapeFigures {
  readonly medianMs: number;
  /** The median of each round. */
  readonly roundsMs: readonly number[];
  /** The very first, of a program that was just started. */
  readonly firstMs: number;
  readonly lineCount: number;
  /** Of all its processes, per scrape: bears a machine that is busy with others. */
  readonly cpuMs: number;
}

/** Milliseconds from the scrape's request to its last byte, on a connection of its own as Prometheus may open it. */
export async function measureScrape(directory: string, originPort: number): Promise<ScrapeFigures> {
  const folder = join(directory, "scrape");
  mkdirSync(folder);
  const [listenPort, adminPort] = [await freePort(), await freePort()];
  const file = join(folder, "gateway.yaml");
  writeFileSync(file, configuration(listenPort, adminPort, originPort));
  const program = startProgram(
    { command: process.execPath, args: [CLI_FILE, "run", "--config", file], env: { NODE_ENV: "production" } },
    canPin() ? PROXY_CORE : null,
    { stdoutFile: join(folder, "stdout.log"), stderrFile: join(folder, "stderr.log") },
  );
  try {
    await Promise.race([untilOk(`http://127.0.0.1:${adminPort}/readyz`), program.diesEarly]);
    await useAllRoutes(listenPort);
    return await scrapeRounds(`http://127.0.0.1:${adminPort}/metrics`, program.pid);
  } finally {
    await program.stop();
  }
}

async function scrapeRounds(url: string, pid: number): Promise<ScrapeFigures> {
  const firstMs = (await scrape(url)).tookMs;
  const roundsMs: number[] = [];
  const beforeUs = treeCpuUs(pid);
  for (let round = 0; round < ROUND_COUNT; round += 1) {
    const tookMs: number[] = [];
    for (let i = 0; i < SCRAPES_PER_ROUND; i += 1) tookMs.push((await scrape(url)).tookMs);
    roundsMs.push(median(tookMs));
  }
  const cpuMs = (treeCpuUs(pid) - beforeUs) / 1_000 / (ROUND_COUNT * SCRAPES_PER_ROUND);
  return { firstMs, roundsMs, cpuMs, medianMs: median(roundsMs), lineCount: (await scrape(url)).lineCount };
}

async function scrape(url: string): Promise<{ readonly tookMs: number; readonly lineCount: number }> {
  const startMs = performance.now();
  const { status, body } = await fetchWhole(url);
  const tookMs = performance.now() - startMs;
  const text = body.toString();
  const seen = new Set([...text.matchAll(/^ossgate_requests_total\{route="(r\d+)"/gm)].map(([, route]) => route));
  if (status !== 200 || seen.size !== ROUTE_COUNT) throw new Error(`status ${status}, ${seen.size} routes were used`);
  return { tookMs, lineCount: text.split("\n").length };
}

async function useAllRoutes(port: number): Promise<void> {
  for (let i = 0; i < ROUTE_COUNT; i += 1) {
    for (const path of TARGETS) await ask(port, `r${i}.test`, path);
    await ask(port, `r${i}.test`, "/1k", "PUT");
  }
}

function ask(port: number, host: string, path: string, method = "GET"): Promise<void> {
  return new Promise((resolve, reject) => {
    const request = get({ host: "127.0.0.1", port, path, method, headers: { host, range: "bytes=0-9" } }, (answer) => {
      answer.resume().on("end", resolve);
    });
    request.on("error", reject);
  });
}

function configuration(listenPort: number, adminPort: number, originPort: number): string {
  const buckets = Array.from(
    { length: BUCKET_COUNT },
    (_, i) => `  b${i}: { bucket: bench-bucket-${i}, region: cn-hangzhou, endpoint: "http://127.0.0.1:${originPort}" }`,
  );
  const routes = Array.from(
    { length: ROUTE_COUNT },
    (_, i) => `  - { name: r${i}, match: { hosts: [r${i}.test] }, bucket: b${i % BUCKET_COUNT}, auth: relay }`,
  );
  return `workers: 2
listeners:
  - { name: web, address: "127.0.0.1:${listenPort}" }
admin: { address: "127.0.0.1:${adminPort}" }
buckets:
${buckets.join("\n")}
routes:
${routes.join("\n")}
`;
}
