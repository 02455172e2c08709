import { write, writeSync } from "node:fs";
import { type LossCause, lossCauseOf, lossInWords, nextOfLoss } from "./log-losses.js";
import { endsMidLine, type LogTarget, openLogTarget, type StandardFd } from "./log-target.js";

export interface LogSinkOptions {
  /** The configuration's key, for errors: `log.access.output`. */
  readonly key: string;
  /** What `journald` means for this log. */
  readonly standardFd: StandardFd;
  /** When the reader is this far behind, lines are dropped: nothing waits for a log. */
  readonly maxBehindBytes: number;
  /** Told at once of lines that were lost: nobody read them in time, or they could not be written. */
  onLost(lines: number, cause: LossCause): void;
  /** Told when writing begins to fail; at most once in {@link SAY_EVERY_MS}. */
  onFailing(failure: { readonly output: string; readonly cause: string; readonly next: string }): void;
  /** Told when writing works again, how many were lost meanwhile; at most once in {@link SAY_EVERY_MS}. */
  onRecovered(lines: number): void;
  /** Told in a sentence when a file could not be opened again; the old one is written to. */
  onTrouble(sentence: string): void;
}

/** A change of where a log goes; one of the two is to be called. */
export interface PreparedChange {
  commit(): void;
  abort(): void;
}

/** A pipe or socket that is full is tried again after so long. */
const FULL_RETRY_MS = 10;
const CLOSE_LIMIT_MS = 2_000;
const SAY_EVERY_MS = 10_000;
/** A piece of a line that nothing follows is ended after so long, lest another process writes on in it. */
const MEND_AFTER_MS = 1_000;
const NEWLINE = 0x0a;

/**
 * Writes whole lines, one write at a time, in their order. Several processes may write to the same target: each write holds
 * whole lines and is short enough not to be mixed with others. (sonic-boom, pino's own, breaks lines there, and holds what
 * cannot be written until its memory is full.)
 */
export class LogSink {
  readonly #options: LogSinkOptions;
  #target: LogTarget;
  /** Earlier targets, to be closed after the lines that are still meant for them. */
  #retired: LogTarget[] = [];
  /** Each with where it is to go: what was written before a change goes to the old target. */
  #queue: { readonly lines: Buffer; readonly target: LogTarget }[] = [];
  #queuedBytes = 0;
  /** What is being written. */
  #current: Buffer | null = null;
  #currentTarget: LogTarget;
  #retry: NodeJS.Timeout | null = null;
  /** The target ends in a piece of a line that could not be written whole. */
  #isMidLine = false;
  /** The last write failed. */
  #isFailing = false;
  #mend: NodeJS.Timeout | null = null;
  #lost = 0;
  #saidAtMs = Number.NEGATIVE_INFINITY;
  #saidFailingAtMs = Number.NEGATIVE_INFINITY;
  #onIdle: (() => void)[] = [];

  constructor(target: LogTarget, options: LogSinkOptions) {
    this.#target = target;
    this.#currentTarget = target;
    this.#options = options;
    open.add(this);
  }

  get target(): LogTarget {
    return this.#target;
  }

  /** @param lines whole lines; not to be changed afterwards */
  write(lines: Buffer): void {
    if (this.#queuedBytes + lines.length > this.#options.maxBehindBytes) {
      this.#lose(lines, "behind");
      return;
    }
    this.#queue.push({ lines, target: this.#target });
    this.#queuedBytes += lines.length;
    this.#pump();
  }

  /** Opens the file again, under whose name a new one may be; says so when it cannot. */
  reopen(): void {
    const { output, isFile } = this.#target;
    if (!isFile) return;
    try {
      this.#swap(openLogTarget(this.#options.key, output, this.#options.standardFd));
    } catch (error) {
      this.#options.onTrouble((error as Error).message);
    }
  }

