import t from "tap";
import { EventLoopLag } from "../../../src/telemetry/metrics-lag.js";

/** Lets the event loop go round until its delay has been looked at. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
}

function block(durationMs: number): void {
  const end = performance.now() + durationMs;
  while (performance.now() < end);
}

t.test("a blocked event loop is told of, in its window and the next, and then forgotten", async (t) => {
  const lag = new EventLoopLag(0);
  t.teardown(() => lag.stop());
  t.same(lag.lately(0), { p99: 0, max: 0 });
  await until(() => {
    block(200);
    return lag.lately(1).max > 0;
  });
  const { max } = lag.lately(2);
  t.ok(max >= 150, String(max));
  t.ok(lag.lately(10_000).max >= max, "ends the window");
  t.ok(lag.lately(10_001).max >= max, "of the window before");
  lag.lately(20_000);
  t.not(lag.lately(20_001).max, max, "two windows later");
});
