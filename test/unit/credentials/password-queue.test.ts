import t from "tap";
import { FairQueue } from "../../../src/credentials/password-queue.js";
import { settled } from "./fake-clock.js";

/** Works that end when the test says so, and what has begun. */
function bench(running: number, waiting: number) {
  const queue = new FairQueue({ running, waiting });
  const begun: string[] = [];
  const ends = new Map<string, (error?: Error) => void>();
  const run = (client: string, name: string) =>
    queue.run(client, () => {
      begun.push(name);
      return new Promise<string>((resolve, reject) => {
        ends.set(name, (error) => (error === undefined ? resolve(name) : reject(error)));
      });
    });
  const end = async (name: string, error?: Error): Promise<void> => {
    ends.get(name)?.(error);
    await settled();
  };
  return { run, begun, end };
}

t.test("so many run at once, and the next begins when one ends", async (t) => {
  const { run, begun, end } = bench(2, 10);
  const works = ["a", "b", "c", "d"].map((name) => run("x", name));
  t.same(begun, ["a", "b"]);
  await end("b");
  t.same(begun, ["a", "b", "c"]);
  await end("a");
  await end("c");
  await end("d");
  t.same(await Promise.all(works), ["a", "b", "c", "d"]);
});

t.test("clients take turns, however many works one of them has", async (t) => {
  const { run, begun, end } = bench(1, 10);
  for (const name of ["a1", "a2", "a3", "a4"]) void run("a", name);
  void run("b", "b1");
  void run("c", "c1");
  void run("b", "b2");
  for (let i = 0; i < 7; i += 1) await end(begun.at(-1) ?? "");
  t.same(begun, ["a1", "a2", "b1", "c1", "a3", "b2", "a4"]);
});

t.test("where the queue is full, the client with the most gives way, its last work first", async (t) => {
  const { run, begun, end } = bench(1, 4);
  void run("flood", "running");
  const flood = ["f1", "f2", "f3", "f4"].map((name) => run("flood", name));
  t.equal(await run("flood", "f5"), null, "its own are not worth more than each other");
  const b = run("b", "b1");
  t.equal(await flood[3], null);
  const c = run("c", "c1");
  t.equal(await flood[2], null);
  t.equal(await run("b", "b2"), null, "two of one are not fairer than two of another");
  for (let i = 0; i < 5; i += 1) await end(begun.at(-1) ?? "");
  t.same(begun, ["running", "f1", "b1", "c1", "f2"]);
  t.same(await Promise.all([b, c]), ["b1", "c1"]);
});

t.test("a work that fails frees its place, and its caller learns why", async (t) => {
  const { run, begun, end } = bench(1, 4);
  const first = run("a", "a1");
  const second = run("a", "a2");
  const failed = t.rejects(first, { message: "broken" });
  await end("a1", new Error("broken"));
  await failed;
  t.same(begun, ["a1", "a2"]);
  await end("a2");
  t.equal(await second, "a2");
  const third = run("a", "a3");
  t.same(begun, ["a1", "a2", "a3"], "all places are free again");
  await end("a3");
  t.equal(await third, "a3");
});
