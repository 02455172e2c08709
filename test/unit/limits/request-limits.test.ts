import fc from "fast-check";
import t from "tap";
import { createLocalBudgets } from "../../../src/limits/local-budgets.js";
import {
  compileRequestLimits,
  type RequestLimits,
  type RequestLimitsOptions,
} from "../../../src/limits/request-limits.js";

const NONE: RequestLimitsOptions = {
  requestsPerSecond: null,
  burst: null,
  connections: null,
  perClient: null,
  status: 429,
  dryRun: false,
};
const NO_RATES = { requestsPerSecond: null, burst: null, connections: null };

function compile(options: Partial<RequestLimitsOptions>): RequestLimits {
  const limits = compileRequestLimits("route/a", { ...NONE, ...options }, createLocalBudgets());
  if (limits === null) throw new Error("nothing is limited");
  return limits;
}

const A = "192.0.2.1";
const B = "192.0.2.2";

t.test("nothing limited compiles to nothing", (t) => {
  t.equal(compileRequestLimits("route/a", NONE, createLocalBudgets()), null);
  t.equal(compileRequestLimits("route/a", { ...NONE, perClient: NO_RATES }, createLocalBudgets()), null);
  t.end();
});

t.test("over the rate is 429 with the seconds to wait, in OSS's code", (t) => {
  const limits = compile({ requestsPerSecond: 0.5, burst: 2 });
  t.equal(limits.needsClient, false);
  t.same([limits.enter("", 0), limits.enter("", 0)], [null, null]);
  const verdict = limits.enter("", 0);
  t.match(verdict, { limit: "requests", party: "all", dryRun: false });
  t.match(verdict?.denial, { code: "RATE_LIMITED", headers: ["Retry-After", "2"], oss: undefined });
  t.same(limits.enter("", 1500)?.denial.headers, ["Retry-After", "1"]);
  t.equal(limits.enter("", 100), limits.enter("", 200), "the same answer is made once");
  t.equal(limits.enter("", 2000), null);
  t.end();
});

t.test("without a burst half a second's worth may come at once", (t) => {
  const limits = compile({ requestsPerSecond: 9 });
  t.equal(Array.from({ length: 9 }, () => limits.enter("", 0)).filter((verdict) => verdict === null).length, 5);
  t.end();
});

t.test("status 503 is OSS's error with another status", (t) => {
  const limits = compile({ requestsPerSecond: 1, burst: 1, connections: 1, status: 503 });
  limits.enter("", 0);
  t.match(limits.enter("", 0)?.denial, {
    code: "RATE_LIMITED",
    oss: { status: 503, code: "QpsLimitExceeded", ec: null },
  });
  t.match(limits.enter("", 1000)?.denial, {
    code: "TOO_MANY_CONNECTIONS",
    oss: { status: 503, code: "ActiveRequestLimitExceeded", ec: null },
    headers: ["Retry-After", "1"],
  });
  t.end();
});

t.test("one request too many at once is refused until one has left", (t) => {
  const limits = compile({ connections: 1 });
  t.equal(limits.enter(A, 0), null);
  t.match(limits.enter(B, 0), { limit: "connections", party: "all", denial: { code: "TOO_MANY_CONNECTIONS" } });
  limits.leave(A, 0);
  t.equal(limits.enter(B, 0), null);
  t.end();
});

t.test("limits of a client hold for that client alone, in a /64 for all", (t) => {
  const limits = compile({ perClient: { requestsPerSecond: 1, burst: 1, connections: null } });
  t.equal(limits.needsClient, true);
  t.equal(limits.enter(A, 0), null);
  t.match(limits.enter(A, 0), { limit: "requests", party: "client" });
  t.equal(limits.enter(B, 0), null);
  t.equal(limits.enter("2001:db8::1", 0), null);
  t.match(limits.enter("2001:db8::2", 0), { party: "client" });
  const slots = compile({ perClient: { ...NO_RATES, connections: 1 } });
  t.equal(slots.enter(A, 0), null);
  t.match(slots.enter(A, 0), { limit: "connections", party: "client" });
  t.equal(slots.enter(B, 0), null);
  slots.leave(A, 0);
  t.equal(slots.enter(A, 0), null);
  t.end();
});

