/** A worker process with leased budgets, that does what the test tells it to. */
import type { Budgets } from "../../src/limits/budget.js";
import { createLeasedBudgets } from "../../src/process/budget-messages.js";
import type { Passed } from "../unit/limits/windows.js";

export type Command =
  | { readonly say: "ping" }
  | { readonly say: "take slot" }
  | { readonly say: "release slot" }
  /** Asks for `perMs` a millisecond, each of the weights' spans in turn. */
  | { readonly say: "flood"; readonly spanMs: number; readonly perMs: readonly number[] };

export const RATE = 400;
export const BURST = 200;
export const WORKERS = 3;

const SPEC = { key: "route/a/requests", ratePerSecond: RATE, burst: BURST, reserve: 0 };

function run(budgets: Budgets): void {
  const slots = budgets.slots("route/a/connections", 1);
  process.on("message", (message: { readonly command?: Command }) => {
    const { command } = message;
    if (command === undefined) return;
    if (command.say === "flood") flood(budgets, command);
    else if (command.say === "take slot") process.send?.({ result: slots.take(performance.now()) });
    else {
      if (command.say === "release slot") slots.release(performance.now());
      process.send?.({ result: null });
    }
  });
  process.once("disconnect", () => budgets.close());
  process.send?.({ result: "ready" });
}

/** On the clock that all processes of the machine have. */
function machineMs(): number {
  return Number(process.hrtime.bigint() / 1000n) / 1000;
}

function flood(budgets: Budgets, { spanMs, perMs }: Command & { readonly say: "flood" }): void {
  const budget = budgets.rate(SPEC);
  const passed: Passed[] = [];
  const beganMs = machineMs();
  let askedMs = beganMs;
  const timer = setInterval(() => {
    const atMs = machineMs();
    const asked = (perMs[Math.floor((atMs - beganMs) / spanMs)] ?? 0) * Math.ceil(atMs - askedMs);
    askedMs = atMs;
    let count = 0;
    while (count < asked && budget.take(1, performance.now()) === 0) count += 1;
    if (count > 0) passed.push({ atMs, count });
    if (atMs - beganMs < spanMs * perMs.length) return;
    clearInterval(timer);
    process.send?.({ result: passed });
  }, 1);
}

if (process.send !== undefined) run(createLeasedBudgets(process, WORKERS));
