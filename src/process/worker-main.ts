/** The program of a worker. */
import { ignoreSignals } from "./worker-signals.js";

// Before anything else is loaded: Node opens its debugger on SIGUSR1 where nobody listens.
ignoreSignals();
const { runWorker } = await import("./worker.js");

process.title = "ossgate: worker";
process.exit(await runWorker());
