import t from "tap";
import { type OssCredentials, Secret } from "../../../src/core/secret.js";
import { CredentialsError, type CredentialsProvider } from "../../../src/credentials/provider.js";
import { leadMs, refreshDelayMs, retryDelayMs } from "../../../src/credentials/refresh-times.js";
import { RefreshingSource } from "../../../src/credentials/refreshing.js";
import { FakeClock, settled } from "./fake-clock.js";

const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;

/** The number of a set, after a check that all its fields belong together. */
function serialOf(set: OssCredentials | null): number | null {
  if (set === null) return null;
  const serial = Number(set.accessKeyId.slice("id-".length));
  if (set.accessKeySecret.reveal() !== `secret-${serial}` || set.securityToken !== `token-${serial}`) {
    throw new Error("a mixed set");
  }
  return serial;
}

function makeSet(serial: number, expiresAtMs?: number): OssCredentials {
  return {
    accessKeyId: `id-${serial}`,
    accessKeySecret: new Secret(`secret-${serial}`),
    securityToken: `token-${serial}`,
    ...(expiresAtMs !== undefined && { expiresAtMs }),
  };
}

type Outcome = OssCredentials | Error | Promise<OssCredentials>;

interface Fixture {
  readonly clock: FakeClock;
  readonly source: RefreshingSource;
  readonly events: string[];
  readonly signals: AbortSignal[];
  /** The provider says that something changed. */
  change(): void;
  isWatched(): boolean;
  serial(): number | null;
}

/** @param next what the provider does at its n-th question, from 1 */
function fixture(next: (count: number, clock: FakeClock) => Outcome): Fixture {
  const clock = new FakeClock();
  const events: string[] = [];
  const signals: AbortSignal[] = [];
  let onChange: (() => void) | null = null;
  const provider: CredentialsProvider = {
    fetch: async (signal) => {
      signals.push(signal);
      const outcome = next(signals.length, clock);
      if (outcome instanceof Error) throw outcome;
      return outcome;
    },
    watch: (callback) => {
      onChange = callback;
      return () => {
        onChange = null;
      };
    },
  };
  const source = new RefreshingSource({
    name: "reader",
    provider,
    clock,
    events: {
      onRefreshed: (name, expiresAtMs) => events.push(`${name} ok ${expiresAtMs}`),
      onRefreshFailed: (name, message) => events.push(`${name} failed: ${message}`),
    },
  });
  t.teardown(() => source.close());
  return {
    clock,
    source,
    events,
    signals,
    change: () => onChange?.(),
    isWatched: () => onChange !== null,
    serial: () => serialOf(source.current(clock.nowMs())),
  };
}

const hourly = (count: number, clock: FakeClock): OssCredentials => makeSet(count, clock.nowMs() + HOUR_MS);

t.test("nothing is current before the first try has ended, and start() waits for it", async (t) => {
  const { source, serial, events, clock } = fixture(hourly);
  t.equal(serial(), null);
  const first = source.start();
  t.equal(source.start(), first, "a second start waits for the same try");
  await first;
  t.equal(serial(), 1);
  t.strictSame(events, [`reader ok ${clock.nowMs() + HOUR_MS}`]);
});

t.test("start() resolves when the first try fails", async (t) => {
  const { source, serial, events } = fixture(() => new CredentialsError("the service is away"));
  await source.start();
  t.equal(serial(), null);
  t.strictSame(events, ["reader failed: the service is away"]);
});

t.test("the lead before the end of a life", async (t) => {
  for (const [lifetimeMs, wantedMs] of [
    [12 * HOUR_MS, 2.4 * HOUR_MS],
    [HOUR_MS, 12 * MINUTE_MS],
    [15 * MINUTE_MS, 5 * MINUTE_MS],
    [10 * MINUTE_MS, 5 * MINUTE_MS],
    [MINUTE_MS, MINUTE_MS / 2],
  ] as const) {
    t.equal(leadMs(lifetimeMs), wantedMs, `${lifetimeMs} ms`);
  }
});

