import t from "tap";
import { createServiceManager, type ServiceManager } from "../../../src/process/systemd.js";
import { createLog } from "../../../src/telemetry/log.js";

const PID = 4_711;

interface World {
  readonly manager: ServiceManager;
  readonly sent: string[];
  readonly warnings: unknown[];
  readonly env: NodeJS.ProcessEnv;
  nowMs: number;
  /** What the next sends fail with. */
  failure: string | null;
}

function world(env: NodeJS.ProcessEnv = { NOTIFY_SOCKET: "/run/systemd/notify" }): World {
  const log = createLog("silent");
  const warnings: unknown[] = [];
  log.warn = (fields: unknown) => void warnings.push(fields);
  const sent: string[] = [];
  const made: World = {
    env,
    sent,
    warnings,
    nowMs: 0,
    failure: null,
    manager: createServiceManager({
      log,
      env,
      pid: PID,
      nowMs: () => made.nowMs,
      open: () => (message) => {
        if (made.failure !== null) throw Object.assign(new Error(made.failure), { code: made.failure });
        sent.push(message);
      },
    }),
  };
  return made;
}

function callAll(manager: ServiceManager): void {
  manager.ready("serving");
  manager.reloading();
  manager.stopping(1_000);
  manager.status("fine");
  manager.alive();
}

t.test("without a notify socket nothing is sent, and nothing is opened", async (t) => {
  for (const address of [undefined, ""]) {
    const manager = createServiceManager({
      log: createLog("silent"),
      env: address === undefined ? {} : { NOTIFY_SOCKET: address },
      open: () => {
        throw new Error("opened");
      },
    });
    t.doesNotThrow(() => callAll(manager));
  }
});

t.test("the variables are taken out, so that no worker speaks for the program", async (t) => {
  const { env } = world({ NOTIFY_SOCKET: "/x", WATCHDOG_USEC: "1", WATCHDOG_PID: "2", PATH: "/bin" });
  t.same(env, { PATH: "/bin" });
});

t.test("each state is one datagram of assignments as sd_notify(3) has them", async (t) => {
  const { manager, sent } = world();
  manager.ready("2 workers serve");
  const beforeUsec = process.hrtime.bigint() / 1_000n;
  manager.reloading();
  manager.stopping(30_000);
  manager.status("draining");
  const [ready, reloading = "", stopping, status] = sent;
  t.equal(ready, "READY=1\nSTATUS=2 workers serve");
  const usec = BigInt(/^RELOADING=1\nMONOTONIC_USEC=(\d+)\nSTATUS=[^\n]+$/.exec(reloading)?.[1] ?? "0");
  t.ok(usec >= beforeUsec && usec <= process.hrtime.bigint() / 1_000n);
  t.match(stopping, /^STOPPING=1\nEXTEND_TIMEOUT_USEC=35000000\nSTATUS=[^\n]+$/);
  t.equal(status, "STATUS=draining");
});

t.test("what is in a status cannot be another assignment, nor without end", async (t) => {
  const { manager, sent } = world();
  manager.status("bad\r\nREADY=1\0\u007f");
  manager.ready("x".repeat(10_000));
  t.equal(sent[0], "STATUS=bad READY=1 ");
  t.equal(sent[1]?.length, "READY=1\nSTATUS=".length + 512);
});

t.test("the watchdog hears of us only while someone says that we live, at least twice in its time", async (t) => {
  const made = world({ NOTIFY_SOCKET: "/x", WATCHDOG_USEC: "30000000", WATCHDOG_PID: String(PID) });
  for (made.nowMs = 0; made.nowMs <= 60_000; made.nowMs += 1_000) made.manager.alive();
  t.equal(made.sent.length, 7);
  made.nowMs = 600_000;
  t.equal(made.sent.length, 7);
  made.manager.alive();
  t.same(new Set(made.sent), new Set(["WATCHDOG=1"]));
  t.equal(made.sent.length, 8);
});

t.test("a watchdog that is not there, or another's, is not told", async (t) => {
  for (const env of [{}, { WATCHDOG_USEC: "3000000", WATCHDOG_PID: "1" }, { WATCHDOG_USEC: "soon" }]) {
    const { manager, sent } = world({ NOTIFY_SOCKET: "/x", ...env });
    for (let call = 0; call < 10; call += 1) manager.alive();
    t.same(sent, []);
  }
});

t.test("what systemd has no room for is sent later, in order, and is bounded", async (t) => {
  const made = world();
  made.failure = "EAGAIN";
  for (let call = 0; call < 100; call += 1) made.manager.status(`old ${call}`);
  made.manager.ready("now");
  made.failure = null;
  made.manager.alive();
  t.equal(made.sent.length, 16);
  t.equal(made.sent[0], "STATUS=old 85");
  t.equal(made.sent.at(-1), "READY=1\nSTATUS=now");
  made.manager.alive();
  t.equal(made.sent.length, 16);
  t.same(made.warnings, []);
});

t.test("a socket that is gone is told once, and the program goes on", async (t) => {
  const made = world();
  made.failure = "ECONNREFUSED";
  callAll(made.manager);
  t.match(made.warnings, [{ cause: /ECONNREFUSED/ }]);
  made.failure = null;
  made.manager.status("again");
  t.same(made.sent, ["STATUS=again"]);
});

t.test("addresses that cannot be written to are one warning", async (t) => {
  for (const address of ["@/org/freedesktop/systemd1/notify", "vsock:2:1234", `/${"x".repeat(108)}`]) {
    const log = createLog("silent");
    const warnings: unknown[] = [];
    log.warn = (fields: unknown) => void warnings.push(fields);
    callAll(createServiceManager({ log, env: { NOTIFY_SOCKET: address } }));
    t.match(warnings, [{ cause: /^NOTIFY_SOCKET/ }]);
  }
});
