import type { AccessEntry } from "./access-entry.js";
import { combinedLine } from "./access-log-combined.js";
import type { Logger } from "./log.js";
import { LogSink, type PreparedChange } from "./log-sink.js";
import { descriptorTarget, type LogTarget, openLogTarget } from "./log-target.js";
import type { Stats } from "./stats.js";

export type { AccessEntry } from "./access-entry.js";
export { createMask, type Mask, maskTarget, unmasked } from "./mask.js";

export interface AccessLog {
  write(entry: AccessEntry): void;
  /** Writes what is buffered; resolves when it is out, or cannot be. */
  close(): Promise<void>;
}

export interface AccessLogSettings {
  readonly format: "json" | "combined" | "off";
  /** `stdout`, `journald` (standard output with priorities) or the absolute path of a file. */
  readonly output: string;
}

/** An access log that can be changed while it is written. */
export interface OpenAccessLog extends AccessLog {
  /** Opens a file again: logrotate has given its name to a new one. */
  reopen(): void;
  /** @throws Error one sentence when the file cannot be had; nothing changes before the commit */
  prepare(settings: AccessLogSettings): PreparedChange;
}

export interface AccessLogOptions {
  /** `stdout` when it is left out. */
  readonly output?: string;
  /** Instead of `output`: a descriptor that is open. */
  readonly fd?: number;
  /** Where it is said that lines were lost. */
  readonly log?: Logger;
}

const CANNOT_WRITE = "the access log cannot be written, and its lines are lost";

/** Lines are gathered for so long, unless there are enough for one write before. */
const FLUSH_MS = 200;
/** When the reader is this far behind, lines are dropped and counted; requests never wait for a log. */
const MAX_BEHIND_BYTES = 8 * 1024 * 1024;
/** Where nothing is written, nothing has to be opened. */
const NOWHERE = "/dev/null";
/** sd-daemon(3): SD_INFO. */
const INFO_PREFIX = "<6>";

/**
 * An access log of lines, or of nothing for `off`.
 * @throws Error one sentence when the file cannot be had
 */
export function createAccessLog(
  format: AccessLogSettings["format"],
  stats: Pick<Stats, "logLosses">,
  { output = "stdout", fd, log }: AccessLogOptions = {},
): OpenAccessLog {
  const opened = format === "off" ? NOWHERE : output;
  const target = fd === undefined ? openLogTarget("log.access.output", opened, 1) : descriptorTarget(output, fd);
  return new BatchedAccessLog(format, target, stats, log);
}

class BatchedAccessLog implements OpenAccessLog {
  readonly #sink: LogSink;
  readonly #timer: NodeJS.Timeout;
  readonly #log: Logger | undefined;
  #format: AccessLogSettings["format"];
  #batch = "";

  constructor(
    format: AccessLogSettings["format"],
    target: LogTarget,
    stats: Pick<Stats, "logLosses">,
    log: Logger | undefined,
  ) {
    this.#format = format;
    this.#log = log;
    this.#sink = new LogSink(target, {
      key: "log.access.output",
      standardFd: 1,
      maxBehindBytes: MAX_BEHIND_BYTES,
      onLost: (lines, cause) => stats.logLosses.count(cause, lines),
      onFailing: (failure) => log?.error(failure, CANNOT_WRITE),
      onRecovered: (lines) => this.#sayLost(lines),
      onTrouble: (cause) => log?.error({ cause }, "the access log goes on in the old file"),
    });
    this.#timer = setInterval(() => this.#flush(), FLUSH_MS).unref();
  }

  write(entry: AccessEntry): void {
    if (this.#format === "off") return;
    const { maxWriteBytes } = this.#sink.target;
    const line = this.#line(entry, Date.now(), maxWriteBytes);
    if (this.#batch.length + line.length > maxWriteBytes) this.#flush();
    this.#batch += line;
  }

  reopen(): void {
    this.#flush();
    this.#sink.reopen();
  }

  prepare({ format, output }: AccessLogSettings): PreparedChange {
    const change = this.#sink.prepare(format === "off" ? NOWHERE : output);
    const commit = (): void => {
      this.#flush();
      change.commit();
      this.#format = format;
    };
    return { commit, abort: change.abort };
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.#flush();
    await this.#sink.close();
    this.#sayLost(this.#sink.takeLost());
  }

  #sayLost(lines: number): void {
    if (lines === 0) return;
    this.#log?.warn({ lines, output: this.#sink.target.output }, "lines of the access log were lost");
  }

  #line(entry: AccessEntry, nowMs: number, maxBytes: number): string {
    const prefix = this.#sink.target.hasPriorities ? INFO_PREFIX : "";
    const render = this.#format === "combined" ? combinedLine : accessLine;
    const line = prefix + render(entry, nowMs);
    if (line.length <= maxBytes) return line;
    return (
      CUTS.map((cut) => prefix + render(shorten(entry, cut), nowMs)).find(({ length }) => length <= maxBytes) ?? line
    );
  }

  #flush(): void {
    if (this.#batch === "") return;
    // Lines are ASCII, so each character is a byte; to find that out for UTF-8 cost more than to write them.
    const lines = Buffer.from(this.#batch, "latin1");
    this.#batch = "";
    this.#sink.write(lines);
  }
}

