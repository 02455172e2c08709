import { type Logger, pino, symbols } from "pino";
import type { LossCause } from "./log-losses.js";
import { LogSink, type PreparedChange } from "./log-sink.js";
import { descriptorTarget, openLogTarget } from "./log-target.js";
import { shortenJson } from "./shorten-json.js";

export type { Logger } from "pino";

export type LogLevel = "debug" | "info" | "warn" | "error" | "silent";

export interface LogSettings {
  readonly level: LogLevel;
  /** `stderr`, `journald` (standard error with priorities) or the absolute path of a file. */
  readonly output: string;
}

/** The gateway's own log, and what becomes of it while the program runs. */
export interface ProgramLog {
  readonly logger: Logger;
  /** Opens a file again: logrotate has given its name to a new one. */
  reopen(): void;
  /** @throws Error one sentence when the file cannot be had; nothing changes before the commit */
  prepare(settings: LogSettings): PreparedChange;
  /** Resolves when everything is written, or cannot be. */
  close(): Promise<void>;
}

/** When the reader is this far behind, lines are dropped: a log must not stop the gateway. */
const MAX_BEHIND_BYTES = 1024 * 1024;

/** sd-daemon(3), by pino's levels; from 60 on: critical. */
const PRIORITIES: readonly (readonly [level: number, prefix: string])[] = [
  [20, "<7>"],
  [30, "<6>"],
  [40, "<4>"],
  [50, "<3>"],
];

/** Told of lines that nobody gets to see. */
export type OnLost = (lines: number, cause: LossCause) => void;

/**
 * Opens the gateway's own log: JSON lines.
 * @throws Error one sentence when the file cannot be had
 */
export function openLog({ level, output }: LogSettings, onLost: OnLost = () => {}): ProgramLog {
  return programLog(level, openLogTarget("log.output", output, 2), onLost);
}

/** The same on standard error, so that standard output is the access log alone. */
export function createLog(level: LogLevel, onLost: OnLost = () => {}): Logger {
  return programLog(level, descriptorTarget("stderr", 2), onLost).logger;
}

function programLog(level: LogLevel, target: ReturnType<typeof openLogTarget>, onLost: OnLost): ProgramLog {
  const sink: LogSink = new LogSink(target, {
    key: "log.output",
    standardFd: 2,
    maxBehindBytes: MAX_BEHIND_BYTES,
    onLost,
    // There is nowhere else to say it, and the counters do.
    onFailing: () => {},
    onRecovered: (lines) => logger.warn({ lines, output: sink.target.output }, "lines of this log were lost"),
    onTrouble: (cause) => logger.error({ cause }, "the log goes on in the old file"),
  });
  const stream = {
    // Asks pino to leave the level of each line here.
    [symbols.needsMetadataGsym]: true,
    lastLevel: 30,
    write(line: string): void {
      const { maxWriteBytes, hasPriorities } = sink.target;
      const prefix = hasPriorities ? priorityOf(stream.lastLevel) : "";
      sink.write(Buffer.from(prefix + shortenJson(line, maxWriteBytes - prefix.length)));
    },
  };
  const logger = pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, stream);
  return {
    logger,
    reopen: () => sink.reopen(),
    prepare(settings) {
      const change = sink.prepare(settings.output);
      const commit = (): void => {
        change.commit();
        logger.level = settings.level;
      };
      return { commit, abort: change.abort };
    },
    close: () => sink.close(),
  };
}

function priorityOf(level: number): string {
  return PRIORITIES.find(([highest]) => level <= highest)?.[1] ?? "<2>";
}