t.test("what is refused to a greedy client takes nothing from the others", (t) => {
  const limits = compile({
    requestsPerSecond: 1,
    burst: 10,
    connections: 10,
    perClient: { requestsPerSecond: 1, burst: 3, connections: null },
  });
  for (let i = 0; i < 1000; i += 1) limits.enter(A, 0);
  t.equal(Array.from({ length: 20 }, (_, i) => limits.enter(`10.0.0.${i}`, 0)).filter((v) => v === null).length, 7);
  t.end();
});

t.test("what is refused for all takes nothing from the client", (t) => {
  const limits = compile({
    connections: 1,
    perClient: { requestsPerSecond: 1, burst: 1, connections: 1 },
  });
  t.equal(limits.enter(A, 0), null);
  for (let i = 0; i < 5; i += 1) t.match(limits.enter(B, 0), { party: "all" });
  limits.leave(A, 0);
  t.equal(limits.enter(B, 0), null);
  t.end();
});

t.test("a request that was refused elsewhere is as if it had not come", (t) => {
  const rates = { requestsPerSecond: 1, burst: 1, connections: 1 };
  const limits = compile({ ...rates, perClient: rates });
  for (let i = 0; i < 5; i += 1) {
    t.equal(limits.enter(A, 0), null);
    limits.undo(A, 0);
  }
  t.equal(limits.enter(A, 0), null);
  limits.leave(A, 0);
  t.match(limits.enter(A, 0), { limit: "requests" });
  t.end();
});

t.test("a dry run refuses on paper what would be refused, and every request leaves", (t) => {
  const act = fc.record({
    isLeaving: fc.boolean(),
    client: fc.constantFrom(A, B),
    afterMs: fc.integer({ min: 0, max: 400 }),
  });
  const options = {
    requestsPerSecond: 8,
    burst: 3,
    connections: 4,
    perClient: { requestsPerSecond: 5, burst: 2, connections: 2 },
  };
  fc.assert(
    fc.property(fc.array(act, { maxLength: 60 }), (acts) => {
      const enforced = compile(options);
      const dry = compile({ ...options, dryRun: true });
      let nowMs = 0;
      for (const { client, afterMs } of acts) {
        nowMs += afterMs;
        const expected = enforced.enter(client, nowMs);
        const found = dry.enter(client, nowMs);
        if (found?.dryRun === false || expected?.limit !== found?.limit || expected?.party !== found?.party)
          return false;
        if (expected === null) enforced.leave(client, nowMs);
        dry.leave(client, nowMs);
      }
      return true;
    }),
  );
  fc.assert(
    fc.property(fc.array(act, { maxLength: 60 }), (acts) => {
      const dry = compile({ connections: 3, perClient: { ...NO_RATES, connections: 2 }, dryRun: true });
      const running: string[] = [];
      for (const { client, isLeaving } of acts) {
        const gone = isLeaving ? running.indexOf(client) : -1;
        if (gone === -1) {
          dry.enter(client, 0);
          running.push(client);
        } else {
          running.splice(gone, 1);
          dry.leave(client, 0);
        }
      }
      for (const client of running) dry.leave(client, 0);
      return (
        dry.enter(A, 0) === null && dry.enter(A, 0) === null && dry.enter(B, 0) === null && dry.enter(B, 0) !== null
      );
    }),
  );
  t.end();
});

t.test("whatever comes and goes, nothing is taken for good", (t) => {
  const act = fc.record({ client: fc.constantFrom(A, B, "10.0.0.1"), isLeaving: fc.boolean(), isUndone: fc.boolean() });
  fc.assert(
    fc.property(fc.array(act, { maxLength: 80 }), (acts) => {
      const limits = compile({
        requestsPerSecond: 100,
        burst: 50,
        connections: 4,
        perClient: { requestsPerSecond: 100, burst: 20, connections: 2 },
      });
      const running: string[] = [];
      for (const { client, isLeaving, isUndone } of acts) {
        const gone = isLeaving ? running.shift() : undefined;
        if (gone !== undefined) {
          if (isUndone) limits.undo(gone, 0);
          else limits.leave(gone, 0);
        } else if (limits.enter(client, 0) === null) running.push(client);
      }
      for (const client of running) limits.leave(client, 0);
      return [A, A, B, B].every((client) => limits.enter(client, 10_000) === null) && limits.enter(A, 10_000) !== null;
    }),
  );
  t.end();
});
