/** Measures one row: starts its proxies, lets them take turns, and turns counters into figures. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type Contender, OSSGATE_HLS } from "./contenders.js";
import type { LoadResult, LoadTarget } from "./load.js";
import { MIB, type Origin } from "./origin.js";
import { coreBusyUs, type MemoryUse, treeCpuUs, treeMemory } from "./proc-stat.js";
import { canPin, freePort, PROXY_CORE, type StartedProgram, startProgram } from "./processes.js";
import { fetchWhole, untilListening, untilOk } from "./ready.js";
import type { Row } from "./rows.js";
import { median, medianOrNull } from "./statistics.js";

/** How long the news of a process's end may take to arrive here. */
const DEATH_NOTICE_MS = 100;

/** `null`: there is no proxy process whose figure this could be. */
export interface Figures {
  readonly requestsPerSecond: number;
  readonly mebibytesPerSecond: number;
  readonly cpuUsPerRequest: number | null;
  readonly cpuUsPerMebibyte: number | null;
  /** Of one core: near 1 the proxy is what limits the speed, far below it is the origin or the load. */
  readonly coreShare: number | null;
  /** Of the proxy's core, what programs outside the measurement took: well above 0 the speed is not worth much. */
  readonly othersCoreShare: number | null;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly rssMebibytes: number | null;
  readonly peakRssMebibytes: number | null;
  /** Of the client that got least, and of the one that got most; `null` where clients do not share. */
  readonly leastMebibytesPerSecond: number | null;
  readonly mostMebibytesPerSecond: number | null;
}

export type Line =
  | { readonly name: string; readonly medians: Figures; readonly rounds: readonly Figures[] }
  | { readonly name: string; readonly absent: string }
  | { readonly name: string; readonly error: string };

export interface RowResult {
  readonly name: string;
  readonly title: string;
  readonly lines: readonly Line[];
}

export interface MeasureSettings {
  readonly origin: Origin;
  readonly directory: string;
  readonly roundCount: number;
  readonly isQuick: boolean;
  /** Names of those who take part; `null`: all of the row. */
  isWanted(contender: Contender): boolean;
  report(text: string): void;
}

/** One proxy during one row. */
interface Seat {
  readonly contender: Contender;
  readonly target: LoadTarget;
  readonly program: StartedProgram | null;
  readonly rounds: Figures[];
  error: string | null;
}

/** What a proxy used during one measurement. */
interface Usage {
  readonly cpuUs: number;
  readonly othersCpuUs: number | null;
  readonly memory: MemoryUse;
}

export async function measureRow(row: Row, settings: MeasureSettings): Promise<RowResult> {
  const wanted = row.contenders.filter((contender) => settings.isWanted(contender));
  const present = wanted.filter((contender) => contender.absence() === null);
  const seats: Seat[] = [];
  for (const contender of present) seats.push(await takeSeat(row, contender, settings));
  for (let roundIndex = 0; roundIndex < settings.roundCount; roundIndex += 1) {
    for (const seat of seats) await playRound(row, seat, roundIndex, settings);
  }
  await Promise.all(seats.map((seat) => seat.program?.stop()));
  const lines = wanted.map((contender) => lineOf(contender, seats));
  return { name: row.name, title: row.title, lines };
}

async function takeSeat(row: Row, contender: Contender, settings: MeasureSettings): Promise<Seat> {
  const originPort = row.origin === "files" ? settings.origin.filesPort : settings.origin.uploadsPort;
  const directory = join(settings.directory, `${row.name}-${contender.name}`);
  mkdirSync(directory);
  const listenPort = contender.prepare === null ? originPort : await freePort();
  const target: LoadTarget = {
    port: listenPort,
    path: row.path,
    bodyBytes: row.bodyBytes,
    refusal: contender.refusal ?? null,
    takesBytesPerSecond: contender.takesBytesPerSecond ?? null,
    directory,
  };
  const seat = { contender, target, rounds: [], error: null };
  try {
    const program = await startContender(contender, target, originPort);
    await checkContent(row, target, { origin: settings.origin, rewrites: contender === OSSGATE_HLS });
    return { ...seat, program };
  } catch (error) {
    return { ...seat, program: null, error: reasonOf(error) };
  }
}

async function startContender(
  contender: Contender,
  { directory, port }: LoadTarget,
  originPort: number,
): Promise<StartedProgram | null> {
  if (contender.prepare === null) return null;
  const launch = contender.prepare({ directory, listenPort: port, adminPort: await freePort(), originPort });
  const output = { stdoutFile: join(directory, "stdout.log"), stderrFile: join(directory, "stderr.log") };
  const program = startProgram(launch, canPin() ? PROXY_CORE : null, output);
  const isReady = launch.readyUrl === undefined ? untilListening(port) : untilOk(launch.readyUrl);
  await Promise.race([isReady, program.diesEarly]);
  return program;
}

interface ContentCheck {
  readonly origin: Origin;
  /** The contender answers with a rewritten playlist. */
  readonly rewrites: boolean;
}

