/** Steps that must not run at once: each begins when the one before has ended, however that ended. */
export class OneByOne {
  #last: Promise<unknown> = Promise.resolve();

  run<T>(step: () => Promise<T>): Promise<T> {
    const done = this.#last.then(step);
    this.#last = done.catch(() => {});
    return done;
  }

  /** Resolves when what was asked for until now has ended; never rejects. */
  get idle(): Promise<unknown> {
    return this.#last;
  }

  /**
   * A step that may be asked for often.
   * @returns runs it; who asks again before it has begun gets the same, for it has read nothing yet
   */
  merged<T>(step: () => Promise<T>): () => Promise<T> {
    let next: Promise<T> | null = null;
    return () => {
      next ??= this.run(() => {
        next = null;
        return step();
      });
      return next;
    };
  }
}
