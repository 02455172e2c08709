import fc from "fast-check";
import t from "tap";
import type { AccessEntry } from "../../../src/telemetry/access-entry.js";
import { RecentEvents } from "../../../src/telemetry/recent-events.js";

const START_MS = 1_800_000_000_000;

function entry(own: Partial<AccessEntry> = {}): AccessEntry {
  return {
    requestId: "0123456789ABCDEF01234567",
    client: "192.0.2.1",
    host: "img.example.com",
    method: "GET",
    target: "/a.png",
    protocol: "HTTP/1.1",
    route: "images",
    status: 403,
    signature: "anonymous",
    receivedBytes: 0,
    sentBytes: 0,
    durationMs: 1,
    error: "REFERER_DENIED",
    detail: "Not from there.",
    ...own,
  };
}

t.test("what went well, and a client that left, are no events; what OSS refused is one", async (t) => {
  const recent = new RecentEvents();
  const well = [
    { status: 200, error: undefined },
    { status: 404, error: undefined },
    { status: 499, error: "CLIENT_GONE" },
  ];
  for (const own of well) recent.note(entry(own), START_MS);
  t.same(recent.latest(50), []);
  recent.note(entry({ error: undefined, detail: undefined, ossEc: "0003-00000001", ossRequestId: "OSS1" }), START_MS);
  recent.note(entry({ error: undefined, detail: undefined, status: 503, bucket: "media" }), START_MS + 20_000);
  t.match(recent.latest(50), [
    { code: "OSS", status: 503, sample: { detail: "OSS answered 503.", bucket: "media" } },
    {
      code: "OSS",
      status: 403,
      sample: { detail: "OSS refused the request (EC 0003-00000001).", ossRequestId: "OSS1" },
    },
  ]);
});

t.test("a flood is one line with a count, and does not push out what is rare", async (t) => {
  const recent = new RecentEvents();
  recent.note(entry({ route: "rare", error: "UPSTREAM_TLS", status: 502 }), START_MS);
  for (let i = 0; i < 200_000; i += 1) recent.note(entry({ target: `/${i}` }), START_MS + i);
  const events = recent.latest(50);
  t.ok(events.length <= 6, `${events.length} events`);
  t.match(events.at(-1), { route: "rare", count: 1 });
  t.match(events[0], { count: 10_000, firstMs: START_MS + 190_000, lastMs: START_MS + 199_999 });
  t.equal(events[0]?.sample.target, "/199000", "a sample is renewed each second");
});

t.test("however many routes and codes there are, so many events are kept and no more", async (t) => {
  const recent = new RecentEvents();
  for (let i = 0; i < 3_000; i += 1) recent.note(entry({ route: `route-${i}` }), START_MS + i);
  const events = recent.latest(10_000);
  t.equal(events.length, 200);
  t.equal(events[0]?.route, "route-2999", "the latest stay");
  t.equal(recent.latest(50).length, 50);
});

t.test("what a client wrote is masked and cut", async (t) => {
  const recent = new RecentEvents();
  recent.note(entry({ target: `/a?Signature=abcdef&x=${"y".repeat(9_000)}`, host: "h".repeat(5_000) }), START_MS);
  const [event] = recent.latest(1);
  t.match(event?.sample.target, /^\/a\?Signature=\*\*\*&x=y+…$/);
  t.equal(event?.sample.target.length, 512);
  t.equal(event?.sample.host.length, 512);
});

t.test("what processes take and the main process adds is what they noted, each counted once", async () => {
  const noted = fc.record({
    worker: fc.nat(2),
    route: fc.constantFrom("a", "b"),
    error: fc.constantFrom("NO_ROUTE", "LINK_EXPIRED"),
    afterMs: fc.nat(4_000),
    isTaken: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(noted, { maxLength: 30 }), (steps) => {
      const workers = [new RecentEvents(), new RecentEvents(), new RecentEvents()];
      const main = new RecentEvents();
      let nowMs = START_MS;
      for (const { worker, route, error, afterMs, isTaken } of steps) {
        nowMs += afterMs;
        workers[worker]?.note(entry({ route, error }), nowMs);
        if (isTaken) main.add(JSON.parse(JSON.stringify(workers[worker]?.take())));
      }
      for (const worker of workers) main.add(worker.take());
      const total = main.latest(1_000).reduce((sum, { count }) => sum + count, 0);
      // Of a kind the oldest go; 30 steps of at most 4 s are no more than 12 events of 10 s.
      const kept = steps.length;
      return workers.every((worker) => worker.take().length === 0) && total <= kept && (kept > 15 || total === kept);
    }),
  );
});
