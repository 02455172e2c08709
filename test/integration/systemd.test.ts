import { readFileSync, writeFileSync } from "node:fs";
import t from "tap";
import { ask, configOf, needs, service, startOrigin } from "./systemd-service.js";

const needsPython = needs("python3", "--version");

t.test("systemd hears of the start, of reloads and of the end, from the main process alone", needsPython, async (t) => {
  const yaml = configOf(["systemd:http"], await startOrigin(t));
  const gateway = service(t, { yaml, sockets: ["http"], watchdogMs: 3_000 });
  await gateway.start();
  const [port = 0] = gateway.ports;
  t.equal(await ask(port), 200, "it serves when it says so");
  t.match((await gateway.notified(/READY/)).message, /\nSTATUS=2 workers serve/);

  for (const worker of gateway.workers) {
    const environment = readFileSync(`/proc/${worker}/environ`, "latin1");
    t.notMatch(environment, /(?:^|\0)(?:NOTIFY_SOCKET|WATCHDOG_|LISTEN_)/, "workers cannot speak for it");
  }

  let seen = gateway.notifications.length;
  gateway.tell("kill SIGHUP");
  await gateway.notified(/^READY=1\nSTATUS=2 workers serve configuration 2 of/, seen);
  const told = gateway.notifications.slice(seen).filter(({ message }) => !message.startsWith("WATCHDOG"));
  t.match(
    told.map(({ message }) => message),
    [/^RELOADING=1\nMONOTONIC_USEC=\d+\n/, /^READY=1\n/],
  );

  writeFileSync(gateway.file, `${yaml}\nnonsense: 1\n`);
  seen = gateway.notifications.length;
  gateway.tell("kill SIGHUP");
  const { message } = await gateway.notified(/^READY/, seen);
  t.match(message, /configuration 2 of .*refused: \S+gateway\.yaml:\d+:\d+: nonsense/);
  t.equal(await ask(port), 200);

  seen = gateway.notifications.length;
  gateway.tell("kill SIGTERM");
  await gateway.until(() => gateway.ended.length === 1);
  t.same(gateway.ended, [0]);
  const last = gateway.notifications.slice(seen).filter(({ message }) => !message.startsWith("WATCHDOG"));
  t.match(last, [{ message: /^STOPPING=1\nEXTEND_TIMEOUT_USEC=25000000\n/ }]);
  t.same(new Set(gateway.notifications.map(({ pid }) => pid)), new Set([gateway.pid]));
});

t.test("the watchdog is fed while all workers answer, and not while one of them hangs", needsPython, async (t) => {
  const yaml = configOf(["127.0.0.1:0"], await startOrigin(t));
  const gateway = service(t, { yaml, watchdogMs: 1_500 });
  await gateway.start();
  const fed = () => gateway.notifications.filter(({ message }) => message === "WATCHDOG=1").length;
  await gateway.until(() => fed() >= 3, "three signs of life");

  const [worker = 0] = gateway.workers;
  process.kill(worker, "SIGSTOP");
  t.teardown(() => {
    try {
      process.kill(worker, "SIGKILL");
    } catch {
      // It is gone already.
    }
  });
  // Each scrape asks all workers and gives up on the one that hangs: proof that the main process has looked.
  const scrape = async () => (await fetch(`${gateway.adminUrl}/metrics`)).text();
  await scrape();
  await scrape();
  const before = fed();
  for (let round = 0; round < 3; round += 1) await scrape();
  t.equal(fed(), before);

  process.kill(worker, "SIGCONT");
  await gateway.until(() => fed() > before, "a sign of life");
  t.pass("it is fed again");
});
