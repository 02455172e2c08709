import t from "tap";
import {
  type ResolvedName,
  Resolver,
  type ResolverOptions,
  type TimerSource,
} from "../../../src/transport/resolver.js";

/** Timers that a test lets go off. */
class FakeTimers implements TimerSource {
  readonly #pending = new Map<number, { readonly callback: () => void; readonly delayMs: number }>();
  #last = 0;

  set(callback: () => void, delayMs: number): number {
    this.#last += 1;
    this.#pending.set(this.#last, { callback, delayMs });
    return this.#last;
  }

  clear(handle: unknown): void {
    this.#pending.delete(handle as number);
  }

  get delaysMs(): readonly number[] {
    return [...this.#pending.values()].map(({ delayMs }) => delayMs);
  }

  /** Lets every timer go off, and all that follows at once happen. */
  async run(): Promise<void> {
    const due = [...this.#pending.values()];
    this.#pending.clear();
    for (const { callback } of due) callback();
    await settled();
  }
}

/** Everything that is waiting for a promise only has had its turn. */
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

interface Fixture {
  readonly resolver: Resolver;
  readonly timers: FakeTimers;
  readonly sets: (readonly string[])[];
  readonly outcomes: string[];
  readonly failures: string[];
  readonly asked: string[];
}

type Answer = ResolvedName | Error | Promise<ResolvedName>;

/** @param answers of the look-ups, in order; the last one is repeated */
function fixture(answers: readonly Answer[], options: Partial<ResolverOptions> = {}): Fixture {
  const timers = new FakeTimers();
  const sets: (readonly string[])[] = [];
  const outcomes: string[] = [];
  const failures: string[] = [];
  const asked: string[] = [];
  const lookUp = async (host: string): Promise<ResolvedName> => {
    const answer = answers[Math.min(asked.length, answers.length - 1)];
    asked.push(host);
    if (answer === undefined || answer instanceof Error) throw answer ?? new Error("nothing to answer");
    return answer;
  };
  const resolver = new Resolver(
    { host: "oss.test", minTtlMs: 5_000, maxTtlMs: 60_000, servers: [], addresses: [], ...options },
    {
      onAddresses: (addresses) => sets.push(addresses),
      onLookUp: (outcome) => outcomes.push(outcome),
      onFailure: (error) => failures.push(error.message),
    },
    lookUp,
    timers,
  );
  return { resolver, timers, sets, outcomes, failures, asked };
}

const found = (ttlMs: number | null, ...addresses: readonly string[]): ResolvedName => ({ addresses, ttlMs });

t.test("an answer is used as long as its TTL says, between minTtl and maxTtl", async (t) => {
  const rows: readonly (readonly [ttlMs: number | null, delayMs: number])[] = [
    [0, 5_000],
    [4_999, 5_000],
    [5_000, 5_000],
    [30_000, 30_000],
    [60_000, 60_000],
    [86_400_000, 60_000],
    // The system's resolver tells none.
    [null, 5_000],
  ];
  for (const [ttlMs, delayMs] of rows) {
    const { resolver, timers } = fixture([found(ttlMs, "10.0.0.1")]);
    resolver.start();
    await resolver.firstLookUp();
    t.same(timers.delaysMs, [delayMs], `TTL ${ttlMs}`);
  }
});

t.test("the name is looked up again and again, and only a change is told", async (t) => {
  const answers = [
    found(null, "10.0.0.2", "10.0.0.1"),
    found(null, "10.0.0.1", "10.0.0.2", "10.0.0.1"),
    found(null, "10.0.0.3"),
  ];
  const { resolver, timers, sets, outcomes, asked } = fixture(answers);
  resolver.start();
  await resolver.firstLookUp();
  t.same(sets, [["10.0.0.1", "10.0.0.2"]], "sorted");
  await timers.run();
  t.equal(sets.length, 1, "order and repetition are no change");
  await timers.run();
  t.same(sets[1], ["10.0.0.3"]);
  t.same(outcomes, ["ok", "ok", "ok"]);
  t.same(asked, ["oss.test", "oss.test", "oss.test"]);
});

t.test("a failed look-up keeps the last set and is repeated after minTtl", async (t) => {
  const failures = [new Error("SERVFAIL"), found(60_000), new Error("timeout")];
  const { resolver, timers, sets, ...rest } = fixture([
    found(60_000, "10.0.0.1"),
    ...failures,
    found(60_000, "10.0.0.2"),
  ]);
  resolver.start();
  await resolver.firstLookUp();
  for (const _ of failures) {
    await timers.run();
    t.same(timers.delaysMs, [5_000]);
    t.equal(sets.length, 1);
  }
  t.same(rest.outcomes, ["ok", "failed", "failed", "failed"]);
  t.same(rest.failures, ["SERVFAIL", "oss.test has no address", "timeout"]);
  await timers.run();
  t.same(sets, [["10.0.0.1"], ["10.0.0.2"]]);
  t.same(timers.delaysMs, [60_000]);
});

t.test("a first look-up that fails rejects nothing, and a later one is taken", async (t) => {
  const { resolver, timers, sets } = fixture([new Error("NXDOMAIN"), found(null, "10.0.0.1")]);
  resolver.start();
  await resolver.firstLookUp();
  t.same(sets, []);
  await timers.run();
  t.same(sets, [["10.0.0.1"]]);
});

t.test("pinned addresses and address literals are never looked up", async (t) => {
  const rows: readonly (readonly [Partial<ResolverOptions>, readonly string[]])[] = [
    [{ addresses: ["10.0.0.2", "10.0.0.1"] }, ["10.0.0.1", "10.0.0.2"]],
    [{ host: "10.0.0.9" }, ["10.0.0.9"]],
    [{ host: "fd00::1" }, ["fd00::1"]],
    [{ host: "10.0.0.9", addresses: ["10.0.0.1"] }, ["10.0.0.1"]],
  ];
  for (const [options, addresses] of rows) {
    const { resolver, timers, sets, asked } = fixture([found(0, "10.9.9.9")], options);
    resolver.start();
    t.same(sets, [addresses], "known at once");
    await resolver.firstLookUp();
    await resolver.refreshNow();
    t.same(asked, []);
    t.same(timers.delaysMs, []);
  }
});

t.test("a look-up out of turn replaces the next one in turn", async (t) => {
  const { resolver, timers, sets, asked } = fixture([found(null, "10.0.0.1"), found(null, "10.0.0.2")]);
  resolver.start();
  await resolver.firstLookUp();
  await resolver.refreshNow();
  t.same(sets, [["10.0.0.1"], ["10.0.0.2"]]);
  t.equal(asked.length, 2);
  t.same(timers.delaysMs, [5_000], "one timer");
});

t.test("many that wait share one look-up and leave one timer", async (t) => {
  let answer = (_name: ResolvedName): void => {};
  const slow = new Promise<ResolvedName>((resolve) => {
    answer = resolve;
  });
  const { resolver, timers, sets, asked } = fixture([new Error("NXDOMAIN"), slow]);
  resolver.start();
  await resolver.firstLookUp();
  const waiting = Array.from({ length: 20 }, () => resolver.refreshNow());
  answer(found(null, "10.0.0.1"));
  await Promise.all(waiting);
  t.equal(asked.length, 2);
  t.same(sets, [["10.0.0.1"]]);
  t.same(timers.delaysMs, [5_000]);
});

t.test("after close nothing is asked and nothing told, also when an answer was under way", async (t) => {
  for (const late of [found(null, "10.0.0.2"), new Error("late")]) {
    let answer = (): void => {};
    const slow = new Promise<ResolvedName>((resolve, reject) => {
      answer = () => (late instanceof Error ? reject(late) : resolve(late));
    });
    const { resolver, timers, sets, outcomes, asked } = fixture([found(null, "10.0.0.1"), slow]);
    resolver.start();
    await resolver.firstLookUp();
    await timers.run();
    resolver.close();
    answer();
    await settled();
    await resolver.refreshNow();
    t.same(sets, [["10.0.0.1"]]);
    t.same(outcomes, ["ok"]);
    t.equal(asked.length, 2);
    t.same(timers.delaysMs, []);
  }
});
