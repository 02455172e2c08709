/** Counts the requests that are served with one configuration, so that what it holds can be ended behind the last. */
export class Usage {
  #running = 0;
  #onIdle: (() => void) | null = null;

  get running(): number {
    return this.#running;
  }

  enter(): void {
    this.#running += 1;
  }

  leave(): void {
    this.#running -= 1;
    if (this.#running === 0 && this.#onIdle !== null) this.#onIdle();
  }

  /** Calls back once, as soon as nothing runs; to be called when nothing new begins any more. */
  whenIdle(onIdle: () => void): void {
    if (this.#running === 0) {
      onIdle();
      return;
    }
    this.#onIdle = () => {
      this.#onIdle = null;
      onIdle();
    };
  }
}
