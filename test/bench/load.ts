/** The two kinds of load: many small requests by wrk, a few large bodies by the client beside this file. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { nodeArgs } from "./origin.js";
import { findProgram, runProgram } from "./processes.js";
import type { ShareOrder, ShareReport } from "./share-client.js";
import { percentile } from "./statistics.js";
import type { TransferOrder, TransferReport } from "./transfer-client.js";

export interface LoadResult {
  readonly requestCount: number;
  readonly bodyBytes: number;
  readonly wallMs: number;
  /** Of one request, or of one whole transfer. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** What the client that got least, and the one that got most, had of it; where there are several. */
  readonly clients?: { readonly leastBytesPerSecond: number; readonly mostBytesPerSecond: number };
}

export interface LoadTarget {
  readonly port: number;
  readonly path: string;
  readonly bodyBytes: number;
  /** The status with which all requests are to be refused; `null`: they are answered. */
  readonly refusal: number | null;
  /** What each client takes at most; `null`: all that comes. */
  readonly takesBytesPerSecond: number | null;
  /** For scripts that a load tool has to read from a file. */
  readonly directory: string;
}

interface WrkSummary {
  readonly durationUs: number;
  readonly requestCount: number;
  readonly receivedBytes: number;
  readonly p50Us: number;
  readonly p99Us: number;
  /** Answers of 400 and above, and requests that got none. */
  readonly statusCount: number;
  readonly failureCount: number;
}

const CONNECTION_COUNT = 32;
const PARALLEL_TRANSFER_COUNT = 4;
const SLACK_MS = 15_000;
const TRANSFER_LIMIT_MS = 60_000;
const SHARE_CLIENT_FILE = fileURLToPath(new URL("share-client.ts", import.meta.url));
const TRANSFER_CLIENT_FILE = fileURLToPath(new URL("transfer-client.ts", import.meta.url));

/** Only `done`: a script with `request` or `response` would make wrk itself slow. */
const WRK_SCRIPT = `done = function(summary, latency)
  local e = summary.errors
  io.write(string.format(
    '\\nRESULT {"durationUs":%d,"requestCount":%d,"receivedBytes":%.0f,"p50Us":%.0f,"p99Us":%.0f,"statusCount":%d,"failureCount":%d}\\n',
    summary.duration, summary.requests, summary.bytes, latency:percentile(50), latency:percentile(99),
    e.status, e.connect + e.read + e.write + e.timeout))
end
`;

/** Repeats a GET on kept-alive connections for a number of whole seconds. */
export function requestMany(target: LoadTarget, durationS: number): Promise<LoadResult> {
  return runWrk(target, durationS, []);
}

/** The same with a connection of its own for each GET. */
export function connectMany(target: LoadTarget, durationS: number): Promise<LoadResult> {
  return runWrk(target, durationS, ["-H", "Connection: close"]);
}

async function runWrk(target: LoadTarget, durationS: number, more: readonly string[]): Promise<LoadResult> {
  const wrk = findProgram("wrk");
  if (wrk === null) throw new Error("wrk is not installed");
  const scriptFile = join(target.directory, "wrk.lua");
  writeFileSync(scriptFile, WRK_SCRIPT);
  const url = `http://127.0.0.1:${target.port}${target.path}`;
  const args = ["-t1", `-c${CONNECTION_COUNT}`, `-d${durationS}s`, "--latency", "-s", scriptFile, ...more, url];
  const output = await runProgram({ command: wrk, args }, durationS * 1000 + SLACK_MS);
  const summary = readWrkSummary(output);
  return target.refusal === null ? checkedWrkResult(summary, target.bodyBytes) : checkedRefusals(summary);
}

/** Clients that download at once, each with so many connections from an address of its own, as limits go by addresses. */
export function shareAmong(connectionCounts: readonly number[]) {
  const clients = connectionCounts.map((connections, i) => ({ address: `127.0.0.${i + 2}`, connections }));
  return async ({ port, path, takesBytesPerSecond }: LoadTarget, seconds: number): Promise<LoadResult> => {
    const order: ShareOrder = { port, path, seconds, clients, takesBytesPerSecond };
    const args = nodeArgs(SHARE_CLIENT_FILE, JSON.stringify(order));
    const output = await runProgram({ command: process.execPath, args }, seconds * 1000 + SLACK_MS);
    const { wallMs, bytes, clientBytesPerSecond } = JSON.parse(output) as ShareReport;
    return {
      requestCount: connectionCounts.reduce((sum, count) => sum + count, 0),
      bodyBytes: bytes,
      wallMs,
      p50Ms: wallMs,
      p99Ms: wallMs,
      clients: {
        leastBytesPerSecond: Math.min(...clientBytesPerSecond),
        mostBytesPerSecond: Math.max(...clientBytesPerSecond),
      },
    };
  };
}

/** Moves `transferCount` bodies, a few at a time. */
export async function transferMany(
  target: LoadTarget,
  method: TransferOrder["method"],
  transferCount: number,
): Promise<LoadResult> {
  const { port, path, bodyBytes } = target;
  const order: TransferOrder = { method, port, path, bodyBytes, transferCount, parallelCount: PARALLEL_TRANSFER_COUNT };
  const args = nodeArgs(TRANSFER_CLIENT_FILE, JSON.stringify(order));
  const output = await runProgram({ command: process.execPath, args }, TRANSFER_LIMIT_MS);
  const report = JSON.parse(output) as TransferReport;
  return {
    requestCount: transferCount,
    bodyBytes: transferCount * bodyBytes,
    wallMs: report.wallMs,
    p50Ms: percentile(report.transferMs, 0.5),
    p99Ms: percentile(report.transferMs, 0.99),
  };
}

function readWrkSummary(output: string): WrkSummary {
  const json = /^RESULT (\{.*\})$/m.exec(output)?.[1];
  if (json === undefined) throw new Error(`wrk printed no result: ${output.slice(-400)}`);
  return JSON.parse(json) as WrkSummary;
}

function checkedWrkResult(summary: WrkSummary, bodyBytes: number): LoadResult {
  const { requestCount, receivedBytes } = summary;
  const failureCount = summary.failureCount + summary.statusCount;
  if (failureCount > 0) throw new Error(`${failureCount} failures beside ${requestCount} answers`);
  if (requestCount === 0) throw new Error("no request was answered");
  // wrk counts whole answers only; with their heads they cannot be shorter than their bodies.
  const leastBytes = requestCount * bodyBytes;
  if (receivedBytes < leastBytes) throw new Error(`${receivedBytes} bytes came, fewer than the bodies' ${leastBytes}`);
  return {
    requestCount,
    bodyBytes: leastBytes,
    wallMs: summary.durationUs / 1000,
    p50Ms: summary.p50Us / 1000,
    p99Ms: summary.p99Us / 1000,
  };
}

/** A limit lets one pass now and then. */
const MIN_REFUSED_SHARE = 0.99;

function checkedRefusals({ requestCount, statusCount, failureCount, ...summary }: WrkSummary): LoadResult {
  if (failureCount > 0) throw new Error(`${failureCount} failures beside ${requestCount} answers`);
  if (statusCount < MIN_REFUSED_SHARE * requestCount || requestCount === 0) {
    throw new Error(`of ${requestCount} requests ${statusCount} were refused`);
  }
  return {
    requestCount,
    bodyBytes: summary.receivedBytes,
    wallMs: summary.durationUs / 1000,
    p50Ms: summary.p50Us / 1000,
    p99Ms: summary.p99Us / 1000,
  };
}
