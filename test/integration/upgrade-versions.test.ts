import { cp, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import t, { type Test } from "tap";
import { Program } from "../fault/support/program.js";
import { fill } from "../fault/support/rig.js";
import { startEmulator } from "../support/gateway.js";
import { runProgram } from "./cli-program.js";
import { get, isHello, WorkersRig, workersText } from "./workers-rig.js";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

interface Installed {
  readonly rig: WorkersRig;
  /** Rewrites a file of the program on the disk. */
  change(file: string, change: (text: string) => string): Promise<void>;
  upgrade(): ReturnType<typeof runProgram>;
}

/** The program in a folder of its own, where another version can be installed over it; it runs. */
async function install(t: Test): Promise<Installed> {
  const folder = await mkdtemp(join(tmpdir(), "ossgate-program-"));
  t.teardown(() => rm(folder, { recursive: true }));
  for (const name of ["src", "package.json", "tsconfig.json"]) {
    await cp(join(ROOT, name), join(folder, name), { recursive: true });
  }
  await symlink(join(ROOT, "node_modules"), join(folder, "node_modules"));
  const emulator = fill(await startEmulator(t));
  const program = new Program(t, workersText(emulator.url), join(folder, "src/cli.ts"));
  const rig = new WorkersRig(emulator, program);
  await rig.serves();
  return {
    rig,
    change: async (file, change) => {
      const path = join(folder, file);
      await writeFile(path, change(await readFile(path, "utf8")));
    },
    upgrade: () => runProgram(t, ["upgrade", "--config", program.configFile, "--admin", `127.0.0.1:${rig.adminPort}`]),
  };
}

const asVersion = (version: string) => (text: string) => JSON.stringify({ ...JSON.parse(text), version });

t.test("an upgrade to another version says what the workers are now, and what the main process is still", async (t) => {
  const { rig, change, upgrade } = await install(t);
  t.match(await upgrade(), { code: 0, stderr: "" }, "the same version");
  await change("package.json", asVersion("99.0.0"));
  t.match(await upgrade(), {
    code: 0,
    stdout: /all workers are new/,
    stderr: /^workers are 99\.0\.0; the main process is \S+ until 'systemctl restart ossgate'\n$/,
  });
  const { node } = process.versions;
  for (const worker of [1, 2]) {
    t.equal(await rig.metric(`ossgate_worker_build_info{worker="${worker}",version="99.0.0",node="v${node}"}`), 1);
  }
  t.notMatch(await rig.admin("/metrics"), /ossgate_build_info\{version="99/, "the main process is what it was");
  const { version, workers } = JSON.parse(await rig.admin("/status.json"));
  t.not(version, "99.0.0");
  t.match(workers, [{ version: "99.0.0" }, { version: "99.0.0" }]);
});

t.test(
  "an upgrade to a program that speaks another protocol is refused with a sentence, and nothing changes",
  async (t) => {
    const { rig, change, upgrade } = await install(t);
    const pids = await rig.workerPids();
    await change("package.json", asVersion("99.0.0"));
    await change("src/process/messages.ts", (text) => text.replace(/PROTOCOL = \d+/, "PROTOCOL = 999"));
    t.match(await upgrade(), { code: 1, stderr: /another protocol with its workers; restart it instead/ });
    t.strictSame(await rig.workerPids(), pids);
    for (let i = 0; i < 4; i += 1) t.ok(isHello(await get(rig.port, "/hello.txt")));
    t.equal(await rig.metric("ossgate_worker_restarts_total"), 0);
    t.notMatch(await rig.admin("/metrics"), /99\.0\.0/);
  },
);

t.test("a program that has no worker left ends when the one on the disk needs another main process", async (t) => {
  const { rig, change } = await install(t);
  await change("src/process/messages.ts", (text) => text.replace(/PROTOCOL = \d+/, "PROTOCOL = 999"));
  const [first = 0, second = 0] = await rig.workerPids();
  process.kill(first, "SIGKILL");
  await rig.program.until(() => rig.program.stderr.includes("another protocol"));
  t.ok(isHello(await get(rig.port, "/hello.txt")), "the other serves on");
  process.kill(second, "SIGKILL");
  t.equal(await rig.program.exited, 1);
  t.match(rig.program.stderr, /no worker serves, and the program on the disk is another/);
});
