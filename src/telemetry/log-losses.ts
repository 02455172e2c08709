import { increment } from "./stats-map.js";

/**
 * Why lines of a log are lost, as a closed set of labels: their reader is too slow (`behind`), the disk or what of it may
 * be used is full (`full`), or writing fails otherwise (`failed`).
 */
export const LOSS_CAUSES = ["behind", "full", "failed"] as const;
export type LossCause = (typeof LOSS_CAUSES)[number];

/** Lines of both logs that nobody gets to see. */
export class LogLosses {
  /** By the place of the cause in {@link LOSS_CAUSES}. */
  readonly lines = new Float64Array(LOSS_CAUSES.length);

  count(cause: LossCause, lines: number): void {
    const place = LOSS_CAUSES.indexOf(cause);
    increment(this.lines, place, lines);
  }

  /** Of all causes. */
  get total(): number {
    return this.lines.reduce((sum, lines) => sum + lines, 0);
  }
}

/** Of a file that may not grow any more: the disk, the user's share of it, the size of a file. */
const FULL: Readonly<Record<string, string>> = {
  ENOSPC: "the disk is full",
  EDQUOT: "the user's share of the disk is full",
  EFBIG: "the file is as large as files may be",
};

/** What the error of a write comes to. */
export function lossCauseOf({ code = "" }: NodeJS.ErrnoException): LossCause {
  return code in FULL ? "full" : "failed";
}

/** The same in a few words: `the disk is full (ENOSPC)`. */
export function lossInWords(error: NodeJS.ErrnoException): string {
  const { code = "" } = error;
  return code in FULL ? `${FULL[code]} (${code})` : error.message;
}

/** What an operator does about a log that cannot be written. */
export function nextOfLoss(error: NodeJS.ErrnoException): string {
  if (error.code === "EPIPE")
    return "Nobody reads the log any more: start whoever read it, and ossgate, anew; requests go on meanwhile.";
  return lossCauseOf(error) === "full"
    ? "Make room where the log is, and look at logrotate; requests go on, and lines are written again from then on."
    : "Look at the file system of the log; requests go on, and lines are written again as soon as it takes them.";
}
