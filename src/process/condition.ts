/** Waits for what others change, without looking again and again. */
export class Condition {
  readonly #looks = new Set<() => void>();

  /** To be called whenever what somebody waits for may hold. */
  changed(): void {
    for (const look of [...this.#looks]) look();
  }

  /** Resolves when it holds, which may be now. */
  until(holds: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const look = () => {
        if (!holds()) return;
        this.#looks.delete(look);
        resolve();
      };
      this.#looks.add(look);
      look();
    });
  }
}
