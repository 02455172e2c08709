import type { Logger } from "../telemetry/log.js";
import { type Notify, openNotifySocket } from "./systemd-notify.js";

/** Who started the program and wants to know how it does: systemd, or nobody. See sd_notify(3). */
export interface ServiceManager {
  /** Everything serves: after the start, and after each reload, good or bad. */
  ready(status: string): void;
  /** A reload begins; {@link ready} must follow. */
  reloading(): void;
  /**
   * The end begins.
   * @param graceMs how long it may take; systemd waits that long, whatever its unit says
   */
  stopping(graceMs: number): void;
  /** What `systemctl status` shows, in words. */
  status(text: string): void;
  /** The whole program works: workers answer. To be called each second while it does; without it systemd restarts us. */
  alive(): void;
}

export interface ServiceManagerOptions {
  readonly log: Logger;
  /** Its variables are taken out: they are this process's, not for workers. */
  readonly env?: NodeJS.ProcessEnv;
  readonly pid?: number;
  /** Monotonic. */
  readonly nowMs?: () => number;
  readonly open?: (address: string) => Notify;
}

/** Beyond the time that the end itself takes. */
const STOP_MARGIN_MS = 5_000;
/** How many messages wait for room in systemd's queue; older ones are dropped then. */
const MAX_UNSENT = 16;
const MAX_STATUS_CHARS = 512;
const IN_A_MOMENT: ReadonlySet<unknown> = new Set(["EAGAIN", "ENOBUFS"]);

const NOBODY: ServiceManager = { ready() {}, reloading() {}, stopping() {}, status() {}, alive() {} };

/**
 * Call in the main process, before it starts others. Where nobody wants to know, or cannot be told (one warning), all its
 * methods do nothing; none of them ever waits.
 */
export function createServiceManager(options: ServiceManagerOptions): ServiceManager {
  const { log, env = process.env, pid = process.pid, open = openNotifySocket } = options;
  const { NOTIFY_SOCKET: address, WATCHDOG_USEC: watchdog, WATCHDOG_PID: watchdogPid } = env;
  for (const name of ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"]) delete env[name];
  if (address === undefined || address === "") return NOBODY;
  const isWatched = watchdog !== undefined && (watchdogPid === undefined || Number(watchdogPid) === pid);
  try {
    const notify = open(address);
    const watchdogMs = isWatched ? Number(watchdog) / 1_000 : Number.NaN;
    return new Notifier(notify, log, watchdogMs, options.nowMs ?? (() => performance.now()));
  } catch (error) {
    log.warn({ cause: (error as Error).message }, "systemd cannot be told how the program does");
    return NOBODY;
  }
}

class Notifier implements ServiceManager {
  readonly #notify: Notify;
  readonly #log: Logger;
  readonly #nowMs: () => number;
  /** `NaN`: there is none. */
  readonly #watchdogMs: number;
  #aliveSaidMs = Number.NEGATIVE_INFINITY;
  readonly #unsent: string[] = [];
  #hasWarned = false;

  constructor(notify: Notify, log: Logger, watchdogMs: number, nowMs: () => number) {
    this.#notify = notify;
    this.#log = log;
    this.#watchdogMs = watchdogMs;
    this.#nowMs = nowMs;
  }

  ready(status: string): void {
    this.#send(`READY=1\nSTATUS=${oneLine(status)}`);
  }

  reloading(): void {
    // sd_notify(3): systemd takes only what it was sent after its own request; that is why it wants to know when.
    this.#send(
      `RELOADING=1\nMONOTONIC_USEC=${process.hrtime.bigint() / 1_000n}\nSTATUS=Reading the configuration again`,
    );
  }

  stopping(graceMs: number): void {
    const limitUsec = Math.ceil((graceMs + STOP_MARGIN_MS) * 1_000);
    this.#send(`STOPPING=1\nEXTEND_TIMEOUT_USEC=${limitUsec}\nSTATUS=Letting what runs finish`);
  }

  status(text: string): void {
    this.#send(`STATUS=${oneLine(text)}`);
  }

  alive(): void {
    const nowMs = this.#nowMs();
    // Each third: systemd waits for the whole, and asks for half.
    const isDue = nowMs - this.#aliveSaidMs >= this.#watchdogMs / 3;
    if (isDue) {
      this.#aliveSaidMs = nowMs;
      this.#send("WATCHDOG=1");
    } else if (this.#unsent.length > 0) this.#sendAll();
  }

  #send(message: string): void {
    if (this.#unsent.length >= MAX_UNSENT) this.#unsent.shift();
    this.#unsent.push(message);
    this.#sendAll();
  }

  /** In their order; what finds systemd's queue full waits for the next message. */
  #sendAll(): void {
    while (this.#unsent.length > 0) {
      try {
        this.#notify(this.#unsent[0] as string);
      } catch (error) {
        const { code, message } = error as NodeJS.ErrnoException;
        if (IN_A_MOMENT.has(code)) return;
        if (!this.#hasWarned) this.#log.warn({ cause: message }, "systemd cannot be told how the program does");
        this.#hasWarned = true;
      }
      this.#unsent.shift();
    }
  }
}

/** A line break would begin another assignment. */
function oneLine(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not get through
  return text.replace(/[\x00-\x1f\x7f]+/g, " ").slice(0, MAX_STATUS_CHARS);
}
