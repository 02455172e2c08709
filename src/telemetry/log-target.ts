import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { Socket } from "node:net";

/** Where a log goes: an open file descriptor, and how several processes may write to it at once. */
export interface LogTarget {
  /** As it is configured. */
  readonly output: string;
  readonly fd: number;
  /** So much in one write is never mixed with what other processes write; whole lines, that is. */
  readonly maxWriteBytes: number;
  /** Whether lines begin with the priority that systemd reads, sd-daemon(3). */
  readonly hasPriorities: boolean;
  /** Whether opening it again opens a file. */
  readonly isFile: boolean;
  close(): void;
}

/** The descriptor of standard output or standard error. */
export type StandardFd = 1 | 2;

/** pipe(7): what is longer may be mixed with what others write. Measured for unix sockets: far more, but nowhere promised. */
const ATOMIC_BYTES = 4_096;
/** Files are appended to as a whole (write(2), O_APPEND) and so are terminals; this bounds a write's memory. */
const LONG_BYTES = 32 * 1_024;
/** Without blocking, a pipe that nobody reads is refused here instead of stopping the program. */
const FLAGS = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NONBLOCK | constants.O_NOCTTY;

/**
 * @param key the configuration's, for the error: `log.access.output`
 * @param output `stdout`, `stderr`, `journald` or an absolute path
 * @param standardFd what `journald` means
 * @throws Error one sentence when the file cannot be had
 */
export function openLogTarget(key: string, output: string, standardFd: StandardFd): LogTarget {
  if (output === "stdout") return standardTarget(output, 1);
  if (output === "stderr") return standardTarget(output, 2);
  if (output === "journald") return standardTarget(output, standardFd);
  try {
    const fd = openSync(output, FLAGS, 0o640);
    return { output, fd, ...waysOf(fd), hasPriorities: false, isFile: true, close: () => closeSync(fd) };
  } catch (cause) {
    const { code = "" } = cause as NodeJS.ErrnoException;
    throw new Error(`${key}: cannot open ${output}: ${OPEN_HINTS[code] ?? code}`, { cause });
  }
}

/** A descriptor that is open already and stays so. */
export function descriptorTarget(output: string, fd: number, hasPriorities = false): LogTarget {
  return { output, fd, ...waysOf(fd), hasPriorities, isFile: false, close: () => {} };
}

const NEWLINE = 0x0a;

/** Whether a file ends in a piece of a line, whoever wrote it; `null`: it is no file, or cannot be read. */
export function endsMidLine({ fd, isFile }: LogTarget): boolean | null {
  if (!isFile) return null;
  let reader: number | undefined;
  try {
    const { size } = fstatSync(fd);
    if (size === 0) return false;
    // The descriptor is for writing alone, and the name may be another file's by now.
    reader = openSync(`/proc/self/fd/${fd}`, constants.O_RDONLY | constants.O_NONBLOCK);
    const last = Buffer.alloc(1);
    return readSync(reader, last, 0, 1, size - 1) === 1 && last[0] !== NEWLINE;
  } catch {
    return null;
  } finally {
    if (reader !== undefined) closeSync(reader);
  }
}

const OPEN_HINTS: Readonly<Record<string, string>> = {
  ENOENT: "there is no such directory",
  ENOTDIR: "what should be its directory is a file",
  EISDIR: "it is a directory",
  EACCES: "permission denied",
  EROFS: "nothing may be written there (under systemd: only where LogsDirectory= or ReadWritePaths= say)",
  ENXIO: "it is a pipe that nobody reads, or a socket",
  ENOSPC: "the disk is full",
};

/**
 * A write to a full pipe would hold one of Node's few threads until somebody reads, and the program's end with it. So that
 * it returns at once, a pipe is opened a second time: the mode of the first is shared with whoever else writes there. A
 * socket cannot be opened again; there the mode is changed, which is what Node does to its standard streams as well.
 */
function standardTarget(output: string, fd: StandardFd): LogTarget {
  const hasPriorities = output === "journald";
  const stat = statOrNull(fd);
  if (stat?.isSocket() === true) keepSocket(fd);
  const own = stat?.isFIFO() === true ? openAgain(fd) : null;
  if (own === null) return descriptorTarget(output, fd, hasPriorities);
  return { ...descriptorTarget(output, own, hasPriorities), close: () => closeSync(own) };
}

function openAgain(fd: number): number | null {
  try {
    return openSync(`/proc/self/fd/${fd}`, constants.O_WRONLY | constants.O_NONBLOCK);
  } catch {
    return null;
  }
}

/** Kept, since collecting the object as garbage would close the descriptor. */
const kept = new Map<number, Socket>();

function keepSocket(fd: number): void {
  if (!kept.has(fd)) kept.set(fd, new Socket({ fd, readable: false, writable: true }).unref());
}

function waysOf(fd: number): { readonly maxWriteBytes: number } {
  const stat = statOrNull(fd);
  return { maxWriteBytes: stat?.isFIFO() === true || stat?.isSocket() === true ? ATOMIC_BYTES : LONG_BYTES };
}

/** `null`: the descriptor was closed by who started the program; each write will say so. */
function statOrNull(fd: number): ReturnType<typeof fstatSync> | null {
  try {
    return fstatSync(fd);
  } catch {
    return null;
  }
}
