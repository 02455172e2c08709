import { type FSWatcher, watch } from "node:fs";
import { dirname } from "node:path";
import type { Clock } from "./clock.js";
import { fileVersion } from "./small-file.js";

/** Notices what the kernel does not tell: another file system mounted over the directory, a link elsewhere in the path. */
const POLL_MS = 15_000;
/** One look at the file for a burst of events. */
const SETTLE_MS = 50;

export interface FileWatchOptions {
  readonly path: string;
  readonly clock: Clock;
  /** The version that was read last; empty for none. */
  readonly readVersion: () => string;
  readonly onChange: () => void;
}

/**
 * Tells when another version of a file is there than the one that was read. Watches the directory, since a file is changed
 * by renaming another over it, or (Kubernetes) by swapping a link beside it. Keeps no process alive.
 */
export class FileWatch {
  readonly #options: FileWatchOptions;
  #watcher: FSWatcher | null = null;
  #pollTimer: unknown;
  #settleTimer: unknown = null;
  #isClosed = false;

  constructor(options: FileWatchOptions) {
    this.#options = options;
    this.#watchAnew();
  }

  close(): void {
    this.#isClosed = true;
    this.#watcher?.close();
    this.#options.clock.clearTimer(this.#pollTimer);
    this.#options.clock.clearTimer(this.#settleTimer);
  }

  /** A directory that was taken away and made again has to be watched again: its old watch is dead and does not say so. */
  #watchAnew(): void {
    this.#watcher?.close();
    this.#watcher = this.#watchDirectory();
    this.#pollTimer = this.#options.clock.setTimer(() => {
      this.#watchAnew();
      void this.#look();
    }, POLL_MS);
  }

  #watchDirectory(): FSWatcher | null {
    try {
      const watcher = watch(dirname(this.#options.path), { persistent: false }, () => this.#lookSoon());
      return watcher.on("error", () => watcher.close());
    } catch {
      // No such directory yet, or no watches left: the poll finds the file and says so when it can be watched again.
      return null;
    }
  }

  #lookSoon(): void {
    this.#settleTimer ??= this.#options.clock.setTimer(() => {
      this.#settleTimer = null;
      void this.#look();
    }, SETTLE_MS);
  }

  async #look(): Promise<void> {
    const version = await fileVersion(this.#options.path);
    if (!this.#isClosed && version !== this.#options.readVersion()) this.#options.onChange();
  }
}
