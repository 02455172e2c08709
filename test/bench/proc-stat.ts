/** CPU time and memory of a process and all its descendants, read from /proc. */
import { readdirSync, readFileSync } from "node:fs";

export interface MemoryUse {
  /** Resident now. Pages that processes of the tree share count once for each. */
  readonly rssBytes: number;
  /** The sum of each process's own peak. */
  readonly peakRssBytes: number;
}

/** USER_HZ: what Linux shows in /proc/PID/stat on every common architecture. */
const US_PER_TICK = 10_000;

/** The process and its descendants, the process first. */
export function processTree(rootPid: number): readonly number[] {
  const parentOf = readParents();
  const tree = [rootPid];
  // The list grows while it is walked: children are appended behind their parent.
  for (const pid of tree) {
    for (const [child, parent] of parentOf) if (parent === pid) tree.push(child);
  }
  return tree;
}

/** CPU microseconds that the tree has used since its start, in user and kernel mode, all threads. */
export function treeCpuUs(rootPid: number): number {
  return sum(processTree(rootPid).map(processCpuUs));
}

export function treeMemory(rootPid: number): MemoryUse {
  const statuses = processTree(rootPid).map((pid) => read(`/proc/${pid}/status`) ?? "");
  return {
    rssBytes: sum(statuses.map((status) => statusBytes(status, "VmRSS"))),
    peakRssBytes: sum(statuses.map((status) => statusBytes(status, "VmHWM"))),
  };
}

/** CPU microseconds that all programs together, and the host that took it away, have used of one core since boot. */
export function coreBusyUs(coreIndex: number): number {
  const line = new RegExp(`^cpu${coreIndex} (.*)$`, "m").exec(read("/proc/stat") ?? "")?.[1] ?? "";
  const [user, nice, system, _idle, _ioWait, irq, softIrq, steal] = line.split(" ").map(Number);
  return sum([user, nice, system, irq, softIrq, steal].map((ticks) => ticks ?? 0)) * US_PER_TICK;
}

function processCpuUs(pid: number): number {
  return schedulerCpuUs(pid) ?? tickCpuUs(pid);
}

/** Nanoseconds on the CPU as the scheduler counts them, much finer than the 10 ms ticks; not every kernel has it. */
function schedulerCpuUs(pid: number): number | null {
  let totalNs = 0;
  for (const thread of list(`/proc/${pid}/task`)) {
    const text = read(`/proc/${pid}/task/${thread}/schedstat`);
    if (text === null) return null;
    totalNs += Number(text.split(" ")[0]);
  }
  return totalNs > 0 ? totalNs / 1000 : null;
}

function tickCpuUs(pid: number): number {
  const fields = statFields(pid);
  return (Number(fields[11] ?? 0) + Number(fields[12] ?? 0)) * US_PER_TICK;
}

/** The fields behind the command, which is in parentheses and may hold spaces: [0] is the state, [1] the parent. */
function statFields(pid: number): readonly string[] {
  const text = read(`/proc/${pid}/stat`) ?? "";
  return text.slice(text.lastIndexOf(")") + 2).split(" ");
}

function readParents(): ReadonlyMap<number, number> {
  const pids = list("/proc").filter((name) => /^\d+$/.test(name));
  return new Map(pids.map((name) => [Number(name), Number(statFields(Number(name))[1])]));
}

function statusBytes(status: string, field: string): number {
  const kibibytes = new RegExp(`^${field}:\\s+(\\d+) kB$`, "m").exec(status)?.[1];
  return Number(kibibytes ?? 0) * 1024;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

/** Processes and threads end while we look; what is gone reads as nothing. */
function read(file: string): string | null {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return null;
  }
}

function list(directory: string): readonly string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}
