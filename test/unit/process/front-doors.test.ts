import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { pino } from "pino";
import t, { type Test } from "tap";
import type { ListenerConfig } from "../../../src/config/gateway-config.js";
import { FrontDoors, type Taker } from "../../../src/process/front-doors.js";

const log = pino({ level: "silent" });

/** Takes what it is given when the test says so. */
class TestTaker implements Taker {
  isServing = true;
  readonly number: number;
  open = 0;
  readonly given: ((isTaken: boolean) => void)[] = [];
  /** In all. */
  total = 0;
  #onGiven: () => void = () => {};

  constructor(number = 1) {
    this.number = number;
  }

  get untaken(): number {
    return this.given.length;
  }

  give(_door: string, _socket: Socket, onEnd: (isTaken: boolean) => void): void {
    this.given.push(onEnd);
    this.total += 1;
    this.#onGiven();
  }

  takeAll(): void {
    for (const onEnd of this.given.splice(0)) onEnd(true);
  }

  async until(total: number): Promise<void> {
    while (this.total < total) {
      await new Promise<void>((resolve) => {
        this.#onGiven = resolve;
      });
    }
  }
}

async function openDoors(t: Test, connections: number) {
  let refused = 0;
  const onRefused = () => {
    refused += 1;
  };
  const doors = new FrontDoors({ log, systemdSockets: () => [], onRefused });
  const address = { host: "127.0.0.1", port: 0, systemd: null };
  const { table, useNew } = await doors.prepare([{ name: "web", address } as unknown as ListenerConfig]);
  doors.divide(connections, 1);
  useNew();
  t.teardown(() => doors.close());
  const [bound] = Object.values(table);
  const clients: Socket[] = [];
  t.teardown(() => {
    for (const client of clients) client.destroy();
  });
  const enter = async (count: number) => {
    for (let i = 0; i < count; i += 1) {
      const client = connect(bound?.port ?? 0, "127.0.0.1").on("error", () => {});
      clients.push(client);
      await once(client, "connect");
    }
  };
  return { doors, enter, refused: () => refused };
}

t.test("a worker that does not take what it was given gets no more; the rest waits and is handed out", async (t) => {
  const { doors, enter, refused } = await openDoors(t, 1_000);
  const taker = new TestTaker();
  doors.add(taker);
  await enter(300);
  await taker.until(256);
  t.equal(taker.total, 256);
  taker.takeAll();
  await taker.until(300);
  t.equal(taker.untaken, 44);
  taker.takeAll();
  t.equal(refused(), 0);
});

t.test("as many connections may wait as may be open, and what takes them gets them without delay", async (t) => {
  const count = 5_000;
  const { doors, enter, refused } = await openDoors(t, count);
  await enter(count);
  const taker = new TestTaker();
  doors.add(taker);
  doors.handOut();
  while (taker.total < count) {
    if (taker.given.length > 0) taker.takeAll();
    // Those that connected last may not be accepted yet.
    else await taker.until(taker.total + 1);
  }
  t.equal(taker.total, count);
  t.equal(refused(), 0);
});

t.test("a connection goes to who has room", async (t) => {
  const { doors, enter } = await openDoors(t, 10);
  doors.divide(10, 2);
  const [full, free] = [new TestTaker(1), new TestTaker(2)];
  full.open = 5;
  doors.add(full);
  doors.add(free);
  await enter(5);
  await free.until(5);
  t.equal(full.total, 0);
  // It refuses; but a client is told so by the worker.
  await enter(1);
  await full.until(1);
  for (const taker of [full, free]) taker.takeAll();
});
