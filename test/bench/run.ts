/** `npm run bench`: ossgate and other reverse proxies side by side. See `--help`. */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { cpus, release, tmpdir } from "node:os";
import { join } from "node:path";
import { ALL_CONTENDERS, type Contender, OSSGATE_WORKERS } from "./contenders.js";
import { type MeasureSettings, measureRow, type RowResult } from "./measure.js";
import { type BenchOptions, parseOptions, pickByName, USAGE } from "./options.js";
import { startOrigin } from "./origin.js";
import { canPin, findProgram, pinSelf, stopAll } from "./processes.js";
import { formatRow, formatVerdicts } from "./report.js";
import { rewriteCpuUs } from "./rewrite.js";
import { ROWS, type Row } from "./rows.js";
import { measureScrape } from "./scrape.js";
import { leastShare } from "./split.js";
import { judge, judgeRewriting, judgeScrape, judgeSplit } from "./targets.js";

interface Plan {
  readonly options: BenchOptions;
  readonly rows: readonly Row[];
  readonly contenders: readonly Contender[];
}

const EXIT_FAILED = 1;
const EXIT_USAGE = 2;
const EXIT_INTERRUPTED = 130;

process.exitCode = await main(process.argv.slice(2));

async function main(argv: readonly string[]): Promise<number> {
  const plan = readPlan(argv);
  if (typeof plan === "number") return plan;
  const directory = mkdtempSync(join(tmpdir(), "ossgate-bench-"));
  cleanUpOnSignals(directory);
  try {
    return await runBench(plan, directory);
  } catch (error) {
    process.stderr.write(`bench: ${error instanceof Error ? error.message : String(error)}\n`);
    return EXIT_FAILED;
  } finally {
    await cleanUp(directory);
  }
}

/** Returns an exit status when there is nothing to run. */
function readPlan(argv: readonly string[]): Plan | number {
  try {
    const options = parseOptions(argv);
    if (options !== null) return planOf(options);
    process.stdout.write(USAGE);
    return 0;
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`);
    return EXIT_USAGE;
  }
}

function planOf(options: BenchOptions): Plan {
  return {
    options,
    rows: pickByName(ROWS, options.rows, "--rows"),
    contenders: pickByName(ALL_CONTENDERS, options.only, "--only"),
  };
}

async function runBench({ options, rows, contenders }: Plan, directory: string): Promise<number> {
  if (canPin()) pinSelf();
  const machine = describeMachine();
  print(describeRun(machine, contenders));
  const settings: MeasureSettings = {
    origin: await startOrigin(makeFolder(directory, "origin")),
    directory,
    roundCount: options.roundCount,
    isQuick: options.isQuick,
    isWanted: (contender) => contenders.includes(contender),
    report: (text) => process.stderr.write(`${text}\n`),
  };
  const results: RowResult[] = [];
  for (const row of rows) {
    results.push(await measureRow(row, settings));
    print(`\n${results.slice(-1).map(formatRow).join()}\n`);
  }
  const rewriting = rows.some(({ name }) => name === "hls1000") ? [judgeRewriting(rewriteCpuUs())] : [];
  const scrapes = rows.some(({ name }) => name === "scrape")
    ? [judgeScrape(await measureScrape(directory, settings.origin.filesPort))]
    : [];
  const splits = rows.some(({ name }) => name === "workers")
    ? [judgeSplit(leastShare(join(directory, `workers-${OSSGATE_WORKERS.name}`), 2))]
    : [];
  const verdicts = [...judge(results), ...rewriting, ...splits, ...scrapes];
  if (verdicts.length > 0) print(`\n${formatVerdicts(verdicts)}\n`);
  writeFileSync(
    options.jsonFile,
    `${JSON.stringify({ machine, options, rows: results, targets: verdicts }, null, 2)}\n`,
  );
  print(`\nwritten: ${options.jsonFile}\n`);
  return results.some(hasError) ? EXIT_FAILED : 0;
}

function describeMachine() {
  return {
    startedAt: new Date().toISOString(),
    cpu: cpus()[0]?.model.trim() ?? "unknown",
    coreCount: cpus().length,
    isPinned: canPin(),
    kernel: release(),
    node: process.version,
    versions: Object.fromEntries(ALL_CONTENDERS.map((contender) => [contender.name, versionOf(contender)])),
  };
}

function describeRun(machine: ReturnType<typeof describeMachine>, contenders: readonly Contender[]): string {
  const cores = machine.isPinned
    ? "proxies on core 1, one after another in turns; origin and load on core 0"
    : "NOT PINNED: taskset or a second core is missing, the figures are worth little";
  const notes = contenders.map((contender) => {
    const version = machine.versions[contender.name];
    return `  ${contender.name}: ${contender.note}${version ? ` (${version})` : ""}`;
  });
  return [
    `${machine.startedAt}  ${machine.cpu}, ${machine.coreCount} cores, Linux ${machine.kernel}, Node ${machine.node}`,
    cores,
    "origin: NGINX with static files; uploads go to a raw socket sink that counts them",
    "figures: medians of the rounds; CPU is user and kernel time of the proxy's process tree; p50 and p99 under full load",
    ...notes,
    "",
  ].join("\n");
}

/** The first line that names a version, from stdout or, as NGINX does it, from stderr. */
function versionOf({ version }: Contender): string | null {
  const command = version === undefined ? null : findProgram(version.command);
  if (version === undefined || command === null) return null;
  const { stdout, stderr } = spawnSync(command, version.args, { encoding: "utf8", timeout: 5000 });
  return `${stdout}${stderr}`.split("\n")[0]?.replace(/ - http.*/, "") ?? null;
}

function hasError(result: RowResult): boolean {
  return result.lines.some((line) => "error" in line);
}

function makeFolder(parent: string, name: string): string {
  const directory = join(parent, name);
  mkdirSync(directory);
  return directory;
}

function cleanUpOnSignals(directory: string): void {
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.once(signal, () => void cleanUp(directory).finally(() => process.exit(EXIT_INTERRUPTED)));
  }
}

async function cleanUp(directory: string): Promise<void> {
  await stopAll();
  rmSync(directory, { recursive: true, force: true });
}

function print(text: string): void {
  process.stdout.write(text);
}
