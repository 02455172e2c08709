import type { Group } from "./pacer-group.js";

/** Who is forgotten begins anew, at the end of the round. */
const MAX_LEFT = 1024;

/**
 * What groups had left of their turns when the last of their flows ended: the next request of a client is another flow,
 * and mostly comes at once. Bounded: who left first is forgotten.
 */
export class LeftGroups {
  readonly #left = new Map<string, Pick<Group, "turnRound" | "rightBytes">>();

  leave({ name, turnRound, rightBytes }: Group): void {
    if (turnRound < 0) return;
    this.#left.set(name, { turnRound, rightBytes });
    if (this.#left.size <= MAX_LEFT) return;
    const [first] = this.#left.keys();
    this.#left.delete(first as string);
  }

  comeBack(group: Group): void {
    const left = this.#left.get(group.name);
    if (left === undefined) return;
    this.#left.delete(group.name);
    group.turnRound = left.turnRound;
    group.rightBytes = left.rightBytes;
  }

  clear(): void {
    if (this.#left.size > 0) this.#left.clear();
  }
}
