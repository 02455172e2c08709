import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import t from "tap";
import { EXIT } from "../../src/cli/exit-codes.js";
import { needs } from "./systemd-service.js";

const needsAnalyze = needs("systemd-analyze", "--version");

const UNITS = fileURLToPath(new URL("../../systemd/", import.meta.url));
const unit = (name: string): string => readFileSync(join(UNITS, name), "utf8");

t.test("the unit is as closed as systemd-analyze can see: 1.5 at most", needsAnalyze, async (t) => {
  const arguments_ = ["security", "--offline=true", "--threshold=15", join(UNITS, "ossgate.service")];
  const { status, stdout, stderr } = spawnSync("systemd-analyze", arguments_, { encoding: "utf8" });
  t.equal(status, 0, stderr);
  const exposure = Number(/Overall exposure level for ossgate\.service: ([\d.]+)/.exec(stdout)?.[1]);
  t.ok(exposure <= 1.5, `${exposure}`);
  t.notMatch(unit("ossgate.service"), /^MemoryDenyWriteExecute/m, "not bought with what V8 cannot run under");
});

t.test("the units are good ones: systemd-analyze verify has nothing to say", needsAnalyze, async (t) => {
  // verify wants the programs to be there, and the man page; the rest of each unit is as it is shipped.
  const directory = mkdtempSync(join(tmpdir(), "ossgate-units-"));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const names = ["ossgate.service", "ossgate.socket", "ossgate-tls.socket"];
  for (const name of names) {
    const text = unit(name)
      .replaceAll("/usr/bin/ossgate", process.execPath)
      .replace(/^Documentation=man:\S+ ?/m, "Documentation=");
    writeFileSync(join(directory, name), text);
  }
  const { status, stdout, stderr } = spawnSync(
    "systemd-analyze",
    ["verify", ...names.map((name) => join(directory, name))],
    { encoding: "utf8" },
  );
  t.equal(`${stdout}${stderr}`, "");
  t.equal(status, 0);
});

t.test("what cannot start is tried once, and a reload of it fails", async (t) => {
  const service = unit("ossgate.service");
  const values = (key: string): string[] =>
    Array.from(service.matchAll(new RegExp(`^${key}=(.*)$`, "gm")), ([, value = ""]) => value);
  // systemd.service(5): RestartPreventExitStatus= is about the main process, not about ExecStartPre=.
  t.same(values("ExecStartPre"), ["-/usr/bin/ossgate check /etc/ossgate/gateway.yaml"]);
  t.same(values("RestartPreventExitStatus"), [`${EXIT.usage} ${EXIT.badConfig}`]);
  t.match(values("ExecReload"), [/kill -HUP \$MAINPID/, "/usr/bin/ossgate check /etc/ossgate/gateway.yaml"]);
});
