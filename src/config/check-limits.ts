import type { Path } from "./problem.js";
import type { BucketDraft, ConfigDraft, Report } from "./report.js";

/** Rates and counts of buckets and routes, and what holds them together over machines. */
export function checkLimits(draft: ConfigDraft, report: Report): void {
  const places: Path[] = [];
  for (const [alias, bucket] of Object.entries(draft.buckets ?? {})) {
    checkBudget(["buckets", alias, "limits"], bucket?.limits, report);
    places.push(["buckets", alias, "limits"]);
  }
  draft.routes?.forEach((route, index) => {
    checkBudget(["routes", index, "limits"], route?.limits, report);
    places.push(["routes", index, "limits"]);
  });
  checkShared(places, report);
}

type LimitsDraft = BucketDraft["limits"];

const RATES = ["requests", "connections", "egress", "ingress"] as const;

function checkBudget(path: Path, limits: LimitsDraft, report: Report): void {
  checkBurst(path, report);
  checkBurst([...path, "perClient"], report);
  warnAboutClientsShare(path, limits, report);
  warnAboutNothingLimited(path, report);
}

function checkBurst(path: Path, report: Report): void {
  if (!report.source.has([...path, "burst"]) || report.source.has([...path, "requests"])) return;
  const hint = "It says how many of them may come at once. Write requests too, or take burst out.";
  report.problem([...path, "burst"], { expected: "requests with burst", found: "burst alone", hint, atKey: true });
}

function warnAboutClientsShare(path: Path, limits: LimitsDraft, report: Report): void {
  for (const key of RATES) {
    const [whole, one] = [limits?.[key], limits?.perClient?.[key]];
    if (whole === undefined || one === undefined || one <= whole) continue;
    const written = [
      [...path, "perClient", key],
      [...path, key],
    ].map((place) => report.source.writtenAt(place));
    report.warning([...path, "perClient", key], {
      expected: `no more ${key} for one client than for all together`,
      found: written.join(" and "),
      hint: "It has no effect: the limit of all is reached first.",
    });
  }
}

function warnAboutNothingLimited(path: Path, report: Report): void {
  if (limitsAnything(path, report)) return;
  for (const key of ["status", "dryRun", "perClient"]) {
    if (!report.source.has([...path, key])) continue;
    const expected = `one of ${RATES.join(", ")} with ${key}`;
    report.warning([...path, key], { expected, hint: "It has no effect: nothing is limited.", atKey: true });
  }
}

function limitsAnything(path: Path, report: Report): boolean {
  return RATES.some((key) => report.source.has([...path, key]) || report.source.has([...path, "perClient", key]));
}

const SHARED: Path = ["limits", "shared"];
const PASSWORD: Path = ["limits", "sharedPassword"];

function checkShared(places: readonly Path[], report: Report): void {
  if (report.source.has(PASSWORD) && !report.source.has(SHARED)) {
    const hint = "It is the password of the server in limits.shared. Write that too, or take this out.";
    report.problem(PASSWORD, { expected: "limits.shared with sharedPassword", hint, atKey: true });
  }
  if (!report.source.has(SHARED) || places.some((path) => limitsAnything(path, report))) return;
  const hint = "It has no effect: no bucket and no route has a rate that machines could share.";
  report.warning(SHARED, { expected: `limits of a bucket or a route with shared`, hint, atKey: true });
}