/** A wrong answer is often a fast one: before a download is timed, its bytes are compared. */
async function checkContent(row: Row, target: LoadTarget, { origin, rewrites }: ContentCheck): Promise<void> {
  if (row.origin !== "files") return;
  const url = `http://127.0.0.1:${target.port}${target.path}`;
  const { status, body } = await fetchWhole(url);
  if (target.refusal !== null) {
    // A limit has let the first pass.
    const { status: second } = await fetchWhole(url);
    if (second !== target.refusal) throw new Error(`status ${second} instead of ${target.refusal}`);
    return;
  }
  if (status !== 200) throw new Error(`status ${status}: ${body.toString("utf8", 0, 200)}`);
  const [path = ""] = target.path.split("?");
  if (rewrites) {
    const links = body.toString().match(/\?ossgate-expires=/g)?.length ?? 0;
    if (links !== 1_000) throw new Error(`the playlist has ${links} links`);
  } else if (!origin.contents.get(path)?.equals(body)) throw new Error("the body differs from the origin's");
}

async function playRound(row: Row, seat: Seat, roundIndex: number, settings: MeasureSettings): Promise<void> {
  if (seat.error !== null) return;
  const { amounts } = row;
  settings.report(`${row.name}  round ${roundIndex + 1}/${settings.roundCount}  ${seat.contender.name}`);
  try {
    // The origin alone has nothing that gets warm.
    if (seat.program !== null) await row.measure(seat.target, roundIndex === 0 ? amounts.firstWarmUp : amounts.warmUp);
    seat.rounds.push(await measureOnce(row, seat, settings.isQuick ? amounts.quick : amounts.full));
  } catch (error) {
    seat.error = await rootCause(seat, error);
  }
}

/** When the proxy has ended, that says more than what the load saw of it. */
async function rootCause(seat: Seat, error: unknown): Promise<string> {
  const death = seat.program?.diesEarly.catch(reasonOf);
  return Promise.race([death ?? reasonOf(error), sleep(DEATH_NOTICE_MS, reasonOf(error))]);
}

async function measureOnce(row: Row, seat: Seat, amount: number): Promise<Figures> {
  if (seat.program === null) return toFigures(await row.measure(seat.target, amount), null);
  const { pid } = seat.program;
  const before = { proxyUs: treeCpuUs(pid), coreUs: coreBusyUs(PROXY_CORE) };
  const load = await row.measure(seat.target, amount);
  const cpuUs = treeCpuUs(pid) - before.proxyUs;
  const othersCpuUs = canPin() ? Math.max(0, coreBusyUs(PROXY_CORE) - before.coreUs - cpuUs) : null;
  return toFigures(load, { cpuUs, othersCpuUs, memory: treeMemory(pid) });
}

function toFigures(load: LoadResult, usage: Usage | null): Figures {
  const cpuUs = usage?.cpuUs ?? null;
  const othersCpuUs = usage?.othersCpuUs ?? null;
  const wallS = load.wallMs / 1000;
  const mebibytes = load.bodyBytes / MIB;
  return {
    requestsPerSecond: load.requestCount / wallS,
    mebibytesPerSecond: mebibytes / wallS,
    cpuUsPerRequest: cpuUs === null ? null : cpuUs / load.requestCount,
    cpuUsPerMebibyte: cpuUs === null ? null : cpuUs / mebibytes,
    coreShare: cpuUs === null ? null : cpuUs / 1000 / load.wallMs,
    othersCoreShare: othersCpuUs === null ? null : othersCpuUs / 1000 / load.wallMs,
    p50Ms: load.p50Ms,
    p99Ms: load.p99Ms,
    rssMebibytes: usage === null ? null : usage.memory.rssBytes / MIB,
    peakRssMebibytes: usage === null ? null : usage.memory.peakRssBytes / MIB,
    leastMebibytesPerSecond: load.clients === undefined ? null : load.clients.leastBytesPerSecond / MIB,
    mostMebibytesPerSecond: load.clients === undefined ? null : load.clients.mostBytesPerSecond / MIB,
  };
}

function lineOf(contender: Contender, seats: readonly Seat[]): Line {
  const { name } = contender;
  const seat = seats.find((candidate) => candidate.contender === contender);
  if (seat === undefined) return { name, absent: contender.absence() ?? "not started" };
  if (seat.error !== null) return { name, error: seat.error };
  return { name, medians: mediansOf(seat.rounds), rounds: seat.rounds };
}

function mediansOf(rounds: readonly Figures[]): Figures {
  return {
    requestsPerSecond: median(rounds.map((figures) => figures.requestsPerSecond)),
    mebibytesPerSecond: median(rounds.map((figures) => figures.mebibytesPerSecond)),
    cpuUsPerRequest: medianOrNull(rounds.map((figures) => figures.cpuUsPerRequest)),
    cpuUsPerMebibyte: medianOrNull(rounds.map((figures) => figures.cpuUsPerMebibyte)),
    coreShare: medianOrNull(rounds.map((figures) => figures.coreShare)),
    othersCoreShare: medianOrNull(rounds.map((figures) => figures.othersCoreShare)),
    p50Ms: median(rounds.map((figures) => figures.p50Ms)),
    p99Ms: median(rounds.map((figures) => figures.p99Ms)),
    rssMebibytes: medianOrNull(rounds.map((figures) => figures.rssMebibytes)),
    peakRssMebibytes: medianOrNull(rounds.map((figures) => figures.peakRssMebibytes)),
    leastMebibytesPerSecond: medianOrNull(rounds.map((figures) => figures.leastMebibytesPerSecond)),
    mostMebibytesPerSecond: medianOrNull(rounds.map((figures) => figures.mostMebibytesPerSecond)),
  };
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
