/** Does something at most so often: at the end of the turn in which it is asked for, or as soon after as it may. */
export class Paced {
  readonly #everyMs: number;
  readonly #run: () => void;
  #lastMs = Number.NEGATIVE_INFINITY;
  #next: NodeJS.Timeout | null = null;

  constructor(everyMs: number, run: () => void) {
    this.#everyMs = everyMs;
    this.#run = run;
  }

  ask(): void {
    if (this.#next !== null) return;
    const waitMs = Math.max(0, this.#lastMs + this.#everyMs - performance.now());
    this.#next = setTimeout(() => this.now(), waitMs).unref();
  }

  /** At once; what was asked for is done by it. */
  now(): void {
    this.stop();
    this.#lastMs = performance.now();
    this.#run();
  }

  stop(): void {
    if (this.#next !== null) clearTimeout(this.#next);
    this.#next = null;
  }
}
