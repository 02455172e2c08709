import t from "tap";
import { excess, type Passed } from "../unit/limits/windows.js";
import { Load, reload, startWorkers } from "./workers-rig.js";

const RATE = 20;
const BURST = 10;

t.test("a rate is one over reloads to more and fewer workers, and over an upgrade, under load", async (t) => {
  const options = (workers: number) => ({ workers, route: { limits: { requests: `${RATE}/s`, burst: BURST } } });
  const rig = await startWorkers(t, options(1));
  const passed: Passed[] = [];
  let refused = 0;
  const load = new Load(rig.port, "/hello.txt", 4, ({ status }) => {
    if (status === 200) passed.push({ atMs: performance.now(), count: 1 });
    else refused += 1;
    return status === 200 || status === 429;
  });
  const forMs = async (ms: number) => {
    const endMs = performance.now() + ms;
    while (performance.now() < endMs) await load.more(5);
  };
  await forMs(1_000);
  for (const workers of [3, 2, 1]) {
    t.match(await reload(rig, options(workers)), { ok: true });
    await rig.until(async () => (await rig.metric('ossgate_workers{state="serving"}')) === workers);
    await forMs(1_000);
  }
  t.match(JSON.parse(await rig.admin("/upgrade", "POST")), { ok: true });
  const settledMs = performance.now();
  await forMs(3_000);
  await load.stop();
  t.strictSame(load.failures, []);
  // Answers that were on their way when a window begins are seen in it: as many as there are connections.
  const over = excess(passed, RATE, BURST + 4);
  t.ok(over <= 0, `${over.toFixed(1)} more than rate × T + burst in some window of ${passed.length} answers`);
  const found = passed.filter(({ atMs }) => atMs >= settledMs + 1_000).length;
  t.ok(found >= 0.7 * RATE * 2, `${found} passed in 2 s behind the upgrade`);
  t.ok(refused > passed.length, `${refused} were refused`);
});
