import type { GatewayConfig } from "../config/gateway-config.js";
import type { Logger } from "../telemetry/log.js";

/** What signals act on. */
export interface Stoppable {
  readonly log: Logger;
  readonly state: { readonly config: GatewayConfig };
  stop(graceMs: number): Promise<void>;
}

/** The program as a whole, which signals do more to. */
export interface Operated extends Stoppable {
  reload(): Promise<unknown>;
  reopenLogs(): Promise<void>;
}

/** Node opens its debugger on SIGUSR1 where nobody listens: to be called before anything else. */
export function keepDebuggerShut(): void {
  process.on("SIGUSR1", () => {});
}

/** SIGHUP reads the configuration again, SIGUSR2 opens log files again. @returns ends that */
export function operateBySignals(gateway: Operated): () => void {
  const reload = () => void gateway.reload();
  const reopen = () => void gateway.reopenLogs();
  process.on("SIGHUP", reload);
  process.on("SIGUSR2", reopen);
  return () => {
    process.off("SIGHUP", reload);
    process.off("SIGUSR2", reopen);
  };
}

/**
 * Serves until the first SIGTERM or SIGINT, then ends in order; a second one ends the program at once.
 * @returns the exit status
 */
export function untilStopped(gateway: Stoppable, onStop?: () => Promise<void>): Promise<number> {
  return new Promise((resolve, reject) => {
    let isStopping = false;
    const stop = (signal: NodeJS.Signals): void => {
      if (isStopping) {
        gateway.log.warn({ signal }, "second signal, ending now");
        process.exit(1);
      }
      isStopping = true;
      const { shutdownTimeoutMs } = gateway.state.config.limits;
      const stopped = gateway.stop(shutdownTimeoutMs);
      gateway.log.info({ signal, shutdownTimeoutMs }, "stopping: nothing new is accepted, what runs may finish");
      stopped
        .then(() => onStop?.())
        .then(() => {
          gateway.log.info("stopped");
          resolve(0);
        }, reject);
    };
    process.on("SIGTERM", stop);
    process.on("SIGINT", stop);
  });
}
