import t from "tap";
import { CreditShare } from "../../src/limits/credit-share.js";
import { excess, type Passed, passedBetween } from "../unit/limits/windows.js";
import { startProcess } from "./budgets-program.js";
import { NEEDS_REDIS, startRedis } from "./budgets-redis.js";
import { type Command, SPEC } from "./budgets-transfers.js";

const PROCESSES = 3;
const SPAN_MS = 2_500;
/** Until what was there at the start is spent. */
const SETTLED_MS = 500;

t.test(
  "three processes share bandwidth through a real Redis: it is used, and no more, by one or by all",
  NEEDS_REDIS,
  async (t) => {
    const redis = await startRedis(t);
    const args = [redis.url.href, String(PROCESSES)];
    const start = () => startProcess<Command>(t, "./budgets-transfers.ts", { args });
    const machines = await Promise.all(Array.from({ length: PROCESSES }, start));
    const { credit, pot } = new CreditShare(SPEC, PROCESSES);
    for (const loaded of [1, PROCESSES]) {
      const plans = machines.slice(0, loaded).map((machine) => machine.tell({ spanMs: SPAN_MS, transfers: 2 }));
      const passed = ((await Promise.all(plans)) as Passed[][]).flat().sort((a, b) => a.atMs - b.atMs);
      const firstMs = passed[0]?.atMs ?? 0;
      const over = excess(passed, SPEC.ratePerSecond, PROCESSES * credit + pot);
      t.ok(over <= 1e-3, `${loaded} loaded: ${over.toFixed(0)} bytes more than rate × T + burst in some window`);
      // By what really elapsed: a machine that is busy with other things delays the first bytes and the last.
      const [fromMs, untilMs] = [firstMs + SETTLED_MS, firstMs + SPAN_MS - 100];
      const used = (passedBetween(passed, fromMs, untilMs) * 1_000) / (untilMs - fromMs) / SPEC.ratePerSecond;
      t.ok(used >= 0.85, `${loaded} loaded: ${(100 * used).toFixed(1)} % of the rate`);
    }
  },
);
