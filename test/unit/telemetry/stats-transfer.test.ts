import fc from "fast-check";
import t from "tap";
import { GAUGE_FIELDS, Stats } from "../../../src/telemetry/stats.js";
import { StatsMap } from "../../../src/telemetry/stats-map.js";
import { StatsReceiver, StatsSender } from "../../../src/telemetry/stats-transfer.js";

type Numbers = Record<string, number>;

/** Every number that a Stats holds, by its path. */
function numbersOf(object: object, path = "", found: Numbers = {}, seen = new Set<object>()): Numbers {
  if (seen.has(object)) return found;
  seen.add(object);
  for (const [field, value] of Object.entries(object)) {
    const at = `${path}.${field}`;
    if (typeof value === "number") found[at] = value;
    else if (value instanceof Float64Array) for (const [i, count] of value.entries()) found[`${at}[${i}]`] = count;
    else if (value instanceof StatsMap) for (const [key, part] of value) numbersOf(part, `${at}<${key}>`, found, seen);
    else if (typeof value === "object" && value !== null && !(value instanceof Map)) numbersOf(value, at, found, seen);
  }
  return found;
}

const isGauge = (path: string): boolean => GAUGE_FIELDS.has(path.slice(path.lastIndexOf(".") + 1));

/** Between processes all travels as a structured clone. */
const sent = <T>(value: T): T => structuredClone(value);

interface Worker {
  readonly id: number;
  readonly stats: Stats;
  readonly sender: StatsSender;
}

function startWorker(id: number): Worker {
  const stats = new Stats();
  return { id, stats, sender: new StatsSender(stats) };
}

/** Touches one number in whatever part of the Stats it finds by chance. */
function count(stats: Stats, place: number, amount: number): void {
  for (const route of ["a", "b"]) stats.route(route);
  for (const bucket of ["x", "y"]) stats.upstream(bucket);
  stats.credentialsOf("reader");
  const paths: (() => void)[] = [];
  const visit = (object: object, seen: Set<object>): void => {
    if (seen.has(object)) return;
    seen.add(object);
    const fields = object as Record<string, unknown>;
    for (const field of Object.keys(fields)) {
      const value = fields[field];
      if (typeof value === "number") {
        const change = GAUGE_FIELDS.has(field) ? amount : Math.abs(amount);
        paths.push(() => {
          fields[field] = (fields[field] as number) + change;
        });
      } else if (value instanceof Float64Array) {
        const index = place % value.length;
        paths.push(() => {
          value[index] = (value[index] as number) + Math.abs(amount);
        });
      } else if (value instanceof StatsMap) for (const part of value.values()) visit(part, seen);
      else if (typeof value === "object" && value !== null && !(value instanceof Map)) visit(value, seen);
    }
  };
  visit(stats, new Set());
  paths[place % paths.length]?.();
}

const step = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      act: fc.constant("count" as const),
      worker: fc.nat(2),
      place: fc.nat(),
      amount: fc.integer({ min: -5, max: 5 }),
    }),
  },
  { weight: 3, arbitrary: fc.record({ act: fc.constant("take" as const), worker: fc.nat(2) }) },
  { weight: 1, arbitrary: fc.record({ act: fc.constant("die" as const), worker: fc.nat(2) }) },
);

t.test("whatever is counted, told and dies: counters are the sum of all, gauges that of the living", async () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const whole = new Stats();
      const receiver = new StatsReceiver(whole);
      const workers = [startWorker(1), startWorker(2), startWorker(3)];
      const expected: Numbers = {};
      const dead: Stats[] = [];
      const take = ({ id, sender }: Worker) => receiver.apply(id, sent(sender.take()));
      for (const each of steps) {
        const worker = workers[each.worker] as Worker;
        if (each.act === "count") count(worker.stats, each.place, each.amount);
        else take(worker);
        if (each.act !== "die") continue;
        dead.push(worker.stats);
        receiver.forget(worker.id);
        workers[each.worker] = startWorker(worker.id + 3);
      }
      for (const worker of workers) take(worker);
      for (const stats of [...dead, ...workers.map(({ stats }) => stats)]) {
        for (const [path, value] of Object.entries(numbersOf(stats))) {
          if (!isGauge(path) || !dead.includes(stats)) expected[path] = (expected[path] ?? 0) + value;
        }
      }
      const found = numbersOf(whole);
      for (const [path, value] of Object.entries(expected)) {
        if ((found[path] ?? 0) !== value) throw new Error(`${path} is ${found[path]} instead of ${value}`);
      }
      for (const path of Object.keys(found)) if (!(path in expected) && found[path] !== 0) throw new Error(path);
    }),
    { numRuns: 300 },
  );
});

t.test("what did not change is not told, and a route that counts nothing yet is there with 0", async (t) => {
  const worker = startWorker(1);
  worker.stats.route("idle");
  const whole = new Stats();
  const receiver = new StatsReceiver(whole);
  receiver.apply(1, sent(worker.sender.take()));
  t.ok(whole.routes.has("idle"));
  t.equal(worker.sender.take(), null);
  worker.stats.route("idle").retries += 1;
  t.equal(JSON.stringify(worker.sender.take()).length < 100, true, "one number makes a short message");
});

t.test("lists that no number holds are told too: the hosts of refused referers", async (t) => {
  const whole = new Stats();
  const receiver = new StatsReceiver(whole);
  const workers = [startWorker(1), startWorker(2)];
  const tell = () => {
    for (const { id, sender } of workers) receiver.apply(id, sent(sender.take()));
  };
  for (let i = 0; i < 3; i += 1) workers[0]?.stats.noteRefusedReferer("a", "https://thief.example/page");
  workers[1]?.stats.noteRefusedReferer("a", "https://thief.example/other");
  tell();
  workers[1]?.stats.noteRefusedReferer("a", "https://late.example/");
  tell();
  tell();
  t.strictSame(whole.tops().refusedReferers, {
    a: [
      { host: "thief.example", count: 4, atLeast: 4 },
      { host: "late.example", count: 1, atLeast: 1 },
    ],
  });
});

t.test("every map of Stats that workers fill is one that travels", async (t) => {
  // Quotas are watched by the main process alone.
  const local = new Set(["quotas"]);
  for (const [field, value] of Object.entries(new Stats())) {
    if (value instanceof Map && !local.has(field)) t.ok(value instanceof StatsMap, field);
  }
});

t.test("arrays of another length and fields of another version do no harm", async (t) => {
  const whole = new Stats();
  const receiver = new StatsReceiver(whole);
  receiver.apply(1, {
    numbers: { newCounter: 3 },
    arrays: { unknown: [0, 1] },
    objects: { unrouted: { arrays: { errors: [100_000, 1] } } },
    maps: { quotas: [["a", { numbers: { b: 1 } }]], none: [] },
    lists: { routes: [1] },
  });
  t.equal("newCounter" in whole, false);
  t.strictSame(numbersOf(whole), numbersOf(new Stats()));
});
