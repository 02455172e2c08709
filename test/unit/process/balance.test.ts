import fc from "fast-check";
import t from "tap";
import { Balance } from "../../../src/process/balance.js";

const PART = 10_000;

/** Connections that come to one worker only, none of which ends; told nothing on the way. */
function keptOf(coming: number, count: number): number {
  const balance = new Balance();
  balance.told({ count, least: 0, room: count * PART, passed: 0 });
  let open = 0;
  for (let i = 0; i < coming; i += 1) {
    if (balance.keeps({ open, part: PART }, 0)) open += 1;
    else balance.passed();
  }
  return open;
}

t.test("of kept connections that all come to one worker it keeps its share", async (t) => {
  t.equal(keptOf(16, 1), 8);
  t.equal(keptOf(16, 3), 4);
  fc.assert(
    fc.property(fc.integer({ min: 8, max: 5_000 }), (coming) => {
      const share = keptOf(coming, 1) / coming;
      return share >= 0.4 && share <= 0.6;
    }),
  );
});

t.test("one that is alone keeps all; one of which nobody has said so yet, no more than it may have", async (t) => {
  const balance = new Balance();
  t.ok(balance.keeps({ open: 500, part: PART }, 0));
  t.notOk(balance.keeps({ open: PART, part: PART }, 0), "others may have room");
  balance.told({ count: 0, least: Number.POSITIVE_INFINITY, room: 0, passed: 0 });
  t.ok(balance.keeps({ open: 500, part: PART }, 0));
  t.ok(balance.keeps({ open: PART, part: PART }, 0), "to refuse it");
});

t.test("where connections end as fast as they come, none is passed on; when that is over, they are", async (t) => {
  const balance = new Balance();
  balance.told({ count: 1, least: 0, room: PART, passed: 0 });
  for (let i = 0; i < 50; i += 1) balance.ended(1_000 + i);
  t.ok(balance.keeps({ open: 40, part: PART }, 1_100));
  t.ok(balance.keeps({ open: 40, part: PART }, 2_900), "and a second later");
  t.notOk(balance.keeps({ open: 40, part: PART }, 4_000));
});

t.test("one that is full passes on while others have room, and then refuses by itself", async (t) => {
  const balance = new Balance();
  balance.told({ count: 2, least: 9, room: 1, passed: 0 });
  t.notOk(balance.keeps({ open: 10, part: 10 }, 0));
  balance.passed();
  t.ok(balance.keeps({ open: 10, part: 10 }, 0));
  balance.told({ count: 2, least: 9, room: 1, passed: 0 });
  t.ok(balance.keeps({ open: 10, part: 10 }, 0), "what is said was so before it was passed on");
  balance.told({ count: 2, least: 9, room: 1, passed: 1 });
  t.notOk(balance.keeps({ open: 10, part: 10 }, 0));
});

t.test("a number is news when it matters", async (t) => {
  const balance = new Balance();
  t.notOk(balance.isNews(3, { open: 3, part: PART }, 0));
  t.ok(balance.isNews(3, { open: 4, part: PART }, 0));
  t.ok(balance.isNews(3, { open: 2, part: PART }, 0));
  t.notOk(balance.isNews(1_000, { open: 1_001, part: PART }, 0));
  t.ok(balance.isNews(1_000, { open: 1_070, part: PART }, 0));
  for (let i = 0; i < 100; i += 1) balance.ended(0);
  t.notOk(balance.isNews(3, { open: 40, part: PART }, 0), "where connections end fast it is not");
  t.ok(balance.isNews(10, { open: 9, part: 10 }, 0), "but that there is room again is, and that there is none");
  t.ok(balance.isNews(9, { open: 10, part: 10 }, 0));
});
