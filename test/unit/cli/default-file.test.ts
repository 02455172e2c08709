import { chownSync, existsSync, writeFileSync } from "node:fs";
import t from "tap";
import { configFile } from "../../../src/cli/default-file.js";

const INSTALLED = "/etc/ossgate/gateway.yaml";
const installed = existsSync(INSTALLED) ? INSTALLED : null;

t.test("a configuration that is not named is the one here, else the installed one", async (t) => {
  const before = process.cwd();
  t.teardown(() => process.chdir(before));
  process.chdir(t.testdir({}));
  t.equal(configFile(undefined), installed);
  writeFileSync("gateway.yaml", "");
  t.equal(configFile(undefined), "gateway.yaml");
  t.equal(configFile("other.yaml"), "other.yaml");
});

t.test(
  "root takes none that belongs to another user",
  { skip: process.getuid?.() !== 0 && "needs root" },
  async (t) => {
    const before = process.cwd();
    t.teardown(() => process.chdir(before));
    process.chdir(t.testdir({ "gateway.yaml": "" }));
    chownSync("gateway.yaml", 12_345, 12_345);
    t.equal(configFile(undefined), installed);
    t.equal(configFile("gateway.yaml"), "gateway.yaml", "but for one that is named");
  },
);
