import t from "tap";
import { Holder, Holdings } from "../../../src/route/holdings.js";
import { Usage } from "../../../src/route/usage.js";

t.test("what two hold is made once, and ended when both have let go", (t) => {
  const ended: string[] = [];
  const holdings = new Holdings<{ name: string }>(({ name }) => ended.push(name));
  const [one, other] = [new Holder(), new Holder()];
  const made = one.hold(holdings, "a", () => ({ name: "first" }));
  t.equal(
    other.hold(holdings, "a", () => ({ name: "second" })),
    made,
  );
  one.letGo();
  one.letGo();
  t.same(ended, []);
  other.letGo();
  t.same(ended, ["first"]);
  t.equal(holdings.size, 0);
  t.not(
    one.hold(holdings, "a", () => ({ name: "third" })),
    made,
  );
  t.end();
});

t.test("what was made of others ends before them, and what could not be made is not held", (t) => {
  const ended: string[] = [];
  const holdings = new Holdings<string>((value) => ended.push(value));
  const holder = new Holder();
  holder.hold(holdings, "base", () => "base");
  holder.hold(holdings, "top", () => "top");
  t.throws(() =>
    holder.hold(holdings, "bad", () => {
      throw new Error("cannot be had");
    }),
  );
  t.equal(holdings.size, 2);
  holder.letGo();
  t.same(ended, ["top", "base"]);
  t.end();
});

t.test("the end of the last request is told, once", (t) => {
  const usage = new Usage();
  let told = 0;
  usage.enter();
  usage.enter();
  usage.whenIdle(() => {
    told += 1;
  });
  usage.leave();
  t.equal(told, 0);
  usage.leave();
  t.equal(told, 1);
  usage.enter();
  usage.leave();
  t.equal(told, 1);
  new Usage().whenIdle(() => {
    told += 1;
  });
  t.equal(told, 2, "at once when nothing runs");
  t.end();
});
