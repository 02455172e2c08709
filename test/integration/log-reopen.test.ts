import { once } from "node:events";
import { existsSync, readFileSync, renameSync, watch } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { ask, configOf, needs, service, startOrigin } from "./systemd-service.js";

const linesOf = (path: string): string[] => readFileSync(path, "utf8").split("\n").slice(0, -1);

t.test(
  "SIGUSR2 opens both logs of all processes again, and no line is lost",
  needs("python3", "--version"),
  async (t) => {
    const logs = t.testdir();
    const [access, errors] = [join(logs, "access.log"), join(logs, "error.log")];
    const more = `log: { output: ${errors}, access: { output: ${access} } }\n`;
    const gateway = service(t, { yaml: configOf(["systemd:http"], await startOrigin(t)) + more, sockets: ["http"] });
    await gateway.start();
    const [port = 0] = gateway.ports;
    const REQUESTS = 20;
    const askAll = async () => {
      for (let request = 0; request < REQUESTS; request += 1) await ask(port);
    };
    await askAll();

    for (const path of [access, errors]) renameSync(path, `${path}.1`);
    const watcher = watch(logs);
    gateway.tell("kill SIGUSR2");
    while (!existsSync(access) || !existsSync(errors)) await once(watcher, "change");
    watcher.close();
    await askAll();
    gateway.tell("kill SIGTERM");
    await gateway.until(() => gateway.ended.length === 1);

    t.ok(linesOf(access).length > 0);
    t.equal(linesOf(access).length + linesOf(`${access}.1`).length, 2 * REQUESTS);
    t.match(linesOf(`${errors}.1`).join("\n"), /ossgate serves/);
    t.match(linesOf(errors).join("\n"), /"msg":"stopped"/);
  },
);