t.test("a refresh begins when 20 % of the life remain, and up to a quarter of that sooner", async (t) => {
  for (const [chance, atMinutes] of [
    [0, 48],
    [0.999999, 45],
  ] as const) {
    const { source, clock, signals, serial } = fixture(hourly);
    clock.chance = chance;
    await source.start();
    await clock.advance(atMinutes * MINUTE_MS - 1_000);
    t.equal(signals.length, 1);
    await clock.advance(1_001);
    t.equal(signals.length, 2);
    t.equal(serial(), 2);
  }
});

t.test(
  "an issuer that repeats a set is asked every five minutes, more often towards the end, never without pause",
  async (t) => {
    const expiresAtMs = 100 * HOUR_MS;
    const delay = (nowMs: number) => refreshDelayMs({ sinceMs: 99 * HOUR_MS, expiresAtMs, nowMs }, 0);
    t.equal(delay(99 * HOUR_MS), 48 * MINUTE_MS, "counted from when the set was first seen");
    t.equal(delay(expiresAtMs - 12 * MINUTE_MS), 5 * MINUTE_MS);
    t.equal(delay(expiresAtMs - 2 * MINUTE_MS), MINUTE_MS);
    t.equal(delay(expiresAtMs - 10), 1_000);

    const { source, clock, signals } = fixture(() => makeSet(1, Date.parse("2025-06-01T13:00:00Z")));
    await source.start();
    for (const [minutes, asked] of [
      [48, 2],
      [5, 3],
      [3.5, 4],
      [1.75, 5],
    ] as const) {
      await clock.advance(minutes * MINUTE_MS);
      t.equal(signals.length, asked);
    }
  },
);

t.test("the pauses between failed tries grow from 1 s to 60 s and are spread", async (t) => {
  t.strictSame(
    [1, 2, 3, 6, 7, 30, 2_000].map((failures) => retryDelayMs(failures, 0)),
    [1_000, 1_000, 1_000, 1_000, 1_000, 1_000, 1_000],
  );
  const longest = [1, 2, 3, 5, 6, 30, 2_000].map((failures) => Math.ceil(retryDelayMs(failures, 0.999999)));
  t.strictSame(longest, [2_000, 4_000, 8_000, 32_000, 60_000, 60_000, 60_000]);
});

t.test(
  "a failed refresh keeps the last good set until it expires, then there is none, then the next good one",
  async (t) => {
    const { source, clock, serial, events } = fixture((count, clock) => {
      const isOut = count > 1 && clock.nowMs() < Date.parse("2025-06-01T13:10:00Z");
      return isOut ? new CredentialsError("an outage") : makeSet(count, clock.nowMs() + HOUR_MS);
    });
    await source.start();
    await clock.advance(HOUR_MS - 1);
    t.equal(serial(), 1, "the last millisecond of its life");
    t.ok(events.filter((event) => event.endsWith("failed: an outage")).length > 10, "tried again and again");
    await clock.advance(1);
    t.equal(serial(), null, "expired");
    t.equal(source.find("id-1", clock.nowMs()), null, "nor is it found");
    await clock.advance(11 * MINUTE_MS);
    t.not(serial(), null, "back");
  },
);

t.test("what cannot sign is a failure and is never current", async (t) => {
  for (const [title, bad] of [
    ["expired a while ago", (clock: FakeClock) => makeSet(2, clock.nowMs() - 1)],
    ["expires this instant", (clock: FakeClock) => makeSet(2, clock.nowMs())],
    ["an expiry that is no number", () => makeSet(2, Number.NaN)],
    ["no id", () => ({ accessKeyId: "", accessKeySecret: new Secret("secret-2") })],
    ["no secret", () => ({ accessKeyId: "id-2", accessKeySecret: new Secret("") })],
    ["an error in place of a set", () => new Error("planted-secret-2") as unknown as OssCredentials],
  ] as const) {
    const { source, clock, serial, events } = fixture((count, clock) => (count === 1 ? hourly(1, clock) : bad(clock)));
    await source.start();
    await clock.advance(50 * MINUTE_MS);
    t.equal(serial(), 1, title);
    t.equal(source.find("id-2", clock.nowMs()), null, title);
    t.match(events.at(-1), /^reader failed: /, title);
    t.notMatch(events.join(), /secret-2/, title);
  }
});

