import fc from "fast-check";
import t from "tap";
import type { ProcessReport } from "../../../src/telemetry/process-report.js";
import { WorkerCpu } from "../../../src/telemetry/worker-cpu.js";

const report = (worker: number, pid: number, cpuSeconds: number) => ({ worker, pid, cpuSeconds }) as ProcessReport;

t.test("what a worker used stays when another process follows it, and when one is not heard of for a while", (t) => {
  const cpu = new WorkerCpu();
  const seen = (...reports: ProcessReport[]) => {
    cpu.see(reports);
    return [...cpu.seconds()].sort();
  };
  t.strictSame(seen(report(1, 10, 2), report(2, 11, 1)), [
    [1, 2],
    [2, 1],
  ]);
  t.strictSame(
    seen(report(2, 11, 1.5)),
    [
      [1, 2],
      [2, 1.5],
    ]
      .reverse()
      .sort(),
    "one was not heard of",
  );
  t.strictSame(
    seen(report(1, 10, 3), report(2, 12, 0.25)),
    [
      [1, 3],
      [2, 1.75],
    ].sort(),
  );
  t.strictSame(
    seen(report(2, 10, 1)),
    [
      [1, 3],
      [2, 2.75],
    ],
    "an id that another process got",
  );
  t.end();
});

t.test("however many processes come and go, nothing falls, and nothing is counted twice", (t) => {
  const step = fc.record({ pid: fc.nat(2_000), used: fc.nat(8) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 2_000 }), fc.constantFrom(200, 2_001), (steps, processes) => {
      const cpu = new WorkerCpu();
      const seconds = new Map<number, number>();
      let used = 0;
      let last = 0;
      for (const { pid: any, used: more } of steps) {
        const pid = any % processes;
        used += more;
        seconds.set(pid, (seconds.get(pid) ?? 0) + more);
        cpu.see([report(pid % 3, pid, seconds.get(pid) ?? 0)]);
        const sum = [...cpu.seconds().values()].reduce((total, each) => total + each, 0);
        if (sum < last) return false;
        last = sum;
      }
      // Of more than are remembered one may come back; real ones that are so long gone do not.
      return processes > 200 || last === used;
    }),
    { numRuns: 20 },
  );
  t.end();
});
