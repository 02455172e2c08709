/** What a terminal or systemd sends to all processes of the program, and what only its main process acts on. */
const OF_THE_MAIN_PROCESS = ["SIGTERM", "SIGINT", "SIGHUP", "SIGUSR1", "SIGUSR2"] as const;

/** A worker does as the main process says, and ends with it. */
export function ignoreSignals(): void {
  for (const signal of OF_THE_MAIN_PROCESS) process.on(signal, () => {});
}