t.test("messages of errors that others wrote are not told, their codes are", async (t) => {
  const foreign = Object.assign(new Error("connect with planted-secret"), { code: "ECONNREFUSED" });
  const { source, events } = fixture((count) => (count === 1 ? foreign : new TypeError("planted-secret")));
  await source.start();
  t.strictSame(events, ["reader failed: credentials could not be had (ECONNREFUSED)"]);
});

t.test("one question at a time: a change while one runs asks once more when it has ended", async (t) => {
  const releases: (() => void)[] = [];
  const { source, signals, change, serial } = fixture(
    (count, clock) => new Promise((resolve) => releases.push(() => resolve(hourly(count, clock)))),
  );
  const started = source.start();
  change();
  change();
  source.noteRefused("id-1");
  await settled();
  t.equal(signals.length, 1);
  releases[0]?.();
  await started;
  t.equal(serial(), 1);
});

t.test("a change is taken up at once, and again when it came while a question ran", async (t) => {
  const { source, signals, change, serial, clock } = fixture(hourly);
  await source.start();
  change();
  change();
  await settled();
  t.equal(signals.length, 2);
  t.equal(serial(), 2);
  await clock.advance(0);
  t.equal(signals.length, 3, "the second change may have come after what the second question read");
});

t.test("a provider that never answers is given up after 30 s, and its signal says so", async (t) => {
  const { source, clock, signals, events } = fixture(() => new Promise(() => {}));
  const started = source.start();
  await clock.advance(30_000);
  await started;
  t.equal(signals[0]?.aborted, true);
  t.strictSame(events, ["reader failed: no credentials came within 30 s"]);
  await clock.advance(2_000);
  t.equal(signals.length, 2, "and asked again");
});

t.test("keys that do not expire need no timer", async (t) => {
  const { source, clock } = fixture((count) => makeSet(count));
  await source.start();
  t.equal(clock.timerCount, 0);
});

t.test("a refused current key is asked for again, at most every five seconds", async (t) => {
  const { source, clock, signals } = fixture((count) => makeSet(count));
  await source.start();
  await clock.advance(MINUTE_MS);
  source.noteRefused("id-of-somebody");
  await clock.advance(10_000);
  t.equal(signals.length, 1, "a foreign key changes nothing");
  source.noteRefused("id-1");
  await clock.advance(0);
  t.equal(signals.length, 2);
  for (let refusals = 0; refusals < 100; refusals += 1) {
    source.noteRefused("id-2");
    await clock.advance(40);
  }
  t.equal(signals.length, 2, "within five seconds");
  await clock.advance(1_000);
  t.equal(signals.length, 3, "then once");
});

t.test("a refusal does not put a refresh off that is due sooner", async (t) => {
  const { source, clock, signals } = fixture((count, clock) => makeSet(count, clock.nowMs() + 4_000));
  await source.start();
  source.noteRefused("id-1");
  await clock.advance(2_000);
  t.equal(signals.length, 2);
});

t.test("earlier sets are found until they expire, eight in all", async (t) => {
  const { source, clock, change } = fixture((count, clock) => makeSet(count, clock.nowMs() + count * HOUR_MS));
  await source.start();
  for (let round = 1; round < 12; round += 1) {
    change();
    await settled();
  }
  const found = (): readonly number[] =>
    Array.from({ length: 14 }, (_, index) => serialOf(source.find(`id-${index}`, clock.nowMs()))).filter(
      (serial) => serial !== null,
    );
  t.strictSame(found(), [5, 6, 7, 8, 9, 10, 11, 12]);
  clock.setBy(7 * HOUR_MS);
  t.strictSame(found(), [8, 9, 10, 11, 12]);
});

