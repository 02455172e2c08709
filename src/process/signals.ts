import type { GatewayProcess } from "./gateway-process.js";

/**
 * Serves until the first SIGTERM or SIGINT, then ends in order; a second one ends the program at once.
 * @returns the exit status
 */
export function untilStopped(gateway: GatewayProcess, onStop?: () => Promise<void>): Promise<number> {
  return new Promise((resolve, reject) => {
    let isStopping = false;
    const stop = (signal: NodeJS.Signals): void => {
      if (isStopping) {
        gateway.log.warn({ signal }, "second signal, ending now");
        process.exit(1);
      }
      isStopping = true;
      const { shutdownTimeoutMs } = gateway.config.limits;
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
