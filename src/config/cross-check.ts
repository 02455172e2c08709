import { checkBuckets } from "./check-buckets.js";
import { checkListeners } from "./check-listeners.js";
import { checkOverlaps } from "./check-overlaps.js";
import { checkRoutes } from "./check-routes.js";
import type { ConfigDraft, Report } from "./report.js";

/** Everything that no single field shows. Works on what is good of a file, so that it can go with its other problems. */
export function crossCheck(draft: ConfigDraft, report: Report): void {
  checkListeners(draft, report);
  checkLimits(draft, report);
  checkBuckets(draft, report);
  checkRoutes(draft, report);
  checkOverlaps(draft, report);
}

function checkLimits({ limits }: ConfigDraft, report: Report): void {
  const { headerSize, targetSize } = limits ?? {};
  if (headerSize === undefined || targetSize === undefined || targetSize < headerSize) return;
  const key = report.source.has(["limits", "targetSize"]) ? "targetSize" : "headerSize";
  report.problem(["limits", key], {
    expected: "a targetSize below headerSize",
    found: `${targetSize} B and ${headerSize} B`,
    hint: "The request line counts as a header byte.",
  });
}
