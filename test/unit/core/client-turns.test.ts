import fc from "fast-check";
import t from "tap";
import { ClientTurns } from "../../../src/core/client-turns.js";

interface Item {
  readonly client: string;
  readonly id: number;
}

function bench(limit: number) {
  const turns = new ClientTurns<Item>(limit);
  let count = 0;
  const add = (client: string): { readonly item: Item; readonly refused: Item | null } => {
    count += 1;
    const item = { client, id: count };
    return { item, refused: turns.add(client, item) };
  };
  /** All that wait, by client, in their order. */
  const drain = (): string => {
    let order = "";
    for (let next = turns.take(); next !== null; next = turns.take()) order += next.client;
    return order;
  };
  return { turns, add, drain };
}

t.test("clients take turns, and of one client the first goes first", (t) => {
  const { turns, add, drain } = bench(10);
  const [a1, , , b1] = [..."aaabcb"].map((client) => add(client).item);
  t.equal(turns.size, 6);
  t.equal(turns.take(), a1);
  t.equal(turns.take(), b1);
  t.equal(drain(), "caba");
  t.equal(turns.size, 0);
  t.equal(turns.take(), null);
  t.end();
});

t.test("who may not go is passed over and keeps the turn", (t) => {
  const { turns, add, drain } = bench(10);
  for (const client of "aabb") add(client);
  t.equal(turns.take((client) => client !== "a")?.client, "b");
  t.equal(
    turns.take(() => false),
    null,
  );
  t.equal(drain(), "aba");
  t.end();
});

t.test("what is taken out waits no more, and leaves its client's others in order", (t) => {
  const { turns, add, drain } = bench(10);
  const [first, second] = [..."aab"].map((client) => add(client).item) as [Item, Item];
  t.equal(turns.remove("a", first), true);
  t.equal(turns.remove("a", first), false);
  t.equal(turns.remove("b", second), false, "it is another's");
  t.equal(turns.remove("nobody", second), false);
  t.equal(turns.take(), second);
  t.equal(drain(), "b");
  t.end();
});

t.test("without room the last of the client with the most gives way, or what is added", (t) => {
  const { turns, add, drain } = bench(4);
  const flood = [..."aaaa"].map((client) => add(client).item);
  const own = add("a");
  t.equal(own.refused, own.item, "one's own are not worth more than each other");
  t.equal(add("b").refused, flood[3]);
  t.equal(add("c").refused, flood[2]);
  const second = add("b");
  t.equal(second.refused, second.item, "two of one are not fairer than two of another");
  t.equal(turns.size, 4);
  t.equal(drain(), "abca");
  t.end();
});

t.test("without any place to wait everything is refused", (t) => {
  const { turns, add } = bench(0);
  const { item, refused } = add("a");
  t.equal(refused, item);
  t.equal(turns.size, 0);
  t.end();
});

const steps = fc.array(
  fc.record({
    kind: fc.constantFrom("add", "add", "take", "remove"),
    client: fc.constantFrom("a", "b", "c"),
    nth: fc.nat(20),
  }),
  { maxLength: 60 },
);

t.test("never more wait than may, nothing is lost, and nobody has two turns while another waits for one", (t) => {
  fc.assert(
    fc.property(steps, fc.integer({ min: 1, max: 6 }), (all, limit) => {
      const { turns, add } = bench(limit);
      const waiting = new Set<Item>();
      /** Clients that waited when this one had its turn, and had none since. */
      const owed = new Map<string, Set<string>>();
      const gone = (item: Item): void => {
        waiting.delete(item);
        if ([...waiting].some(({ client }) => client === item.client)) return;
        for (const others of owed.values()) others.delete(item.client);
      };
      for (const { kind, client, nth } of all) {
        if (kind === "add") {
          const { item, refused } = add(client);
          waiting.add(item);
          if (refused !== null) gone(refused);
        } else if (kind === "remove") {
          const item = [...waiting][nth];
          if (item !== undefined && turns.remove(item.client, item)) gone(item);
        } else {
          const next = turns.take();
          if ((next === null) !== (waiting.size === 0)) return false;
          if (next === null) continue;
          if ((owed.get(next.client)?.size ?? 0) > 0) return false;
          for (const others of owed.values()) others.delete(next.client);
          gone(next);
          const others = [...waiting].map((item) => item.client).filter((other) => other !== next.client);
          owed.set(next.client, new Set(others));
        }
        if (turns.size !== waiting.size || waiting.size > limit) return false;
      }
      return true;
    }),
    { numRuns: 2_000 },
  );
  t.end();
});
