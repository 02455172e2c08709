import fc from "fast-check";
import t from "tap";
import { ThrottlingWindow } from "../../../src/telemetry/throttling-window.js";

/** A window of threshold 100 that is sampled each second with what passed in it. */
function feed(perSecond: readonly number[], threshold = 100) {
  const window = new ThrottlingWindow(threshold, 0, 0);
  let total = 0;
  perSecond.forEach((amount, index) => {
    total += amount;
    window.sample(total, (index + 1) * 1_000);
  });
  return window;
}

const times = (count: number, amount: number): number[] => new Array<number>(count).fill(amount);

t.test("30 seconds over the threshold within the last 60 throttle, wherever they lie; 29 do not", async (t) => {
  const rows: readonly (readonly [title: string, seconds: readonly number[], throttled: boolean])[] = [
    ["nothing yet", [], false],
    ["29 in a row", times(29, 101), false],
    ["30 in a row", times(30, 101), true],
    ["just the threshold is not over it", times(60, 100), false],
    ["every other second of a minute", times(60, 0).map((_, i) => (i % 2 === 0 ? 101 : 0)), true],
    ["30 and then 30 quiet ones", [...times(30, 101), ...times(30, 0)], true],
    ["30 and then 31 quiet ones", [...times(30, 101), ...times(31, 0)], false],
    ["29, a minute's pause, 29", [...times(29, 101), ...times(60, 0), ...times(29, 101)], false],
    ["after more seconds than are remembered", [...times(1_300, 0), ...times(30, 101)], true],
    ["one huge second is one second", [...times(30, 0), 1_000_000], false],
  ];
  for (const [title, seconds, throttled] of rows) t.equal(feed(seconds).isThrottled, throttled, title);
});

t.test("one second over 0.8 of the threshold is an alert for the next 600", async (t) => {
  const rows: readonly (readonly [title: string, seconds: readonly number[], alert: boolean])[] = [
    ["nothing yet", [], false],
    ["just 0.8", times(700, 80), false],
    ["over 0.8 once", [81], true],
    ["599 seconds later", [81, ...times(599, 0)], true],
    ["600 seconds later", [81, ...times(600, 0)], false],
    ["again after that", [81, ...times(600, 0), 81], true],
  ];
  for (const [title, seconds, alert] of rows) t.equal(feed(seconds).isAlert, alert, title);
});

t.test("the same is found as by counting all seconds anew", async () => {
  const seconds = fc.array(fc.constantFrom(0, 79, 80, 81, 99, 100, 101, 250), { maxLength: 1_500 });
  fc.assert(
    fc.property(seconds, (amounts) => {
      const window = feed(amounts);
      const lastMinute = amounts.slice(-60).filter((amount) => amount > 100).length;
      const lastTen = amounts.slice(-600).filter((amount) => amount > 80).length;
      const peak = Math.max(0, ...amounts.slice(-60));
      return (
        window.isThrottled === lastMinute >= 30 &&
        window.isAlert === lastTen >= 1 &&
        Math.abs(window.usageRatio - peak / 100) < 1e-9
      );
    }),
  );
});

t.test("samples at any times make no peaks of an even flow, and lose nothing of it", async () => {
  const gaps = fc.array(fc.integer({ min: 1, max: 5_000 }), { minLength: 20, maxLength: 400 });
  fc.assert(
    fc.property(gaps, (gapsMs) => {
      const window = new ThrottlingWindow(100, 0, 0);
      let nowMs = 0;
      for (const gapMs of gapsMs) {
        nowMs += gapMs;
        window.sample((nowMs / 1_000) * 90, nowMs);
      }
      const isLong = nowMs >= 1_000;
      return (
        !window.isThrottled && window.isAlert === isLong && Math.abs(window.usageRatio - (isLong ? 0.9 : 0)) < 1e-6
      );
    }),
  );
});

t.test("a late sample fills the seconds that it missed", async (t) => {
  const window = new ThrottlingWindow(100, 0, 0);
  window.sample(101 * 29, 29_000);
  t.equal(window.isThrottled, false);
  window.sample(101 * 31, 31_000);
  t.equal(window.isThrottled, true);
  t.equal(window.usageRatio, 1.01);
});

t.test("a pause of hours is a pause, and costs no more than what is remembered", async (t) => {
  const window = feed(times(60, 101));
  window.sample(60 * 101, 60_000 + 1e12);
  t.equal(window.isThrottled, false);
  t.equal(window.isAlert, false);
  t.equal(window.usageRatio, 0);
});

t.test("a clock or a counter that goes back makes no peak, and counting goes on from there", async (t) => {
  const window = new ThrottlingWindow(100, 1_000, 50_000);
  window.sample(1_010, 51_000);
  window.sample(1_020, 20_000);
  t.equal(window.usageRatio, 0.1);
  window.sample(5, 21_000);
  // What came while the clock stood still belongs to the second in which it was seen.
  t.equal(window.usageRatio, 0.1);
  window.sample(55, 22_000);
  t.equal(window.usageRatio, 0.5);
});

t.test("AvgSeverity is the mean of (1 − threshold ⁄ observed) in percent, 0 below the threshold", async (t) => {
  t.equal(feed(times(30, 200)).throttleSeverity(), 50);
  t.equal(feed([...times(15, 400), ...times(15, 200)]).throttleSeverity(), 63);
  t.equal(feed([...times(30, 200), ...times(10, 50)]).throttleSeverity(), 50, "seconds that are not over do not count");
  t.equal(feed(times(30, 1e12)).throttleSeverity(), 100);
  t.equal(feed(times(30, 90)).throttleSeverity(), 0);
  t.equal(feed(times(30, 90)).alertSeverity(), 0);
  t.equal(feed([90, 200]).alertSeverity(), 25);
  t.equal(feed([]).alertSeverity(), 0);
});
