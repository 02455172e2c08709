/** The two kinds of load: many small requests by wrk, a few large bodies by the client beside this file. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { nodeArgs } from "./origin.js";
import { findProgram, runProgram } from "./processes.js";
import { percentile } from "./statistics.js";
import type { TransferOrder, TransferReport } from "./transfer-client.js";

export interface LoadResult {
  readonly requestCount: number;
  readonly bodyBytes: number;
  readonly wallMs: number;
  /** Of one request, or of one whole transfer. */
  readonly p50Ms: number;
  readonly p99Ms: number;
}

export interface LoadTarget {
  readonly port: number;
  readonly path: string;
  readonly bodyBytes: number;
  /** For scripts that a load tool has to read from a file. */
  readonly directory: string;
}

interface WrkSummary {
  readonly durationUs: number;
  readonly requestCount: number;
  readonly receivedBytes: number;
  readonly p50Us: number;
  readonly p99Us: number;
  readonly failureCount: number;
}

const CONNECTION_COUNT = 32;
const PARALLEL_TRANSFER_COUNT = 4;
const SLACK_MS = 15_000;
const TRANSFER_LIMIT_MS = 60_000;
const TRANSFER_CLIENT_FILE = fileURLToPath(new URL("transfer-client.ts", import.meta.url));

/** Only `done`: a script with `request` or `response` would make wrk itself slow. */
const WRK_SCRIPT = `done = function(summary, latency)
  local e = summary.errors
  io.write(string.format(
    '\\nRESULT {"durationUs":%d,"requestCount":%d,"receivedBytes":%.0f,"p50Us":%.0f,"p99Us":%.0f,"failureCount":%d}\\n',
    summary.duration, summary.requests, summary.bytes, latency:percentile(50), latency:percentile(99),
    e.connect + e.read + e.write + e.status + e.timeout))
end
`;

/** Repeats a GET on kept-alive connections for a number of whole seconds. */
export async function requestMany(target: LoadTarget, durationS: number): Promise<LoadResult> {
  const wrk = findProgram("wrk");
  if (wrk === null) throw new Error("wrk is not installed");
  const scriptFile = join(target.directory, "wrk.lua");
  writeFileSync(scriptFile, WRK_SCRIPT);
  const url = `http://127.0.0.1:${target.port}${target.path}`;
  const args = ["-t1", `-c${CONNECTION_COUNT}`, `-d${durationS}s`, "--latency", "-s", scriptFile, url];
  const output = await runProgram({ command: wrk, args }, durationS * 1000 + SLACK_MS);
  return checkedWrkResult(readWrkSummary(output), target.bodyBytes);
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
  const { requestCount, failureCount, receivedBytes } = summary;
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
