/** A process that writes an access log: `OUTPUT LINES NAME`. Lengths differ, up to far more than a pipe takes at once. */
import { setImmediate } from "node:timers/promises";
import { createAccessLog } from "../../src/telemetry/access-log.js";
import { Stats } from "../../src/telemetry/stats.js";

const [output = "stdout", lines = "0", name = ""] = process.argv.slice(2);
const stats = new Stats();
const log = createAccessLog("json", stats, { output });
for (let number = 0; number < Number(lines); number += 1) {
  const length = number % 100 === 0 ? 20_000 : (number * 37) % 3_000;
  log.write({
    requestId: "0123456789ABCDEF01234567",
    client: "192.0.2.7",
    host: name,
    method: "GET",
    target: `/${"x".repeat(length)}`,
    protocol: "HTTP/1.1",
    route: "files",
    status: 200,
    signature: "anonymous",
    receivedBytes: 0,
    sentBytes: number,
    durationMs: 1.5,
  });
  if (number % 50 === 0) await setImmediate();
}
await log.close();
process.exitCode = stats.droppedLogLines === 0 ? 0 : 1;
