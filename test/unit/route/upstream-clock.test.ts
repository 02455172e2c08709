import t from "tap";
import { type ClockState, UpstreamClock } from "../../../src/route/upstream-clock.js";

const NOW = Date.parse("2025-01-01T12:00:00Z");
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

interface Change {
  readonly skewMs: number;
  readonly state: ClockState;
}

function clock(): { readonly clock: UpstreamClock; readonly changes: Change[] } {
  const changes: Change[] = [];
  return { clock: new UpstreamClock((skewMs, state) => changes.push({ skewMs, state })), changes };
}

/** Whether the time that is signed with has changed. */
function observe(upstream: UpstreamClock, date: string, nowMs: number): boolean {
  const before = upstream.offsetMs;
  upstream.observe(date, nowMs);
  return upstream.offsetMs !== before;
}

const dateAt = (ms: number): string => new Date(ms).toUTCString();

t.test("nothing is known and nothing corrected before the first answer", async (t) => {
  const { clock: upstream } = clock();
  t.equal(upstream.skewMs, null);
  t.equal(upstream.at(NOW), NOW);
});

t.test("a difference of a minute is noted and not corrected; more than a minute is, ahead and behind", async (t) => {
  for (const sign of [1, -1]) {
    const { clock: upstream, changes } = clock();
    t.equal(observe(upstream, dateAt(NOW + sign * MINUTE), NOW), false);
    t.equal(upstream.skewMs, sign * MINUTE);
    t.equal(upstream.at(NOW), NOW);
    t.equal(observe(upstream, dateAt(NOW + sign * (MINUTE + 1_000)), NOW), true);
    t.equal(upstream.at(NOW), NOW + sign * (MINUTE + 1_000));
    t.strictSame(changes, [{ skewMs: sign * (MINUTE + 1_000), state: "corrected" }]);
  }
});

t.test(
  "the same second seen again, or one like it, changes nothing; a jump does, and the end of the difference",
  async (t) => {
    const { clock: upstream, changes } = clock();
    t.equal(observe(upstream, dateAt(NOW + HOUR), NOW), true);
    t.equal(observe(upstream, dateAt(NOW + HOUR), NOW + 500), false);
    t.equal(observe(upstream, dateAt(NOW + HOUR + 30_000), NOW), false);
    t.equal(upstream.at(NOW), NOW + HOUR);
    t.equal(observe(upstream, dateAt(NOW + 2 * HOUR), NOW), true);
    t.equal(upstream.at(NOW), NOW + 2 * HOUR);
    t.equal(observe(upstream, dateAt(NOW), NOW), true);
    t.equal(upstream.at(NOW), NOW);
    t.strictSame(
      changes.map(({ state }) => state),
      ["corrected", "corrected", "agrees"],
    );
  },
);

t.test("a clock that creeps is followed before OSS would mind", async (t) => {
  const { clock: upstream } = clock();
  upstream.observe(dateAt(NOW + HOUR), NOW);
  for (let driftMs = 0; driftMs <= HOUR; driftMs += 10_000) {
    upstream.observe(dateAt(NOW + HOUR + driftMs), NOW);
    t.ok(Math.abs(upstream.at(NOW) - (NOW + HOUR + driftMs)) <= MINUTE, `${driftMs}`);
  }
});

t.test("what is not a date of HTTP moves nothing", async (t) => {
  const { clock: upstream, changes } = clock();
  const garbage = [
    "",
    "garbage",
    "Wed, 99 Foo 2025 99:00:00 GMT",
    "x".repeat(10_000),
    `${dateAt(NOW + HOUR)} and more words`,
  ];
  for (const date of garbage) t.equal(observe(upstream, date, NOW), false, date.slice(0, 50));
  t.equal(upstream.skewMs, null);
  t.strictSame(changes, []);
});

t.test("what only a lenient reader takes for a date moves nothing", async (t) => {
  // Date.parse of V8 reads each of these as a day of 2001 or so.
  for (const date of ["0", "1", "soon 5", "2030", "2001-02-03", "Jan 5", "-1"]) {
    const { clock: upstream } = clock();
    t.equal(observe(upstream, date, NOW), false, date);
    t.equal(upstream.at(NOW), NOW, date);
  }
});

t.test("a difference of more than a day is shown and not believed", async (t) => {
  const { clock: upstream, changes } = clock();
  for (const sign of [1, -1]) {
    upstream.observe(dateAt(NOW + sign * 25 * HOUR), NOW);
    t.equal(upstream.skewMs, sign * 25 * HOUR);
    t.equal(upstream.at(NOW), NOW);
  }
  t.strictSame(changes, [{ skewMs: 25 * HOUR, state: "beyond" }], "said once");
  upstream.observe(dateAt(NOW), NOW);
  t.equal(changes.at(-1)?.state, "agrees");
});
