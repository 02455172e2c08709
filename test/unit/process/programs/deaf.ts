/** A worker program that begins to serve, and then does nothing that it is told. */
import { type FromWorker, PROTOCOL, type ToWorker, unwrap, wrap } from "../../../../src/process/messages.js";

function tell(body: FromWorker): void {
  process.send?.(wrap(body));
}

process.on("message", (message: unknown) => {
  if (unwrap<ToWorker>(message)?.say === "start") tell({ say: "serving" });
});
process.on("disconnect", () => process.exit(0));
tell({ say: "hello", protocol: PROTOCOL });
