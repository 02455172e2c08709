import { EventEmitter } from "node:events";
import { setImmediate } from "node:timers/promises";
import t from "tap";
import type { LastingBudgets } from "../../../src/limits/budget.js";
import { BudgetServer, createLeasedBudgets, type MessagePeer } from "../../../src/process/budget-messages.js";

type Listener = (message: unknown) => void;

/** The two ends of one channel, in this process. */
class Channel {
  /** As the main process sees the worker, and as the worker sees the main process. */
  readonly worker: EventEmitter & MessagePeer;
  readonly main: EventEmitter & MessagePeer;

  constructor() {
    const ends = [new EventEmitter(), new EventEmitter()] as const;
    const peer = (own: EventEmitter, other: EventEmitter): EventEmitter & MessagePeer =>
      Object.assign(own, {
        send: (message: object) => {
          // As Node does: who has no listener yet does not hear it.
          void setImmediate().then(() => other.emit("message", structuredClone(message)));
          return true;
        },
      }) as EventEmitter & MessagePeer & { on(event: "message", listener: Listener): unknown };
    this.worker = peer(ends[0], ends[1]);
    this.main = peer(ends[1], ends[0]);
  }
}

async function quiet(): Promise<void> {
  for (let i = 0; i < 10; i += 1) await setImmediate();
}

const SPEC = { key: "a", ratePerSecond: 0.001, burst: 24, reserve: 0 };

/** What it may spend at once. */
const creditOf = (budgets: LastingBudgets) => budgets.rate(SPEC).takeUpTo(100, performance.now());

t.test("budgets are divided by the workers that live, of which as many as are wanted have their place", async (t) => {
  const server = new BudgetServer(2);
  const [one, two, three] = [new Channel(), new Channel(), new Channel()];
  for (const channel of [one, two, three]) server.serve(channel.worker);
  await quiet();
  const begin = async ({ main }: Channel) => {
    const budgets = createLeasedBudgets(main, 2);
    t.teardown(() => budgets.close());
    await quiet();
    return budgets;
  };
  t.equal(creditOf(await begin(one)), 4, "a sixth of the burst: a third drains or replaces another");
  three.worker.emit("exit");
  await quiet();
  t.equal(creditOf(await begin(two)), 6, "a fourth");
  const again = new Channel();
  two.worker.emit("exit");
  server.serve(again.worker);
  t.equal(creditOf(await begin(again)), 6, "one that is replaced leaves its place to the next");
});

t.test("one worker alone has all of a budget, and one that is replaced shares it with who replaces it", async (t) => {
  const server = new BudgetServer(1);
  const one = new Channel();
  server.serve(one.worker);
  const budgets = createLeasedBudgets(one.main, 1);
  t.teardown(() => budgets.close());
  t.equal(creditOf(budgets), 24);
  const slots = budgets.slots("s", 3);
  t.same(
    [1, 2, 3, 4].map(() => slots.take(0)),
    [true, true, true, false],
    "at once, whatever is known elsewhere",
  );
  const two = new Channel();
  server.serve(two.worker);
  await quiet();
  const others = createLeasedBudgets(two.main, 1);
  t.teardown(() => others.close());
  await quiet();
  t.equal(creditOf(others), 6);
  t.equal(others.slots("s", 3).take(0), false, "it is told of what is in use when it listens");
  slots.release(0);
  await quiet();
  t.equal(others.slots("s", 3).take(0), true);
});

t.test("another number of wanted workers divides what is there anew", async (t) => {
  const server = new BudgetServer(1);
  const one = new Channel();
  server.serve(one.worker);
  const budgets = createLeasedBudgets(one.main, 1);
  t.teardown(() => budgets.close());
  await quiet();
  server.want(3);
  await quiet();
  t.equal(creditOf(budgets), 4);
});
