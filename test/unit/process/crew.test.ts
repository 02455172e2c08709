import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { pino } from "pino";
import t, { type Test } from "tap";
import { Crew } from "../../../src/process/crew.js";
import { Handovers } from "../../../src/process/handovers.js";
import type { ToWorker } from "../../../src/process/messages.js";
import type { WorkerHandle } from "../../../src/process/worker-handle.js";
import type { Logger } from "../../../src/telemetry/log.js";

const log = pino({ level: "silent" });
const LIMIT_MS = 60_000;
/** The programs here look at no more of it. */
const START = { say: "start" } as ToWorker;

interface TestCrew {
  readonly crew: Crew;
  readonly forks: () => number;
  /** How long each replacement waits. */
  readonly backOffsMs: readonly number[];
  /** Those that are gone. */
  readonly gone: readonly WorkerHandle[];
}

function crewOf(t: Test, program: string, nowMs?: () => number, onFork = (_: WorkerHandle) => {}): TestCrew {
  let forks = 0;
  const gone: WorkerHandle[] = [];
  const backOffsMs: number[] = [];
  const tellBackOff = ({ backOffMs }: { readonly backOffMs?: number }) => {
    if (backOffMs !== undefined) backOffsMs.push(backOffMs);
  };
  const crew = new Crew({
    log: { error: tellBackOff } as unknown as Logger,
    handovers: new Handovers({ log }),
    program: fileURLToPath(new URL(`./programs/${program}.ts`, import.meta.url)),
    ...(nowMs === undefined ? {} : { nowMs }),
    startMessage: async () => START,
    onPatch: () => {},
    onFork: (worker) => {
      forks += 1;
      onFork(worker);
    },
    onGone: (worker) => {
      gone.push(worker);
    },
  });
  t.teardown(async () => {
    // Those that do not do as they are told too.
    for (const worker of crew.all) worker.kill();
    await crew.stop(0);
  });
  return { crew, forks: () => forks, gone, backOffsMs };
}

/** Until the test ends, or it is called. */
function loseProgram(t: Test): () => void {
  const { execPath } = process;
  const restore = () => {
    process.execPath = execPath;
  };
  process.execPath = "/nowhere/node";
  t.teardown(restore);
  return restore;
}

const moment = () => new Promise((resolve) => setTimeout(resolve, 20));

t.test("three workers in a row that end right after their start end the start, in one sentence", async (t) => {
  const { crew, forks } = crewOf(t, "dies");
  await t.rejects(crew.start(1), { message: /3 workers in a row ended right after their start.*exit status 7/ });
  t.equal(forks(), 3);
  await crew.stop(0);
  t.equal(crew.all.length, 0);
});

t.test("a worker of a program that speaks another protocol is not started; the sentence says to restart", async (t) => {
  const { crew } = crewOf(t, "other-protocol");
  await t.rejects(crew.start(1), { message: /another protocol.*restart/ });
  await crew.stop(0);
});

t.test("by the time the crew serves, each worker has been told of the others", async (t) => {
  const told = new Map<WorkerHandle, number>();
  const { crew } = crewOf(t, "serves", undefined, (worker) => {
    worker.tellOthers = ({ count }) => void told.set(worker, count);
  });
  await crew.start(3);
  t.strictSame([...told.values()], [2, 2, 2]);
});

t.test("a program that cannot be run ends the start, in one sentence", async (t) => {
  const { crew, gone } = crewOf(t, "serves");
  loseProgram(t);
  await t.rejects(crew.start(1), { message: /3 workers in a row.*ENOENT/ });
  t.equal(gone.length, 3);
  await crew.stop(0);
});

t.test("a program that cannot be run ends an upgrade, and neither the next one nor the end waits for it", async (t) => {
  const { crew } = crewOf(t, "serves");
  await crew.start(2);
  const pids = crew.serving.map(({ pid }) => pid);
  const restore = loseProgram(t);
  t.match(await crew.replaceAll(0, LIMIT_MS), /^worker 1 of the new program: .*ENOENT/);
  await crew.settle(LIMIT_MS);
  t.strictSame(
    crew.serving.map(({ pid }) => pid),
    pids,
    "the old ones serve on",
  );
  restore();
  t.equal(await crew.replaceAll(0, LIMIT_MS), null);
  t.equal(crew.serving.length, 2);
  await crew.stop(0);
  t.equal(crew.all.length, 0);
});

t.test("a worker that could not be replaced is replaced as soon as the program can be run again", async (t) => {
  const { crew, gone } = crewOf(t, "serves");
  await crew.start(1);
  const restore = loseProgram(t);
  crew.all[0]?.kill();
  while (gone.length < 3) await moment();
  t.equal(crew.serving.length, 0);
  restore();
  while (crew.serving.length === 0) await moment();
  t.equal(crew.all.length, 1);
});

t.test("a worker that says nothing for 20 s is killed and replaced", async (t) => {
  let nowMs = 0;
  const { crew, forks, gone } = crewOf(t, "deaf", () => nowMs);
  await crew.start(1);
  const [deaf] = crew.serving;
  for (; nowMs < 20_000; nowMs += 1_000) {
    t.match(await crew.collect(1), [{ report: null }]);
    t.equal(gone.length, 0);
  }
  const exit = once(deaf?.process ?? process, "exit");
  await crew.collect(1);
  t.strictSame(await exit, [null, "SIGKILL"]);
  while (crew.serving.length === 0) await moment();
  t.strictSame([forks(), crew.restarts, gone.length], [2, 1, 1]);
});

t.test(
  "a worker's replacement waits longer each time, but not behind one that served, nor for another's",
  async (t) => {
    let nowMs = 0;
    const { crew, backOffsMs } = crewOf(t, "serves", () => nowMs);
    await crew.start(2);
    const kill = async (number: number) => {
      const gone = crew.serving.find((worker) => worker.number === number);
      gone?.kill();
      while (crew.all.some((worker) => worker === gone) || crew.serving.length < 2) await moment();
    };
    for (const number of [1, 1, 1, 2]) await kill(number);
    t.strictSame(backOffsMs, [100, 200, 400, 100]);
    nowMs += 5_000;
    for (const number of [1, 1]) await kill(number);
    t.strictSame(backOffsMs.slice(4), [100, 200]);
  },
);

t.test("many workers are replaced some at a time, in so many steps as few would take", async (t) => {
  let most = 0;
  const { crew } = crewOf(t, "serves", undefined, () => {
    most = Math.max(most, crew.all.filter(({ state }) => state === "starting").length);
  });
  await crew.start(9);
  const before = crew.serving.map(({ pid }) => pid);
  most = 0;
  t.equal(await crew.replaceAll(0, LIMIT_MS), null);
  t.equal(most, 2);
  const after = crew.serving.map(({ pid }) => pid);
  t.equal(after.length, 9);
  t.notOk(after.some((pid) => before.includes(pid)));
});

t.test("what ends begins no worker, in an upgrade neither", async (t) => {
  const { crew, forks } = crewOf(t, "serves");
  await crew.start(2);
  const upgraded = crew.replaceAll(0, LIMIT_MS);
  t.equal(forks(), 3, "it has begun one");
  await crew.stop(0);
  t.match(await upgraded, /ending/);
  crew.resize(4);
  t.match(await crew.replaceAll(0, LIMIT_MS), /ending/);
  t.strictSame([forks(), crew.all.length], [3, 0]);
});
