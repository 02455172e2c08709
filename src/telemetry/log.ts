import { destination, type Logger, pino } from "pino";

export type { Logger } from "pino";

export type LogLevel = "debug" | "info" | "warn" | "error" | "silent";

/** When the reader of standard error is this far behind, lines are dropped: a log must not stop the gateway. */
const MAX_BEHIND_BYTES = 1024 * 1024;

/**
 * The gateway's own log: JSON lines on standard error, so that standard output is the access log alone.
 * @param onDropped told of each line that is thrown away
 */
export function createLog(level: LogLevel, onDropped: () => void = () => {}): Logger {
  const sink = destination({ fd: 2, sync: false, minLength: 0, maxLength: MAX_BEHIND_BYTES });
  sink.on("drop", onDropped);
  sink.on("error", () => {});
  return pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, sink);
}
