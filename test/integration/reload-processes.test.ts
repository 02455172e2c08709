import t, { type Test } from "tap";
import { closedPort } from "../fault/support/sockets.js";
import { runProgram } from "./cli-program.js";
import { get, isHello, Load, ONLY_GET, putStatuses, reload, startWorkers, workersText } from "./workers-rig.js";

t.test("a listener that moves opens and closes its socket, and the others' connections stay", async (t) => {
  const rig = await startWorkers(t);
  const load = new Load(rig.port, "/hello.txt", 2, isHello);
  const ports = [await closedPort(), await closedPort()];
  const withSecond = (port: number) => ({
    more: {
      listeners: [
        { name: "web", address: "127.0.0.1:0" },
        { name: "second", address: `127.0.0.1:${port}` },
      ],
    },
  });
  for (const [index, port] of ports.entries()) {
    t.match(await reload(rig, withSecond(port)), { ok: true });
    t.ok(isHello(await get(port, "/hello.txt")));
    const before = ports[index - 1];
    if (before !== undefined) await t.rejects(get(before, "/hello.txt"), { code: "ECONNREFUSED" });
  }
  const taken = await reload(rig, withSecond(rig.adminPort));
  t.match(taken, { ok: false, problems: [/^listener second: .* the gateway itself listens there/] });
  t.ok(isHello(await get(ports[1] ?? 0, "/hello.txt")));
  await load.stop();
  t.strictSame(load.failures, []);
});

t.test("a new listener whose certificate cannot be read leaves nothing where it was to listen", async (t) => {
  const rig = await startWorkers(t);
  const address = `127.0.0.1:${await closedPort()}`;
  const withSecond = (second: object) => ({
    more: {
      listeners: [
        { name: "web", address: "127.0.0.1:0" },
        { name: "second", address, ...second },
      ],
    },
  });
  const tls = { certificates: [{ certFile: "/nowhere/a.pem", keyFile: "/nowhere/a.key" }] };
  for (let i = 0; i < 2; i += 1) t.match(await reload(rig, withSecond({ tls })), { ok: false, problems: [/nowhere/] });
  t.match(await reload(rig, withSecond({})), { ok: true, problems: [] });
  t.ok(isHello(await get(Number(address.split(":")[1]), "/hello.txt")));
});

t.test("the admin listener moves, and the call that asks for it is answered", async (t) => {
  const rig = await startWorkers(t);
  const port = await closedPort();
  t.match(await reload(rig, { more: { admin: { address: `127.0.0.1:${port}` } } }), { ok: true });
  const old = rig.adminPort;
  rig.adminPort = port;
  t.equal(await rig.metric("ossgate_config_generation"), 2);
  await t.rejects(get(old, "/healthz"), { code: "ECONNREFUSED" });
});

t.test("more and fewer workers by a reload, under load", async (t) => {
  const rig = await startWorkers(t, { workers: 1 });
  const load = new Load(rig.port, "/hello.txt", 4, isHello);
  for (const workers of [3, 1]) {
    t.match(await reload(rig, { workers }), { ok: true });
    await load.more(50);
    t.equal(await rig.metric('ossgate_workers{state="serving"}'), workers);
  }
  await load.stop();
  t.strictSame(load.failures, []);
});

t.test("a worker that dies around a reload is followed by one of the new configuration", async (t) => {
  const rig = await startWorkers(t);
  await rig.writeConfig(workersText(rig.emulator.url, ONLY_GET));
  const [pid = 0] = await rig.workerPids();
  process.kill(pid, "SIGKILL");
  t.match(await reload(rig), { ok: true });
  await rig.until(async () => (await rig.metric('ossgate_workers{state="serving"}')) === 2);
  t.ok((await putStatuses(rig, 6)).every((status) => status === 405));
});

t.test("ossgate reload tells what became of it as ossgate check does", async (t: Test) => {
  const rig = await startWorkers(t);
  const args = ["reload", "--config", rig.program.configFile, "--admin", `127.0.0.1:${rig.adminPort}`];
  t.match(await runProgram(t, args), { code: 0, stdout: /configuration 2 / });
  await rig.writeConfig("listeners: [");
  const bad = await runProgram(t, args);
  t.match(bad, { code: 3, stderr: /ossgate\.yaml:1:\d+: / });
  t.equal(await rig.metric("ossgate_config_last_reload_successful"), 0);
  const nobody = await runProgram(t, ["reload", "--admin", `127.0.0.1:${await closedPort()}`]);
  t.match(nobody, { code: 1, stderr: /no gateway answers/ });
});
