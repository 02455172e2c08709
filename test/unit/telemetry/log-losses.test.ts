import t from "tap";
import { lossCauseOf, nextOfLoss } from "../../../src/telemetry/log-losses.js";

const failed = (code: string): NodeJS.ErrnoException => Object.assign(new Error(`${code}: write`), { code });

t.test("what to do about a log is for what holds it up: the disk, its reader, the file system", (t) => {
  for (const [code, cause, next] of [
    ["ENOSPC", "full", /^Make room/],
    ["EPIPE", "failed", /^Nobody reads the log any more/],
    ["EIO", "failed", /^Look at the file system/],
  ] as const) {
    t.equal(lossCauseOf(failed(code)), cause);
    t.match(nextOfLoss(failed(code)), next);
  }
  t.end();
});
