import type { ProcessReport } from "./process-report.js";

/** Ended processes that are remembered one by one; those of before are one number. */
const MAX_PROCESSES = 256;

/** CPU time by worker, over all processes that were this worker: who is replaced leaves what it used to the next. */
export class WorkerCpu {
  /** By worker. */
  readonly #ended = new Map<number, number>();
  /** By process id. */
  readonly #processes = new Map<number, { readonly worker: number; readonly seconds: number }>();

  /** Takes what processes say of themselves; one that is left out may come again. */
  see(reports: readonly ProcessReport[]): void {
    for (const { pid, worker, cpuSeconds } of reports) {
      const before = this.#processes.get(pid);
      // Another process that got the same id.
      if (before !== undefined && cpuSeconds < before.seconds) this.#end(pid);
      // Who was heard of last stands last.
      this.#processes.delete(pid);
      this.#processes.set(pid, { worker, seconds: cpuSeconds });
    }
    for (const pid of this.#processes.keys()) {
      if (this.#processes.size <= MAX_PROCESSES) break;
      this.#end(pid);
    }
  }

  /** By worker; never less than before. */
  seconds(): ReadonlyMap<number, number> {
    const sums = new Map(this.#ended);
    for (const { worker, seconds } of this.#processes.values()) sums.set(worker, (sums.get(worker) ?? 0) + seconds);
    return sums;
  }

  #end(pid: number): void {
    const known = this.#processes.get(pid);
    if (known === undefined) return;
    this.#processes.delete(pid);
    this.#ended.set(known.worker, (this.#ended.get(known.worker) ?? 0) + known.seconds);
  }
}
