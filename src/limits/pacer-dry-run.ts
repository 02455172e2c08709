import type { Budget } from "./budget.js";
import type { Flow, FlowOptions } from "./pacer-flow.js";

/** Where flows are opened: a lane, or what only watches. */
export interface Pace {
  open(options: FlowOptions): Flow;
}

export interface DryRunOptions {
  /** What really holds flows back; `null`: nothing does. */
  readonly pace: Pace | null;
  /** The budgets that only watch, by the flow's group. */
  readonly budgetsOf: (group: string) => readonly Budget[];
  nowMs(): number;
  /** Told once of each flow that would have been held back. */
  onOver(): void;
}

/** Lets bytes pass that budgets do not have, and tells. What is over is not owed: nothing slows down who owes. */
export class DryRunPace implements Pace {
  readonly #options: DryRunOptions;

  constructor(options: DryRunOptions) {
    this.#options = options;
  }

  open(options: FlowOptions): Flow {
    const { pace, budgetsOf, nowMs, onOver } = this.#options;
    const budgets = budgetsOf(options.group);
    let isOver = false;
    const watch = (byteCount: number): void => {
      for (const budget of budgets) {
        if (budget.takeUpTo(byteCount, nowMs()) === byteCount || isOver) continue;
        isOver = true;
        onOver();
      }
    };
    const flow = pace?.open({
      group: options.group,
      onGrant(byteCount) {
        watch(byteCount);
        options.onGrant(byteCount);
      },
    });
    return {
      ask(byteCount, leftBytes) {
        const grantedBytes = flow === undefined ? byteCount : flow.ask(byteCount, leftBytes);
        if (grantedBytes > 0) watch(grantedBytes);
        return grantedBytes;
      },
      charge(byteCount) {
        watch(byteCount);
        flow?.charge(byteCount);
      },
      close: (unusedBytes) => flow?.close(unusedBytes),
    };
  }
}
