/** A worker process with leased budgets, that does what the test tells it to. */
import { createLeasedBudgets } from "../../src/process/budget-messages.js";
import { type FloodPlan, flood } from "./budgets-flood.js";
import { obey } from "./budgets-program.js";

export type Command =
  | { readonly say: "ping" }
  | { readonly say: "take slot" }
  | { readonly say: "release slot" }
  | ({ readonly say: "flood" } & FloodPlan);

export const RATE = 400;
export const BURST = 200;
export const WORKERS = 3;

function run(): void {
  const budgets = createLeasedBudgets(process, WORKERS);
  const rate = budgets.rate({ key: "route/a/requests", ratePerSecond: RATE, burst: BURST, reserve: 0 });
  const slots = budgets.slots("route/a/connections", 1);
  process.once("disconnect", () => budgets.close());
  obey<Command>((command) => {
    if (command.say === "flood") return flood(rate, command);
    if (command.say === "take slot") return slots.take(performance.now());
    if (command.say === "release slot") slots.release(performance.now());
    return null;
  });
}

if (process.send !== undefined && process.argv[1]?.endsWith("budgets-worker.ts")) run();
