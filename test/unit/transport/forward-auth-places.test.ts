import fc from "fast-check";
import t from "tap";
import { FairPlaces, type Visitor } from "../../../src/transport/forward-auth-places.js";

class Guest implements Visitor {
  readonly client: string;
  state: "waits" | "is in" | "refused" | "gone" = "waits";

  constructor(client: string) {
    this.client = client;
  }

  begin(): void {
    this.state = "is in";
  }

  refuse(): void {
    this.state = "refused";
  }
}

function bench(places: number, waiting: number) {
  const room = new FairPlaces({ places, waiting });
  const guests: Guest[] = [];
  const enter = (client: string, count = 1): Guest[] => {
    const come = Array.from({ length: count }, () => new Guest(client));
    guests.push(...come);
    for (const guest of come) room.enter(guest);
    return come;
  };
  const leave = (guest: Guest): void => {
    if (guest.state !== "refused") guest.state = "gone";
    room.leave(guest);
  };
  const count = (state: Guest["state"], client?: string): number =>
    guests.filter((guest) => guest.state === state && (client === undefined || guest.client === client)).length;
  return { enter, leave, count, guests };
}

t.test("a client alone has half of the places, two a third each, and who comes then finds one", (t) => {
  const { enter, count } = bench(64, 192);
  enter("a", 100);
  t.equal(count("is in"), 32);
  enter("b", 100);
  t.same([count("is in", "a"), count("is in", "b")], [32, 16], "what runs is not ended for others");
  t.same(
    enter("c").map(({ state }) => state),
    ["is in"],
  );
  t.end();
});

t.test("places even out as they come free", (t) => {
  const { enter, leave, count, guests } = bench(60, 1_000);
  enter("a", 200);
  enter("b", 200);
  for (let i = 0; i < 100; i += 1) leave(guests.find(({ state }) => state === "is in") as Guest);
  t.same([count("is in", "a"), count("is in", "b")].sort(), [20, 21], "a third each, and a third is free");
  t.end();
});

t.test("when there is no room to wait, the client with the most gives way", (t) => {
  const { enter, count } = bench(4, 4);
  enter("a", 6);
  t.same([count("is in"), count("waits")], [2, 4]);
  enter("b", 2);
  t.same([count("is in", "b"), count("waits", "b"), count("refused", "a")], [1, 1, 1]);
  t.end();
});

t.test("leaving twice, or after a refusal, frees nothing twice", (t) => {
  const { enter, leave, count } = bench(4, 0);
  const [first, , refused] = enter("a", 3) as [Guest, Guest, Guest];
  t.equal(refused.state, "refused");
  leave(refused);
  leave(first);
  leave(first);
  enter("a", 5);
  t.equal(count("is in"), 2);
  t.end();
});

const steps = fc.array(
  fc.record({ enters: fc.boolean(), client: fc.constantFrom("a", "b", "c", "d", "e"), nth: fc.nat(40) }),
  { maxLength: 120 },
);

t.test("nobody waits who may begin, nobody new waits while a place is free, and no more are in than places", (t) => {
  fc.assert(
    fc.property(steps, fc.integer({ min: 1, max: 12 }), fc.integer({ min: 0, max: 8 }), (all, places, room) => {
      const { enter, leave, count, guests } = bench(places, room);
      for (const { enters, client, nth } of all) {
        const mayBegin = places - count("is in") > count("is in", client);
        if (enters) {
          const [guest] = enter(client) as [Guest];
          if ((guest.state === "is in") !== mayBegin) return false;
        } else {
          const guest = guests[nth];
          if (guest !== undefined) leave(guest);
        }
        const free = places - count("is in");
        if (free < 0 || count("waits") > room) return false;
        if (guests.some((guest) => guest.state === "waits" && count("is in", guest.client) < free)) return false;
      }
      return true;
    }),
    { numRuns: 1_000 },
  );
  t.end();
});
