import { once } from "node:events";
import { type AddressInfo, connect, type Socket } from "node:net";
import t, { type Test } from "tap";
import type { ListenAddress } from "../../../src/config/gateway-config.js";
import { bindHandle, type TcpHandle } from "../../../src/process/tcp-handle.js";
import { WorkerDoors } from "../../../src/process/worker-doors.js";

const ADDRESS: ListenAddress = { host: "127.0.0.1", port: 0, systemd: null };
const KEY = "127.0.0.1:0 web";

/** A worker's doors in this process, and what they say. */
async function openDoors(t: Test, { isOneOfMany = true, part = 100 } = {}) {
  let load = { open: 0, part };
  const said: string[] = [];
  const passed: TcpHandle[] = [];
  let heard = () => {};
  const talk = {
    open: (count: number) => void said.push(`open ${count}`),
    taken: (id: number, isTaken: boolean) => void said.push(`taken ${id} ${isTaken}`),
    passOn(_door: string, handle: TcpHandle) {
      passed.push(handle);
      heard();
    },
  };
  const doors = new WorkerDoors({ talk, isOneOfMany, load: () => load });
  doors.receive(KEY, bindHandle("127.0.0.1", 0).handle);
  const entered: Socket[] = [];
  const door = await doors.open({
    name: "web",
    address: ADDRESS,
    onConnection(socket) {
      entered.push(socket);
      load = { ...load, open: load.open + 1 };
      heard();
    },
    onError: t.fail,
  });
  t.teardown(() => {
    door.close();
    for (const socket of entered) socket.destroy();
    for (const handle of passed) handle.close();
  });
  const comes = async (): Promise<Socket> => {
    const client = connect((door.address as AddressInfo).port, "127.0.0.1").on("error", () => {});
    t.teardown(() => client.destroy());
    await new Promise<void>((resolve) => {
      heard = resolve;
    });
    return client;
  };
  const leaves = (socket: Socket) => {
    load = { ...load, open: load.open - 1 };
    socket.destroy();
  };
  return { doors, door, said, passed, entered, comes, leaves };
}

t.test("what is one too many is passed on unread, and is read by whoever gets it", async (t) => {
  const { doors, passed, entered, comes, said } = await openDoors(t);
  doors.told({ count: 1, least: 0, room: 10, passed: 0 });
  await comes();
  const client = await comes();
  t.same([entered.length, passed.length], [1, 1]);
  client.write("hello");
  doors.offer({ say: "connection", id: 7, door: KEY, isLast: false }, passed.shift() as TcpHandle);
  t.equal(said.at(-1), "taken 7 true");
  t.equal(entered.length, 1, "nobody reads it before it is confirmed");
  doors.confirm(7, true);
  const [socket] = entered.slice(1) as [Socket];
  const [chunk] = (await once(socket, "data")) as [Buffer];
  t.equal(String(chunk), "hello");
  t.equal(socket.allowHalfOpen, true);
});

t.test("what was taken and given to another meanwhile is left to it", async (t) => {
  const { doors, passed, entered, comes } = await openDoors(t);
  doors.told({ count: 1, least: 0, room: 10, passed: 0 });
  await comes();
  const client = await comes();
  const closed = once(client, "close");
  client.resume();
  doors.offer({ say: "connection", id: 1, door: KEY, isLast: false }, passed.shift() as TcpHandle);
  doors.confirm(1, false);
  t.equal(entered.length, 1);
  // Nobody else has it here.
  await closed;
});

t.test("one that is full does not take another but the last, and says how many it has", async (t) => {
  const { doors, said, comes } = await openDoors(t, { part: 1 });
  await comes();
  doors.offer({ say: "connection", id: 1, door: KEY, isLast: false }, bindHandle("127.0.0.1", 0).handle);
  doors.offer({ say: "connection", id: 2, door: KEY, isLast: true }, bindHandle("127.0.0.1", 0).handle);
  t.strictSame(said, ["open 1", "taken 1 false", "taken 2 true"]);
  doors.confirm(2, false);
});

t.test("what was taken of others is told again when it has ended: the main process has counted it", async (t) => {
  const { doors, said, passed, entered, comes, leaves } = await openDoors(t);
  doors.told({ count: 1, least: 0, room: 10, passed: 0 });
  await comes();
  doors.tellOpen();
  await comes();
  doors.offer({ say: "connection", id: 1, door: KEY, isLast: false }, passed.shift() as TcpHandle);
  doors.confirm(1, true);
  leaves(entered.pop() as Socket);
  doors.tellOpen();
  doors.tellOpen();
  t.strictSame(said, ["open 1", "taken 1 true", "open 1"]);
});

t.test("one that drains takes nothing more, and ends when what it took is confirmed", async (t) => {
  const { doors, said } = await openDoors(t);
  doors.offer({ say: "connection", id: 1, door: KEY, isLast: false }, bindHandle("127.0.0.1", 0).handle);
  let isOver = false;
  const drained = doors.drain().then(() => {
    isOver = true;
  });
  doors.offer({ say: "connection", id: 2, door: KEY, isLast: true }, bindHandle("127.0.0.1", 0).handle);
  t.strictSame(said, ["taken 1 true", "taken 2 false"]);
  t.equal(isOver, false);
  doors.confirm(1, false);
  await drained;
  await doors.drain();
});

t.test("one that is alone keeps all, and says nothing", async (t) => {
  const { said, passed, entered, comes, doors } = await openDoors(t, { isOneOfMany: false });
  for (let i = 0; i < 5; i += 1) await comes();
  doors.tellOpen();
  t.same([said.length, passed.length, entered.length], [0, 0, 5]);
});

t.test("a door of which no socket came cannot be opened, and what came in vain is closed", async (t) => {
  const { doors } = await openDoors(t);
  const open = () => doors.open({ name: "x", address: ADDRESS, onConnection: () => {}, onError: () => {} });
  await t.rejects(open(), { message: /no socket/ });
  doors.receive("127.0.0.1:0 x", bindHandle("127.0.0.1", 0).handle);
  doors.closeRest();
  await t.rejects(open(), { message: /no socket/ });
});
