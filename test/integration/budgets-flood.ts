import type { Budget } from "../../src/limits/budget.js";
import type { Passed } from "../unit/limits/windows.js";

/** How much is asked for a millisecond, in each of some spans of time. */
export interface FloodPlan {
  readonly spanMs: number;
  readonly perMs: readonly number[];
}

/** Milliseconds on the clock that all processes of a machine have. */
export function machineMs(): number {
  return Number(process.hrtime.bigint() / 1000n) / 1000;
}

/** Asks a budget for ones by a plan, in real time. @returns what passed when */
export async function flood(budget: Budget, { spanMs, perMs }: FloodPlan): Promise<readonly Passed[]> {
  const passed: Passed[] = [];
  const beganMs = machineMs();
  let askedMs = beganMs;
  return new Promise((resolve) => {
    const timer = setInterval(() => {
      const atMs = machineMs();
      const asked = (perMs[Math.floor((atMs - beganMs) / spanMs)] ?? 0) * Math.ceil(atMs - askedMs);
      askedMs = atMs;
      let count = 0;
      while (count < asked && budget.take(1, performance.now()) === 0) count += 1;
      if (count > 0) passed.push({ atMs, count });
      if (atMs - beganMs < spanMs * perMs.length) return;
      clearInterval(timer);
      resolve(passed);
    }, 1);
  });
}
