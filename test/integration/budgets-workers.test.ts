import { setImmediate } from "node:timers/promises";
import t, { type Test } from "tap";
import { BudgetServer } from "../../src/process/budget-messages.js";
import { excess, type Passed, passedBetween } from "../unit/limits/windows.js";
import { startProcess, type TestProcess } from "./budgets-program.js";
import { BURST, type Command, RATE, WORKERS } from "./budgets-worker.js";

type TestWorker = TestProcess<Command>;
type Three = readonly [TestWorker, TestWorker, TestWorker];

async function startThree(t: Test): Promise<Three> {
  const server = new BudgetServer(WORKERS);
  const start = async (): Promise<TestWorker> =>
    startProcess<Command>(t, "./budgets-worker.ts", { onStart: (child) => server.serve(child) });
  return Promise.all([start(), start(), start()]);
}

const SPAN_MS = 1500;
/** The credits are spent at the start of a flood, so a span of a whole flood holds the burst too. */
const SETTLED_MS = 700;

t.test("three processes spend of one budget: all load on one, then all over, then moving about", async (t) => {
  const workers = await startThree(t);
  const perMs = [
    [2, 1, 1],
    [0, 3, 1],
    [0, 0.5, 2],
  ];
  const lists = await Promise.all(
    workers.map((worker, i) => worker.tell({ say: "flood", spanMs: SPAN_MS, perMs: perMs[i] ?? [] })),
  );
  const passed = (lists as Passed[][]).flat().sort((a, b) => a.atMs - b.atMs);
  const firstMs = passed[0]?.atMs ?? 0;
  const over = excess(passed, RATE, BURST);
  t.ok(over <= 1e-3, `${over.toFixed(2)} more than rate × T + burst in some window`);
  const untilMs = firstMs + 3 * SPAN_MS;
  const found = passedBetween(passed, firstMs + SETTLED_MS, untilMs);
  const due = (RATE * (untilMs - firstMs - SETTLED_MS)) / 1000;
  t.ok(found >= 0.95 * due, `${found} of ${due}`);
  const alone = (lists[0] as Passed[]).filter(({ atMs }) => atMs < firstMs + SPAN_MS);
  const dueAlone = (RATE * (SPAN_MS - SETTLED_MS)) / 1000;
  const foundAlone = passedBetween(alone, firstMs + SETTLED_MS, firstMs + SPAN_MS);
  t.ok(foundAlone >= 0.95 * dueAlone, `${foundAlone} of ${dueAlone} while all load was on one worker`);
});

/** What a worker took is known to the others. */
async function isKnown(worker: TestWorker): Promise<void> {
  await worker.tell({ say: "ping" });
  await setImmediate();
  await setImmediate();
}

t.test("a slot is one over three processes, and free when its worker dies", async (t) => {
  const [one, two, three] = await startThree(t);
  t.equal(await one.tell({ say: "take slot" }), true);
  await isKnown(one);
  t.equal(await two.tell({ say: "take slot" }), false);
  t.equal(await three.tell({ say: "take slot" }), false);
  await one.tell({ say: "release slot" });
  await isKnown(one);
  t.equal(await two.tell({ say: "take slot" }), true);
  await isKnown(two);
  t.equal(await three.tell({ say: "take slot" }), false);
  await two.kill();
  await isKnown(one);
  t.equal(await three.tell({ say: "take slot" }), true);
});
