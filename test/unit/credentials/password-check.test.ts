import { inspect } from "node:util";
import bcrypt from "bcrypt";
import t from "tap";
import { Secret } from "../../../src/core/secret.js";
import { knownHashes, PasswordCheck } from "../../../src/credentials/password-check.js";
import { matchesHash, nobodysHash } from "../../../src/credentials/password-hash.js";

const fake = (letter: string): Secret => new Secret(`$2b$04$${letter.repeat(53)}`);

/** Compares by a table instead of hashing, when the test says so. */
function bench(limits = { running: 2, waiting: 4 }) {
  let nowMs = 1_000;
  const compared: string[] = [];
  const pending: (() => void)[] = [];
  const right = new Map([[fake("a").reveal(), "right"]]);
  const check = new PasswordCheck({
    limits,
    clock: { now: () => nowMs },
    compare: (password, hash) => {
      compared.push(password);
      return new Promise((resolve) => pending.push(() => resolve(right.get(hash.reveal()) === password)));
    },
  });
  const known = knownHashes(new Map([["anna", fake("a")]]), 4);
  return {
    check,
    known,
    compared,
    right,
    verify: (name: string, password: string, client = "c") => check.verify(known, { name, password }, client),
    finish: () => {
      for (const end of pending.splice(0)) end();
    },
    pass: (ms: number) => {
      nowMs += ms;
    },
  };
}

t.test("a pair that was checked is known at once: right ones for 5 minutes, wrong ones for 30 s", async (t) => {
  const { verify, finish, pass, compared } = bench();
  const first = [verify("anna", "right"), verify("anna", "wrong")];
  finish();
  t.same(await Promise.all(first), ["right", "wrong"]);
  t.equal(verify("anna", "right"), "right");
  t.equal(verify("anna", "wrong"), "wrong");
  pass(30_001);
  t.equal(verify("anna", "right"), "right");
  const again = verify("anna", "wrong");
  t.ok(again instanceof Promise);
  finish();
  await again;
  pass(5 * 60_000);
  const late = verify("anna", "right");
  t.ok(late instanceof Promise);
  finish();
  t.equal(await late, "right");
  t.equal(compared.length, 4);
});

t.test("the same pair is hashed once at a time, whoever asks", async (t) => {
  const { verify, finish, compared } = bench();
  const all = Array.from({ length: 50 }, (_, i) => verify("anna", "right", `client ${i}`));
  t.equal(compared.length, 1);
  finish();
  t.same(new Set(await Promise.all(all)), new Set(["right"]));
});

t.test("a flood of wrong passwords is answered busy, and another client's login has its turn", async (t) => {
  const { verify, finish, compared } = bench();
  const flood = Array.from({ length: 20 }, (_, i) => verify("anna", `guess ${i}`, "flood"));
  const login = verify("anna", "right", "other");
  let verdict: unknown;
  void Promise.resolve(login).then((value) => {
    verdict = value;
  });
  for (let rounds = 0; verdict === undefined && rounds < 3; rounds += 1) {
    finish();
    await new Promise(setImmediate);
  }
  t.equal(verdict, "right");
  t.ok(compared.indexOf("right") <= 3, `it was number ${compared.indexOf("right")} of ${compared.length}`);
  for (let i = 0; i < 10; i += 1) {
    finish();
    await new Promise(setImmediate);
  }
  const verdicts = await Promise.all(flood);
  t.equal(verdicts.filter((value) => value === "wrong").length, 5, "2 ran and 3 waited, a fourth made room");
  t.equal(verdicts.filter((value) => value === "busy").length, 15);
  const again = verify("anna", "guess 19", "flood");
  t.ok(again instanceof Promise, "a pair that was not checked is not remembered as wrong");
  finish();
  t.equal(await again, "wrong");
});

t.test("guesses push no right pair out of what is remembered", async (t) => {
  const { verify, finish } = bench({ running: 20_000, waiting: 0 });
  const first = verify("anna", "right");
  finish();
  await first;
  const guesses = Array.from({ length: 15_000 }, (_, i) => verify("anna", `guess ${i}`));
  finish();
  await Promise.all(guesses);
  t.equal(verify("anna", "right"), "right");
  t.equal(verify("anna", "guess 14999"), "wrong");
  const oldest = verify("anna", "guess 0");
  t.ok(oldest instanceof Promise, "of wrong ones no more than 10,000 are kept");
  finish();
  await oldest;
});

t.test("what is remembered is of one hash: a changed file forgets it", async (t) => {
  const { check, verify, finish, right } = bench();
  const first = [verify("anna", "right"), verify("ben", "right")];
  finish();
  t.same(await Promise.all(first), ["right", "wrong"]);
  right.set(fake("b").reveal(), "right");
  const changed = knownHashes(
    new Map([
      ["anna", fake("c")],
      ["ben", fake("b")],
    ]),
    4,
  );
  const after = ["anna", "ben"].map((name) => check.verify(changed, { name, password: "right" }, "c"));
  finish();
  t.same(await Promise.all(after), ["wrong", "right"]);
});

t.test("pairs that read the same when written together are not the same", async (t) => {
  const { check, known, finish, compared } = bench();
  const asked = [
    check.verify(known, { name: "a", password: "b:c" }, "c"),
    check.verify(known, { name: "ab", password: "c" }, "c"),
    check.verify(known, { name: "", password: "abc" }, "c"),
  ];
  finish();
  await new Promise(setImmediate);
  finish();
  await Promise.all(asked);
  t.equal(compared.length, 3);
});

t.test("passwords that bcrypt would cut are wrong, and cost nothing", (t) => {
  const { verify, compared } = bench();
  t.equal(verify("anna", "x".repeat(73)), "wrong");
  t.equal(verify("anna", "é".repeat(37)), "wrong");
  t.equal(verify("anna", "right\0more"), "wrong");
  t.equal(compared.length, 0);
  t.end();
});

t.test("72 bytes are hashed as they are, by bcrypt itself", async (t) => {
  const password = "é".repeat(36);
  const hash = new Secret(await bcrypt.hash(password, 4));
  const check = new PasswordCheck();
  const known = knownHashes(new Map([["anna", hash]]), 4);
  t.equal(await check.verify(known, { name: "anna", password }, ""), "right");
  t.equal(
    await check.verify(known, { name: "anna", password: `${password}x` }, ""),
    "wrong",
    "the rest would not count",
  );
  t.equal(await check.verify(known, { name: "anna", password: password.slice(1) }, ""), "wrong");
});

t.test("an unknown name takes as many rounds as a known one", async (t) => {
  const costs: number[] = [];
  const check = new PasswordCheck({
    compare: async (password, hash) => {
      costs.push(bcrypt.getRounds(hash.reveal()));
      return matchesHash(password, hash);
    },
  });
  const hashes = new Map([["anna", new Secret(await bcrypt.hash("x", 6))]]);
  const known = knownHashes(hashes, 6);
  t.equal(await check.verify(known, { name: "anna", password: "y" }, ""), "wrong");
  t.equal(await check.verify(known, { name: "nobody", password: "y" }, ""), "wrong");
  t.same(costs, [6, 6]);
  t.match(nobodysHash(4).reveal(), /^\$2b\$04\$[./A-Za-z0-9]{53}$/);
  t.not(nobodysHash(4).reveal(), nobodysHash(4).reveal());
});

t.test("nothing that is kept prints a name or a password", async (t) => {
  const { check, verify, finish } = bench();
  const asked = verify("anna", "right");
  finish();
  await asked;
  t.notMatch(inspect(check, { depth: null, showHidden: true }), /anna|right"|\$2b/);
});
