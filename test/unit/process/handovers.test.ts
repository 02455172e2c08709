import { pino } from "pino";
import t, { type Test } from "tap";
import type { Others } from "../../../src/process/balance.js";
import { type Gift, Handovers, type Taker } from "../../../src/process/handovers.js";
import type { TcpHandle } from "../../../src/process/tcp-handle.js";

const log = pino({ level: "silent" });

class TestHandle implements TcpHandle {
  closed = 0;

  close(): void {
    this.closed += 1;
  }

  getsockname(): number {
    return 0;
  }
}

/** Takes what it is given when the test says so. */
class TestTaker implements Taker {
  isServing = true;
  isSlow = false;
  readonly number: number;
  open = 0;
  gifts: Gift[] = [];
  readonly told: Others[] = [];

  constructor(number: number, open = 0) {
    this.number = number;
    this.open = open;
  }

  get untaken(): number {
    return this.gifts.length;
  }

  give(gift: Gift): void {
    this.gifts.push(gift);
  }

  tellOthers(others: Others): void {
    this.told.push(others);
  }

  answer(isTaken: boolean): void {
    const gifts = this.gifts;
    this.gifts = [];
    for (const { onEnd } of gifts) {
      if (isTaken) this.open += 1;
      onEnd(isTaken);
    }
  }
}

function handoversOf(t: Test, connections: number, opens: readonly number[]) {
  let refused = 0;
  const onRefused = () => {
    refused += 1;
  };
  const handovers = new Handovers({ log, onRefused });
  t.teardown(() => handovers.close());
  const takers = opens.map((open, index) => new TestTaker(index + 1, open));
  for (const taker of takers) handovers.add(taker);
  handovers.divide(connections, takers.length);
  const pass = (from: TestTaker | undefined, count = 1) => {
    const handles = Array.from({ length: count }, () => new TestHandle());
    for (const handle of handles) handovers.take(from as TestTaker, "web", handle);
    return handles;
  };
  return { handovers, takers, pass, refused: () => refused };
}

t.test("what one passes on goes to who has fewest, and is closed here when it is taken", async (t) => {
  const { takers, pass } = handoversOf(t, 1_000, [9, 5, 2]);
  const [busy, some, few] = takers;
  const handles = pass(busy, 5);
  t.strictSame([busy?.untaken, some?.untaken, few?.untaken], [0, 1, 4]);
  t.ok(handles.every(({ closed }) => closed === 0));
  for (const taker of takers) taker.answer(true);
  t.ok(handles.every(({ closed }) => closed === 1));
});

t.test(
  "who did not take it is not asked again before another, and who has passed it on gets it back last",
  async (t) => {
    const { takers, pass } = handoversOf(t, 1_000, [9, 5]);
    const [busy, other] = takers;
    const [handle] = pass(busy);
    (other as TestTaker).isServing = false;
    other?.answer(false);
    t.equal(busy?.untaken, 1);
    t.equal(handle?.closed, 0);
    busy?.answer(true);
    t.equal(handle?.closed, 1);
  },
);

t.test("where nobody has room it goes back, and is to be refused; nobody tries for ever", async (t) => {
  const { takers, pass } = handoversOf(t, 4, [2, 2]);
  const [busy, other] = takers;
  const [handle] = pass(busy);
  const [gift] = [...(busy?.gifts ?? []), ...(other?.gifts ?? [])];
  t.equal(gift?.isLast, true);
  for (let i = 0; i < 40; i += 1) for (const taker of takers) taker.answer(false);
  t.equal(handle?.closed, 1);
  t.same([busy?.untaken, other?.untaken], [0, 0]);
});

t.test("one that takes nothing is given no more than 64, and one that is late nothing", async (t) => {
  const { takers, pass, handovers } = handoversOf(t, 1_000_000, [500_000, 0, 400_000]);
  const [busy, deaf, third] = takers;
  pass(busy, 70);
  t.equal(deaf?.untaken, 64);
  t.equal(third?.untaken, 6);
  third?.answer(true);
  (deaf as TestTaker).gifts = [];
  (deaf as TestTaker).isSlow = true;
  pass(busy);
  t.equal(deaf?.untaken, 0);
  t.equal(third?.untaken, 1);
  handovers.tell();
  t.match(busy?.told.at(-1), { count: 1, least: 400_007 }, "nor is it counted on");
});

t.test("what is passed on while nobody serves waits for who does; too many are closed and counted", async (t) => {
  const { takers, pass, handovers, refused } = handoversOf(t, 10_000, [0]);
  const [only] = takers as [TestTaker];
  only.isServing = false;
  const handles = pass(only, 1_030);
  t.equal(refused(), 6);
  t.equal(handles.filter(({ closed }) => closed === 1).length, 6);
  only.isServing = true;
  handovers.changed();
  let taken = 0;
  while (only.untaken > 0) {
    t.ok(only.untaken <= 64);
    taken += only.untaken;
    only.answer(true);
  }
  t.equal(taken, 1_024);
  t.ok(handles.every(({ closed }) => closed === 1));
});

t.test("each is told of the others what has changed, and anew when it has passed something on", async (t) => {
  const { takers, pass, handovers } = handoversOf(t, 30, [4, 7, 1]);
  const [first, second, third] = takers as [TestTaker, TestTaker, TestTaker];
  handovers.tell();
  t.strictSame(first.told, [{ count: 2, least: 1, room: 12, passed: 0 }]);
  t.strictSame(second.told, [{ count: 2, least: 1, room: 15, passed: 0 }]);
  t.strictSame(third.told, [{ count: 2, least: 4, room: 9, passed: 0 }]);
  handovers.tell();
  t.equal(first.told.length, 1);
  pass(first);
  third.answer(true);
  third.open -= 1;
  handovers.tell();
  t.equal(first.told.length, 2, "though it is as it was");
  t.equal(second.told.length, 1);
  handovers.remove(third);
  handovers.tell();
  t.strictSame(first.told.at(-1), { count: 1, least: 7, room: 3, passed: 1 });
});
