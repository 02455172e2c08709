import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import t from "tap";
import { parse } from "yaml";
import { createMetrics } from "../../src/telemetry/metrics.js";
import { Stats } from "../../src/telemetry/stats.js";
import { metricNamesIn, pageNames } from "../support/metric-names.js";

const FOLDER = "config/prometheus";

interface Rule {
  readonly alert?: string;
  readonly record?: string;
  readonly expr: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}

function rulesOf(file: string): readonly Rule[] {
  const { groups } = parse(readFileSync(`${FOLDER}/${file}`, "utf8")) as {
    readonly groups: readonly { readonly rules: readonly Rule[] }[];
  };
  return groups.flatMap(({ rules }) => rules);
}

const isMissing = spawnSync("promtool", ["--version"]).status !== 0;
const peer = isMissing && process.env.OSSGATE_REQUIRE_PEERS !== "1" ? { skip: "promtool is not installed" } : {};

function promtool(...args: readonly string[]) {
  const { status, stdout, stderr } = spawnSync("promtool", args, { encoding: "utf8" });
  return { status, output: `${stdout}${stderr}` };
}

t.test("promtool takes the configuration with its rules", peer, async (t) => {
  const { status, output } = promtool("check", "config", `${FOLDER}/prometheus.yml`);
  t.equal(status, 0, output);
});

t.test("each alert fires for what it is for, and each recording gives the numbers that it should", peer, async (t) => {
  const files = readdirSync(`${FOLDER}/tests`).map((name) => `${FOLDER}/tests/${name}`);
  const { status, output } = promtool("test", "rules", ...files);
  t.equal(status, 0, output);
});

t.test("no rule is without a test", async (t) => {
  const tests = readdirSync(`${FOLDER}/tests`)
    .map((name) => readFileSync(`${FOLDER}/tests/${name}`, "utf8"))
    .join("\n");
  for (const { alert, record } of [...rulesOf("recording.yml"), ...rulesOf("alerts.yml")]) {
    if (alert !== undefined) t.ok(tests.includes(`- expr: ALERTS{alertname="${alert}",alertstate="firing"}`), alert);
    if (record !== undefined) t.match(tests, new RegExp(`- expr: .*\\b${record}\\b`), record);
  }
});

t.test("an alert says what is wrong, what to do, and how urgent it is", async (t) => {
  for (const { alert = "", labels = {}, annotations = {} } of rulesOf("alerts.yml")) {
    t.match(labels.severity, /^(critical|warning)$/, alert);
    t.match(annotations.summary, /\{\{ \$labels\.\w+ \}\}/, `${alert} names what it is about`);
    t.ok((annotations.description ?? "").length > 80, `${alert} tells what to do`);
  }
});

function fullPage(): Promise<string> {
  const stats = new Stats();
  const route = stats.route('quoted "\\ route');
  route.countRequest({ signature: "v4-url", method: "GET", status: 502, bucket: "b", errorCode: "UPSTREAM_RESET" });
  route.durations.observe(3);
  stats.upstream("b").connects.observe(2);
  stats.listeners.of("web").countTlsFailure("protocol");
  const page = createMetrics({
    stats,
    version: "0",
    upstreams: () => [],
    credentials: () => [],
    compat: () => "vts",
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
  return page.metrics();
}

t.test("promtool reads the metrics page, and finds nothing wrong with our names", peer, async (t) => {
  const { status, stderr } = spawnSync("promtool", ["check", "metrics"], { input: await fullPage(), encoding: "utf8" });
  // 3: it dislikes names, as those that others chose for NGINX and Node.
  t.ok(status === 0 || status === 3, stderr);
  t.same(
    stderr.split("\n").filter((line) => /ossgate|error/.test(line)),
    [],
  );
});

t.test("rules ask for nothing that the gateway does not show", async (t) => {
  const shown = pageNames(await fullPage());
  const recorded = new Set(rulesOf("recording.yml").map(({ record = "" }) => record));
  for (const { expr, alert, record } of [...rulesOf("recording.yml"), ...rulesOf("alerts.yml")]) {
    for (const name of metricNamesIn(expr)) {
      t.ok(shown.has(name) || recorded.has(name) || name === "up", `${alert ?? record}: ${name}`);
    }
  }
});
