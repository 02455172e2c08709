import { once } from "node:events";
import { readdirSync, readlinkSync } from "node:fs";
import { type AddressInfo, connect, createServer, type Server } from "node:net";
import t, { type Test } from "tap";
import type { ListenerConfig } from "../../../src/config/gateway-config.js";
import { FrontDoors } from "../../../src/process/front-doors.js";
import { bindHandle, type TcpHandle } from "../../../src/process/tcp-handle.js";
import { openShared } from "../../../src/server/doors.js";

const listenerAt = (name: string, host: string, port = 0): ListenerConfig =>
  ({ name, address: { host, port, systemd: null } }) as unknown as ListenerConfig;

function frontDoors(t: Test, systemdSockets: (name: string) => readonly number[] = () => []): FrontDoors {
  const doors = new FrontDoors({ systemdSockets });
  t.teardown(() => doors.close());
  return doors;
}

/** What a worker would get. */
class TestTaker {
  readonly got: [string, TcpHandle][] = [];

  sendDoor(key: string, handle: TcpHandle): void {
    this.got.push([key, handle]);
  }
}

async function codeOfConnecting(port: number, host = "127.0.0.1"): Promise<string> {
  const client = connect(port, host);
  const code = await new Promise<string>((resolve) => {
    client.on("connect", () => resolve("connected"));
    client.on("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? ""));
  });
  client.destroy();
  return code;
}

function socketCount(): number {
  return readdirSync("/proc/self/fd").filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).startsWith("socket:");
    } catch {
      return false;
    }
  }).length;
}

async function listening(t: Test, port = 0, host = "127.0.0.1"): Promise<Server> {
  const server = createServer((socket) => socket.destroy());
  await once(server.listen(port, host), "listening");
  t.teardown(() => server.close());
  return server;
}

t.test("who connects before anybody listens is refused; then all that connect are accepted", async (t) => {
  const doors = frontDoors(t);
  const { table, sendNew, commit } = doors.prepare([listenerAt("web", "127.0.0.1")]);
  const port = Object.values(table)[0]?.port ?? 0;
  t.ok(port > 0);
  commit();
  t.equal(await codeOfConnecting(port), "ECONNREFUSED");
  const taker = new TestTaker();
  sendNew(taker);
  t.equal(taker.got.length, 1);
  let accepted = () => {};
  const server = await openShared(taker.got[0]?.[1] as TcpHandle, {
    onConnection: (socket) => {
      socket.destroy();
      accepted();
    },
    onError: t.fail,
  });
  t.teardown(() => server.close());
  t.same((server.address() as AddressInfo).port, port);
  const seen = new Promise<void>((resolve) => {
    accepted = resolve;
  });
  t.equal(await codeOfConnecting(port), "connected");
  await seen;
});

t.test("a door is one socket, however often it is sent, and none when it is closed", async (t) => {
  const before = socketCount();
  const doors = new FrontDoors({ systemdSockets: () => [] });
  const first = doors.prepare([listenerAt("a", "127.0.0.1"), listenerAt("b", "127.0.0.1")]);
  first.commit();
  for (let i = 0; i < 3; i += 1) doors.sendAll(new TestTaker(), first.table);
  t.equal(socketCount(), before + 2);
  const second = doors.prepare([listenerAt("b", "127.0.0.1"), listenerAt("c", "127.0.0.1")]);
  t.equal(socketCount(), before + 3);
  const taker = new TestTaker();
  second.sendNew(taker);
  t.strictSame(
    taker.got.map(([key]) => key),
    ["127.0.0.1:0 c"],
    "what workers have is not sent again",
  );
  second.abort();
  t.equal(socketCount(), before + 2);
  const third = doors.prepare([listenerAt("b", "127.0.0.1"), listenerAt("c", "127.0.0.1")]);
  third.commit();
  t.equal(socketCount(), before + 2);
  const late = doors.prepare([listenerAt("b", "127.0.0.1"), listenerAt("d", "127.0.0.1")]);
  doors.close();
  late.commit();
  t.equal(socketCount(), before, "what is committed while the program ends is closed too");
  t.throws(() => doors.prepare([]), /ending/);
});

