/** A worker program that serves until it is told to drain. */
import { type FromWorker, PROTOCOL, type ToWorker, unwrap, wrap } from "../../../../src/process/messages.js";

function tell(body: FromWorker): void {
  process.send?.(wrap(body));
}

process.on("message", (message: unknown) => {
  const body = unwrap<ToWorker>(message);
  if (body?.say === "start") tell({ say: "serving" });
  else if (body?.say === "collect") tell({ say: "collected", id: body.id, patch: null, report: null });
  else if (body?.say === "drain") process.exit(0);
});
process.on("disconnect", () => process.exit(0));
tell({ say: "hello", protocol: PROTOCOL });