  /** @throws Error one sentence when the file cannot be had; nothing changes before the commit */
  prepare(output: string): PreparedChange {
    if (output === this.#target.output) return { commit: () => {}, abort: () => {} };
    const next = openLogTarget(this.#options.key, output, this.#options.standardFd);
    return { commit: () => this.#swap(next), abort: () => next.close() };
  }

  /** Resolves when everything is written, or after two seconds: a reader that hangs must not stop the end. */
  async close(): Promise<void> {
    if (this.#current !== null) {
      let limit: NodeJS.Timeout | undefined;
      await new Promise<void>((resolve) => {
        this.#onIdle.push(resolve);
        limit = setTimeout(resolve, CLOSE_LIMIT_MS);
      });
      clearTimeout(limit);
    }
    if (!open.delete(this)) return;
    if (this.#retry !== null) clearTimeout(this.#retry);
    if (this.#mend !== null) clearTimeout(this.#mend);
    // The descriptor must outlive a write that the system has in hand.
    if (this.#current !== null && this.#retry === null) return;
    for (const target of [...this.#retired, this.#target]) target.close();
  }

  /** How many lines were lost of which nothing was said yet; they are said then. */
  takeLost(): number {
    const lines = this.#lost;
    this.#lost = 0;
    return lines;
  }

  /** Before a sudden end: what the target takes at once. */
  flushNow(): void {
    try {
      if (this.#retry !== null) writeSync(this.#currentTarget.fd, this.#current as Buffer);
      for (const { lines, target } of this.#queue) writeSync(target.fd, lines);
    } catch {
      // The program ends; there is nobody to tell.
    }
  }

  #pump(): void {
    if (this.#current !== null) return;
    const next = this.#take();
    if (next !== null) this.#begin(next);
    else for (const resolve of this.#onIdle.splice(0)) resolve();
  }

  #begin(data: Buffer): void {
    this.#current = data;
    write(this.#currentTarget.fd, data, 0, data.length, null, (error, written) =>
      this.#onWritten(data, error, written),
    );
  }

  /** As many of the waiting lines as one write may hold. */
  #take(): Buffer | null {
    const target = this.#queue[0]?.target;
    if (target === undefined) return null;
    if (target !== this.#currentTarget) this.#isMidLine = false;
    // On a full disk another process may have left a piece of a line there.
    if (this.#isFailing) this.#isMidLine = endsMidLine(target) ?? this.#isMidLine;
    this.#currentTarget = target;
    let count = 0;
    let bytes = this.#isMidLine ? 1 : 0;
    for (const next of this.#queue) {
      if (next.target !== target || (count > 0 && bytes + next.lines.length > target.maxWriteBytes)) break;
      bytes += next.lines.length;
      count += 1;
    }
    const taken = this.#queue.splice(0, count).map(({ lines }) => lines);
    for (const { length } of taken) this.#queuedBytes -= length;
    if (this.#isMidLine) taken.unshift(Buffer.of(NEWLINE));
    return taken.length === 1 ? (taken[0] as Buffer) : Buffer.concat(taken, bytes);
  }

  #onWritten(data: Buffer, error: NodeJS.ErrnoException | null, written: number): void {
    if (error?.code === "EAGAIN") {
      if (this.#retired.includes(this.#currentTarget)) this.#leaveBehind();
      this.#retry = setTimeout(() => {
        this.#retry = null;
        this.#begin(data);
      }, FULL_RETRY_MS).unref();
      return;
    }
    if (error !== null) {
      this.#lose(data, lossCauseOf(error));
      this.#onFailed(error);
    } else if (written < data.length) {
      this.#isMidLine = data[written - 1] !== NEWLINE;
      this.#begin(data.subarray(written));
      return;
    } else {
      this.#isMidLine = false;
      this.#isFailing = false;
      this.#sayLost();
    }
    this.#current = null;
    if (this.#retired.length > 0) this.#closeRetired();
    this.#pump();
  }

  #lose(data: Buffer, cause: LossCause): void {
    // No line is empty: a newline at the beginning ends the piece of a line that was there.
    const lines = countLines(data) - (data[0] === NEWLINE ? 1 : 0);
    if (lines === 0) return;
    this.#lost += lines;
    this.#options.onLost(lines, cause);
  }

  #onFailed(error: NodeJS.ErrnoException): void {
    const nowMs = performance.now();
    if (!this.#isFailing && nowMs - this.#saidFailingAtMs >= SAY_EVERY_MS) {
      this.#saidFailingAtMs = nowMs;
      const { output } = this.#currentTarget;
      this.#options.onFailing({ output, cause: lossInWords(error), next: nextOfLoss(error) });
    }
    this.#isFailing = true;
    if (!this.#isMidLine || this.#mend !== null) return;
    this.#mend = setTimeout(() => {
      this.#mend = null;
      this.#endPiece();
    }, MEND_AFTER_MS).unref();
  }

  #endPiece(): void {
    if (this.#current !== null || this.#queue.length > 0 || !this.#isMidLine) return;
    this.#isMidLine = endsMidLine(this.#currentTarget) ?? true;
    if (this.#isMidLine) this.#begin(Buffer.of(NEWLINE));
  }

  #sayLost(): void {
    if (this.#lost === 0) return;
    const nowMs = performance.now();
    if (nowMs - this.#saidAtMs < SAY_EVERY_MS) return;
    this.#saidAtMs = nowMs;
    this.#options.onRecovered(this.takeLost());
  }

  #swap(next: LogTarget): void {
    this.#retired.push(this.#target);
    this.#target = next;
    if (this.#retry !== null) this.#leaveBehind();
    else this.#closeRetired();
  }

  /** The old target is a pipe or socket that nobody reads; behind it nothing else would ever be written. */
  #leaveBehind(): void {
    const target = this.#target;
    this.#currentTarget = target;
    this.#queue = this.#queue.map(({ lines }) => ({ lines, target }));
    this.#closeRetired();
  }

  #closeRetired(): void {
    const [closable, used] = [[] as LogTarget[], [] as LogTarget[]];
    for (const target of this.#retired) (this.#isUsed(target) ? used : closable).push(target);
    this.#retired = used;
    for (const target of closable) target.close();
  }

  #isUsed(target: LogTarget): boolean {
    return (
      (this.#current !== null && this.#currentTarget === target) || this.#queue.some((item) => item.target === target)
    );
  }
}

/** Sinks that a sudden end must flush. */
const open = new Set<LogSink>();

process.on("exit", () => {
  for (const sink of open) sink.flushNow();
});

function countLines(data: Buffer): number {
  let lines = 0;
  for (let at = data.indexOf(NEWLINE); at !== -1; at = data.indexOf(NEWLINE, at + 1)) lines += 1;
  return lines;
}
