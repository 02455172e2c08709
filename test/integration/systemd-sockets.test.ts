import { Agent } from "node:http";
import t from "tap";
import { ask, configOf, needs, service, startOrigin } from "./systemd-service.js";

const needsPython = needs("python3", "--version");

t.test("a socket that was not passed ends the start in one sentence", needsPython, async (t) => {
  for (const sockets of [[], ["https"]]) {
    const gateway = service(t, { yaml: configOf(["systemd:http"], "http://127.0.0.1:9"), sockets });
    gateway.tell("start");
    await gateway.until(() => gateway.ended.length === 1);
    t.same(gateway.ended, [1]);
    t.match(
      gateway.log,
      /^ossgate: listener web0: cannot listen on systemd:http: systemd passed no socket of that name.*$/m,
    );
    t.notMatch(gateway.log, /^\s+at /m);
    t.notOk(gateway.notifications.some(({ message }) => message.startsWith("READY")));
  }
});

t.test("a socket that no listener takes is warned of; several of one name are all served", needsPython, async (t) => {
  const yaml = configOf(["systemd:http"], await startOrigin(t));
  const gateway = service(t, { yaml, sockets: ["http", "other", "http"] });
  await gateway.start();
  const [first = 0, , third = 0] = gateway.ports;
  t.same(await Promise.all([ask(first), ask(third)]), [200, 200]);
  t.match(gateway.log, /"level":40.*systemd passed a socket named other/);
  t.notMatch(gateway.log, /socket named http/);
});

t.test("a restart under load fails no request, since systemd has the socket", needsPython, async (t) => {
  const yaml = configOf(["systemd:http"], await startOrigin(t));
  const gateway = service(t, { yaml, sockets: ["http"] });
  await gateway.start();
  const [port = 0] = gateway.ports;

  // Clients that reuse connections and never try again.
  const CLIENTS = 8;
  const results: (number | string)[] = [];
  let isRunning = true;
  let wake = () => {};
  const client = async (): Promise<void> => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    while (isRunning) {
      results.push(await ask(port, agent));
      wake();
    }
    agent.destroy();
  };
  const answers = (count: number): Promise<void> => {
    const wanted = results.length + count;
    return new Promise((resolve) => {
      wake = () => {
        if (results.length >= wanted) resolve();
      };
    });
  };
  const clients = Array.from({ length: CLIENTS }, client);
  for (let round = 1; round <= 2; round += 1) {
    await answers(200);
    gateway.tell("kill SIGTERM");
    await gateway.until(() => gateway.ended.length === round);
    await gateway.start();
  }
  await answers(200);
  isRunning = false;
  await Promise.all(clients);
  t.same(
    results.filter((result) => result !== 200),
    [],
  );
  t.same(gateway.ended, [0, 0]);
  t.ok(results.length >= 600);
});