/** What clients' texts are cut down to where a line has to fit in one write of a pipe; a character may take six bytes. */
const CUTS: readonly number[] = [1_024, 512, 128, 64];

function shorten(entry: AccessEntry, maxChars: number): AccessEntry {
  const short: Record<string, unknown> = { ...entry };
  for (const [name, value] of Object.entries(short)) {
    if (typeof value === "string" && value.length > maxChars) short[name] = `${value.slice(0, maxChars)}...`;
  }
  return short as unknown as AccessEntry;
}

/**
 * An entry as one JSON line. Written out field by field: pino's general way took 13 to 24 us of a request's 70 to 80.
 * @param nowMs Unix milliseconds
 */
export function accessLine(entry: AccessEntry, nowMs: number): string {
  let line = `{"log":"access","time":"${isoTime(nowMs)}","requestId":"${entry.requestId}","client":${quote(entry.client)},"host":${quote(entry.host)},"method":${quote(entry.method)},"target":${quote(entry.target)},"protocol":"${entry.protocol}"`;
  if (entry.requestLine !== undefined) line += `,"requestLine":${quote(entry.requestLine)}`;
  if (entry.remoteUser !== undefined) line += `,"remoteUser":${quote(entry.remoteUser)}`;
  if (entry.clientSubject !== undefined) line += `,"clientSubject":${quote(entry.clientSubject)}`;
  if (entry.referer !== undefined) line += `,"referer":${quote(entry.referer)}`;
  if (entry.userAgent !== undefined) line += `,"userAgent":${quote(entry.userAgent)}`;
  line += `,"route":${quote(entry.route)}`;
  if (entry.bucket !== undefined) line += `,"bucket":${quote(entry.bucket)}`;
  line += `,"status":${entry.status},"signature":"${entry.signature}","receivedBytes":${entry.receivedBytes},"sentBytes":${entry.sentBytes},"durationMs":${entry.durationMs}`;
  if (entry.upstreamMs !== undefined) line += `,"upstreamMs":${entry.upstreamMs}`;
  if (entry.upstream !== undefined) line += `,"upstream":"${entry.upstream}"`;
  if (entry.attempts !== undefined) line += `,"attempts":${entry.attempts}`;
  if (entry.ossRequestId !== undefined) line += `,"ossRequestId":${quote(entry.ossRequestId)}`;
  if (entry.ossEc !== undefined) line += `,"ossEc":${quote(entry.ossEc)}`;
  if (entry.error !== undefined) line += `,"error":"${entry.error}","detail":${quote(entry.detail ?? "")}`;
  else if (entry.detail !== undefined) line += `,"detail":${quote(entry.detail)}`;
  if (entry.reported !== undefined) line += `,"reported":"${entry.reported}"`;
  return `${line}}\n`;
}

const NEEDS_ESCAPE = /[^\x20\x21\x23-\x5b\x5d-\x7e]/;

/** A JSON string in ASCII alone. */
function quote(text: string): string {
  if (!NEEDS_ESCAPE.test(text)) return `"${text}"`;
  return JSON.stringify(text).replace(/[^\x20-\x7e]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

let cachedSecond = -1;
let cachedPrefix = "";

/** ISO 8601 in UTC with milliseconds; the part down to the second is made once a second. */
function isoTime(nowMs: number): string {
  const second = Math.trunc(nowMs / 1_000);
  if (second !== cachedSecond) {
    cachedSecond = second;
    cachedPrefix = new Date(second * 1_000).toISOString().slice(0, -4);
  }
  return `${cachedPrefix}${String(nowMs % 1_000).padStart(3, "0")}Z`;
}