t.test("expired sets take no place from older ones that live", async (t) => {
  const { source, clock, change } = fixture((count, clock) =>
    makeSet(count, clock.nowMs() + (count === 1 ? 12 * HOUR_MS : MINUTE_MS)),
  );
  await source.start();
  for (let round = 1; round < 12; round += 1) {
    change();
    await settled();
    clock.setBy(2 * MINUTE_MS);
  }
  t.equal(serialOf(source.find("id-1", clock.nowMs())), 1);
});

t.test("a replaced key that does not expire is found for 15 minutes", async (t) => {
  const { source, clock, change } = fixture((count) => makeSet(count));
  await source.start();
  change();
  await settled();
  await clock.advance(15 * MINUTE_MS - 1);
  t.equal(serialOf(source.find("id-1", clock.nowMs())), 1);
  await clock.advance(1);
  t.equal(source.find("id-1", clock.nowMs()), null);
  t.equal(serialOf(source.find("id-2", clock.nowMs())), 2);
});

t.test("a corrected secret under the same id takes the place of the wrong one", async (t) => {
  const { source, clock, change } = fixture((count) => ({
    accessKeyId: "the-id",
    accessKeySecret: new Secret(`secret-${count}`),
  }));
  await source.start();
  change();
  await settled();
  t.equal(source.find("the-id", clock.nowMs())?.accessKeySecret.reveal(), "secret-2");
});

t.test("a clock that was set forward is noticed within a minute", async (t) => {
  const { source, clock, signals, serial } = fixture(hourly);
  await source.start();
  // The machine slept: its timers did not run, its clock did.
  clock.setBy(2 * HOUR_MS);
  t.equal(serial(), null);
  await clock.advance(MINUTE_MS);
  t.equal(signals.length, 2);
  t.equal(serial(), 2);
});

t.test("a clock that was set back delays no retry", async (t) => {
  const { source, clock, signals } = fixture((count, clock) =>
    count === 1 ? new CredentialsError("not yet") : hourly(count, clock),
  );
  await source.start();
  clock.setBy(-10 * HOUR_MS);
  await clock.advance(2_000);
  t.equal(signals.length, 2);
});

t.test("close() ends timers, the watch and the running question, and silences events", async (t) => {
  const { source, clock, signals, events, isWatched } = fixture((count, clock) =>
    count === 1 ? hourly(1, clock) : new Promise(() => {}),
  );
  await source.start();
  await clock.advance(48 * MINUTE_MS);
  t.equal(signals.length, 2, "a question runs");
  const eventsBefore = events.length;
  source.close();
  await settled();
  t.equal(signals[1]?.aborted, true);
  t.equal(clock.timerCount, 0);
  t.equal(isWatched(), false);
  t.equal(events.length, eventsBefore);
  source.noteRefused("id-1");
  await source.start();
  t.equal(clock.timerCount, 0, "and nothing begins anew");
});

t.test("closed before it started, it never starts", async (t) => {
  const { source, signals } = fixture(hourly);
  source.close();
  await source.start();
  t.equal(signals.length, 0);
});

t.test("a thousand rotations: who looks never sees no set or a mixed one", async (t) => {
  const { source, clock, serial, signals } = fixture(async (count, clock) => {
    await Promise.resolve();
    return makeSet(count, clock.nowMs() + HOUR_MS);
  });
  await source.start();
  let looks = 0;
  let isDone = false;
  let newest = 0;
  const look = async (): Promise<void> => {
    while (!isDone) {
      const seen = serial();
      if (seen === null || seen < newest) throw new Error(`saw ${seen} after ${newest}`);
      newest = seen;
      looks += 1;
      await (looks % 2 === 0 ? Promise.resolve() : settled());
    }
  };
  const looker = look();
  for (let round = 0; round < 1_000; round += 1) await clock.advance(48 * MINUTE_MS);
  isDone = true;
  await looker;
  t.equal(signals.length, 1_001);
  t.equal(newest, 1_001);
  t.ok(looks > 1_000, `${looks} looks`);
});
