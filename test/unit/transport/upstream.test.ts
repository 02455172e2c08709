import t, { type Test } from "tap";
import type { ResolvedName } from "../../../src/transport/resolver.js";
import { type AddressPool, Upstream, type UpstreamOptions } from "../../../src/transport/upstream.js";

const OPTIONS: UpstreamOptions = {
  id: "media",
  host: "oss.test",
  port: 80,
  tls: false,
  ca: null,
  connections: 2,
  timeouts: { connectMs: 1_000, headersMs: 1_000, idleMs: 1_000 },
  dns: { minTtlMs: 5_000, maxTtlMs: 60_000, servers: [], addresses: [] },
};

interface Fixture {
  readonly upstream: Upstream;
  readonly setAside: string[];
  readonly changes: (readonly string[])[];
  /** Lets the timer of the next look-up go off, and its answer be taken. */
  readonly lookUpAgain: () => Promise<void>;
}

type LookUp = () => Promise<ResolvedName>;

function fixture(t: Test, addresses: readonly string[], lookUp?: LookUp): Fixture {
  const setAside: string[] = [];
  const changes: (readonly string[])[] = [];
  let next = (): void => {};
  const lookUpAgain = (): Promise<void> => {
    next();
    return new Promise((resolve) => setImmediate(resolve));
  };
  const upstream = new Upstream(
    { ...OPTIONS, dns: { ...OPTIONS.dns, addresses } },
    {
      onDnsChange: (_id, current, previous) => changes.push(current, previous),
      onDnsLookUp: () => {},
      onDnsFailure: () => {},
      onSetAside: (id, address, reason, others) => setAside.push(`${id} ${address} ${reason} ${others}`),
    },
    lookUp,
    {
      set: (callback) => {
        next = callback;
      },
      clear: () => {},
    },
  );
  t.teardown(() => upstream.destroy());
  upstream.start();
  return { upstream, setAside, changes, lookUpAgain };
}

const THREE = ["10.0.0.1", "10.0.0.2", "10.0.0.3"];

function pick(upstream: Upstream, nowMs: number, avoid: AddressPool | null = null): AddressPool {
  const pool = upstream.pick(nowMs, avoid);
  if (pool === null) throw new Error("no address");
  return pool;
}

const picks = (upstream: Upstream, count: number, nowMs = 0): string[] =>
  Array.from({ length: count }, () => pick(upstream, nowMs).address);

t.test("all addresses take turns", async (t) => {
  const { upstream } = fixture(t, THREE);
  const turn = picks(upstream, 3);
  t.same([...turn].sort(), THREE);
  t.same(picks(upstream, 6), [...turn, ...turn]);
});

t.test("an address that failed is passed over for ten seconds", async (t) => {
  const { upstream, setAside } = fixture(t, THREE);
  const failed = pick(upstream, 1_000);
  upstream.setAside(failed, 1_000, "UPSTREAM_RESET");
  t.equal(upstream.setAsideCount(10_999), 1);
  t.notOk(picks(upstream, 9, 10_999).includes(failed.address));
  t.equal(upstream.setAsideCount(11_000), 0);
  t.ok(picks(upstream, 3, 11_000).includes(failed.address));
  t.same(setAside, [`media ${failed.address} UPSTREAM_RESET 2`]);
});

t.test("a second failure makes it longer and is told once", async (t) => {
  const { upstream, setAside } = fixture(t, THREE);
  const failed = pick(upstream, 0);
  upstream.setAside(failed, 0, "UPSTREAM_RESET");
  upstream.setAside(failed, 5_000, "UPSTREAM_RESET");
  t.equal(upstream.setAsideCount(14_999), 1);
  t.equal(setAside.length, 1);
  upstream.setAside(failed, 15_000, "UPSTREAM_RESET");
  t.equal(setAside.length, 2, "it was back in between");
});

t.test("a retry avoids the address that just failed, wherever the turn stands", async (t) => {
  const { upstream } = fixture(t, THREE);
  for (let i = 0; i < 9; i += 1) {
    const failed = pick(upstream, 0);
    t.not(pick(upstream, 0, failed), failed);
  }
});

t.test("when all are set aside, one is used all the same, and another than the one that just failed", async (t) => {
  const { upstream, setAside } = fixture(t, THREE);
  for (let i = 0; i < 3; i += 1) upstream.setAside(pick(upstream, 0), 0, "UPSTREAM_RESET");
  t.equal(upstream.setAsideCount(1), 3);
  t.same(
    setAside.map((line) => line.at(-1)),
    ["2", "1", "0"],
    "how many others are left is told",
  );
  for (let i = 0; i < 9; i += 1) {
    const failed = pick(upstream, 1);
    t.not(pick(upstream, 1, failed), failed);
  }
});

t.test("one address is used even to avoid it: there is no other", async (t) => {
  const { upstream } = fixture(t, ["10.0.0.1"]);
  const only = pick(upstream, 0);
  upstream.setAside(only, 0, "UPSTREAM_RESET");
  t.equal(pick(upstream, 1, only), only);
});

t.test("while no address is known none is picked, and who waits is told", async (t) => {
  const { upstream } = fixture(t, [], () => Promise.reject(new Error("NXDOMAIN")));
  t.equal(upstream.pick(0, null), null);
  await t.rejects(upstream.whenResolved(), { code: "UPSTREAM_NAME_NOT_RESOLVED" });
});

t.test("an address that stays keeps its connections and its health through a change", async (t) => {
  let answer: ResolvedName = { addresses: ["10.0.0.1", "10.0.0.2"], ttlMs: null };
  const { upstream, changes, lookUpAgain } = fixture(t, [], async () => answer);
  await upstream.whenResolved();
  t.same(changes, [["10.0.0.1", "10.0.0.2"], []]);
  const kept = [pick(upstream, 0), pick(upstream, 0)].find(({ address }) => address === "10.0.0.2");
  if (kept === undefined) throw new Error("not picked");
  upstream.setAside(kept, 0, "UPSTREAM_RESET");
  answer = { addresses: ["10.0.0.2", "10.0.0.3"], ttlMs: null };
  await lookUpAgain();
  t.same(upstream.addresses, ["10.0.0.2", "10.0.0.3"]);
  t.equal(upstream.setAsideCount(1), 1);
  t.same(new Set(picks(upstream, 4, 1)), new Set(["10.0.0.3"]));
});

t.test("it is full when twice its connections are taken", async (t) => {
  const { upstream } = fixture(t, THREE);
  upstream.inFlight = 11;
  t.notOk(upstream.isFull);
  upstream.inFlight = 12;
  t.ok(upstream.isFull);
});

t.test("the name for TLS is the endpoint's own, and none for an address", async (t) => {
  const nothing = { onDnsChange() {}, onDnsLookUp() {}, onDnsFailure() {}, onSetAside() {} };
  for (const [host, name] of [
    ["oss.test", "oss.test"],
    ["10.0.0.1", ""],
    ["fd00::1", ""],
  ] as const) {
    t.equal(new Upstream({ ...OPTIONS, host, tls: true }, nothing).servername, name);
  }
});