t.test("an address that another program has is told in one sentence, and nothing stays open", async (t) => {
  const { port } = (await listening(t)).address() as AddressInfo;
  const before = socketCount();
  const doors = frontDoors(t);
  t.throws(() => doors.prepare([listenerAt("free", "127.0.0.1"), listenerAt("web", "127.0.0.1", port)]), {
    message: `listener web: cannot listen on 127.0.0.1:${port}: another program listens there already; stop it or choose another port`,
  });
  t.throws(() => doors.prepare([listenerAt("web", "192.0.2.1", 8080)]), { message: /no such address/ });
  t.equal(socketCount(), before);
});

t.test("a program that has the address and listens later is told when a worker listens", async (t) => {
  const doors = frontDoors(t);
  const { table, sendNew } = doors.prepare([listenerAt("web", "127.0.0.1")]);
  // Neither of two that are only bound is in the other's way.
  await listening(t, Object.values(table)[0]?.port);
  const taker = new TestTaker();
  sendNew(taker);
  const listen = openShared(taker.got[0]?.[1] as TcpHandle, { onConnection: () => {}, onError: () => {} });
  await t.rejects(listen, { code: "EADDRINUSE" });
});

t.test("an own address that covers another is refused with a sentence, any free port too", async (t) => {
  const doors = frontDoors(t);
  const { table, commit } = doors.prepare([listenerAt("web", "0.0.0.0")]);
  commit();
  const port = Object.values(table)[0]?.port;
  t.throws(() => doors.prepare([listenerAt("narrow", "127.0.0.1", port)]), {
    message: new RegExp(
      `^listener narrow: cannot listen on 127.0.0.1:${port} while .* still listens on 0.0.0.0:${port}`,
    ),
  });
});

t.test("[::] takes IPv4 as well, as Node's own servers do", async (t) => {
  const { table, sendNew } = frontDoors(t).prepare([listenerAt("web", "::")]);
  const bound = Object.values(table)[0];
  t.equal(bound?.family, "IPv6");
  const taker = new TestTaker();
  sendNew(taker);
  const server = await openShared(taker.got[0]?.[1] as TcpHandle, {
    onConnection: (socket) => socket.destroy(),
    onError: t.fail,
  });
  t.teardown(() => server.close());
  for (const host of ["127.0.0.1", "::1"]) t.equal(await codeOfConnecting(bound?.port ?? 0, host), "connected");
});

t.test("of systemd's sockets all of one name are one door; what is no TCP socket is told", async (t) => {
  const listener = { name: "web", address: { host: "", port: 0, systemd: "http" } } as unknown as ListenerConfig;
  t.throws(() => frontDoors(t).prepare([listener]), { message: /systemd passed no socket of that name/ });
  // Standard input is a pipe, a file or a terminal here.
  t.throws(() => frontDoors(t, () => [0]).prepare([listener]), {
    message: /^listener web: cannot listen on systemd:http: /,
  });
});

t.test(
  "a socket of systemd's that a configuration drops is kept, and sent again to those who have closed it",
  async (t) => {
    const http = { name: "web", address: { host: "", port: 0, systemd: "http" } } as unknown as ListenerConfig;
    const { fd } = bindHandle("127.0.0.1", 0).handle as TcpHandle & { readonly fd: number };
    const doors = frontDoors(t, () => [fd]);
    doors.prepare([http]).commit();
    const gotBy = ({ sendNew }: { sendNew(taker: TestTaker): void }) => {
      const taker = new TestTaker();
      sendNew(taker);
      return taker.got.map(([key]) => key);
    };
    t.strictSame(gotBy(doors.prepare([http])), [], "workers have it");
    doors.prepare([]).commit();
    const back = doors.prepare([http]);
    t.strictSame(gotBy(back), ["systemd:http"]);
    back.abort();
    t.strictSame(gotBy(doors.prepare([http])), ["systemd:http"], "nor do they when the reload was taken back");
  },
);
