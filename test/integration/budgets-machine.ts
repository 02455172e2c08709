/** A process of its own with shared budgets, as on another machine. Its arguments: the server's URL, and how many there are. */
import { setTimeout } from "node:timers/promises";
import { createLocalBudgets } from "../../src/limits/local-budgets.js";
import { createSharedBudgets } from "../../src/limits/shared-budgets.js";
import { type FloodPlan, flood } from "./budgets-flood.js";
import { obey } from "./budgets-program.js";

export type Command = { readonly of: "all" | "client" } & FloodPlan;

export const RATE = 400;
export const BURST = 200;
/** All that the machines flood is of this client. */
export const CLIENT = "2001:db8::1";

async function run(url: string, machines: number): Promise<void> {
  const budgets = createSharedBudgets({
    url: new URL(url),
    password: null,
    prefix: "ossgate-test",
    slots: createLocalBudgets(),
    onState() {},
  });
  while (budgets.sharers < machines) await setTimeout(10);
  const all = budgets.rate({ key: "route/a/requests", ratePerSecond: RATE, burst: BURST, reserve: 0 });
  const rateOf = budgets.ratePerClient({ key: "route/a/client/requests", ratePerSecond: 50, burst: 25, reserve: 0 });
  process.once("disconnect", () => budgets.close());
  obey<Command>((command) => flood(command.of === "all" ? all : rateOf(CLIENT), command));
}

const [, program, url, machines] = process.argv;
if (process.send !== undefined && program?.endsWith("budgets-machine.ts")) void run(url ?? "", Number(machines));
