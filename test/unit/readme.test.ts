import { readFileSync } from "node:fs";
import t from "tap";
import { configReference } from "../../src/config/reference.js";
import { ERROR_CODES, ERRORS } from "../../src/core/errors.js";
import { createMetrics } from "../../src/telemetry/metrics.js";
import { Stats } from "../../src/telemetry/stats.js";

const readme = readFileSync("README.md", "utf8");

t.test("every error code stands in the README with its status and OSS's code", async (t) => {
  for (const code of ERROR_CODES) {
    const { status, ossCode } = ERRORS[code];
    t.match(readme, `| \`${code}\` | ${status} | ${ossCode} |`, code);
  }
});

t.test("the README names no error code that does not exist", async (t) => {
  const table = readme.slice(readme.indexOf("## Errors"), readme.indexOf("## Operations"));
  for (const [, code = ""] of table.matchAll(/^\| `([A-Z_]+)` \|/gm)) t.ok(code in ERRORS, code);
});

t.test("the README names every metric of ours, and no other", async (t) => {
  const page = createMetrics({
    stats: new Stats(),
    version: "0",
    upstreams: () => [],
    credentials: () => [],
    fleet: () => ({
      generation: 1,
      workersWanted: 1,
      workersServing: 1,
      workerRestarts: 0,
      reloads: { ok: 0, failed: 0 },
      lastReload: null,
      configLoadedAtMs: 0,
    }),
  });
  const names = new Set([...(await page.metrics()).matchAll(/^# TYPE (\S+)/gm)].map(([, name = ""]) => name));
  const ours = [...names].filter((name) => name.startsWith("ossgate_"));
  for (const name of ours) t.match(readme, `\`${name}\``, name);
  for (const [, name = ""] of readme.matchAll(/`(ossgate_[a-z_]+)`/g)) t.ok(names.has(name), name);
});

t.test("the README's reference of keys is the schema's", async (t) => {
  t.ok(readme.includes(configReference().trim()), "npm run generate writes it");
});
