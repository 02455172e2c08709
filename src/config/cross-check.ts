import { checkAccess } from "./check-access.js";
import { checkBuckets } from "./check-buckets.js";
import { checkCallback } from "./check-callback.js";
import { checkCors } from "./check-cors.js";
import { checkCredentials } from "./check-credentials.js";
import { checkResponseHeaders } from "./check-headers.js";
import { checkHls } from "./check-hls.js";
import { checkLimits } from "./check-limits.js";
import { checkListeners } from "./check-listeners.js";
import { checkOverlaps } from "./check-overlaps.js";
import { checkPaths } from "./check-paths.js";
import { checkPreview } from "./check-preview.js";
import { checkQuotas, warnAboutPriorities } from "./check-quotas.js";
import { checkReferer } from "./check-referer.js";
import { checkRoutes } from "./check-routes.js";
import { checkRegions, checkSigning } from "./check-signing.js";
import { checkPreload, checkRouteTls, checkTls } from "./check-tls.js";
import type { ConfigDraft, Report, RouteDraft } from "./report.js";

/** Everything that no single field shows. Works on what is good of a file, so that it can go with its other problems. */
export function crossCheck(draft: ConfigDraft, report: Report): void {
  checkListeners(draft, report);
  checkTls(draft, report);
  warnAboutUnmasked(draft, report);
  checkHeaderSizes(draft, report);
  checkCredentials(draft, report);
  checkBuckets(draft, report);
  checkRoutes(draft, report);
  checkOverlaps(draft, report);
  checkRegions(draft, report);
  checkLimits(draft, report);
  checkQuotas(draft, report);
  warnAboutPriorities(draft, report);
  draft.routes?.forEach((route, index) => {
    if (route !== undefined) checkRoute(route, index, draft, report);
  });
}

/** What the keys of one route say together. */
function checkRoute(route: RouteDraft, index: number, draft: ConfigDraft, report: Report): void {
  checkRouteTls(route, index, draft, report);
  checkPreload(route, index, report);
  checkPaths(route, index, report);
  if (report.source.has(["routes", index, "callback"])) {
    checkCallback(route, index, report);
    return;
  }
  checkSigning(route, index, draft, report);
  checkAccess(route, index, report);
  checkHls(route, index, report);
  checkPreview(route, index, draft, report);
  checkReferer(route, index, report);
  checkCors(route, index, report);
  checkResponseHeaders(route, index, report);
}

function warnAboutUnmasked({ log }: ConfigDraft, report: Report): void {
  if (log?.access?.unmasked !== true) return;
  report.warning(["log", "access", "unmasked"], {
    expected: "signatures and tokens masked in the log",
    hint: "Whoever reads the log, or what it is shipped to, can use them until they expire.",
  });
}

function checkHeaderSizes({ limits }: ConfigDraft, report: Report): void {
  const { headerSize, targetSize } = limits ?? {};
  if (headerSize === undefined || targetSize === undefined || targetSize < headerSize) return;
  const key = report.source.has(["limits", "targetSize"]) ? "targetSize" : "headerSize";
  report.problem(["limits", key], {
    expected: "a targetSize below headerSize",
    found: `${targetSize} B and ${headerSize} B`,
    hint: "The request line counts as a header byte.",
  });
}
