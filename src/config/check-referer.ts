import { KEYWORDS, validRefererProblem } from "../core/referer-entry.js";
import type { Report, RouteDraft } from "./report.js";

const OSS_KEYS = [
  "allowEmptyReferer",
  "refererList",
  "refererBlacklist",
  "allowTruncateQueryString",
  "truncatePath",
  "strict",
] as const;

/** `referer`: OSS's words or NGINX's, and lists that do less than they seem to. */
export function checkReferer({ referer }: RouteDraft, index: number, report: Report): void {
  const path = ["routes", index, "referer"] as const;
  if (!report.source.has(path)) return;
  report.repeats([...path, "refererList"], referer?.refererList);
  report.repeats([...path, "refererBlacklist"], referer?.refererBlacklist);
  report.repeats([...path, "validReferers"], referer?.validReferers);
  if (report.source.has([...path, "validReferers"])) {
    refuseBoth(index, report);
    refuseEntries(referer, index, report);
    return;
  }
  warnAboutNothingChecked(referer, index, report);
  for (const key of ["refererList", "refererBlacklist"] as const) warnAboutSchemes(referer, key, index, report);
}

type RefererDraft = RouteDraft["referer"];

function refuseBoth(index: number, report: Report): void {
  for (const key of OSS_KEYS) {
    const path = ["routes", index, "referer", key];
    if (!report.source.has(path)) continue;
    const hint = "It is OSS's, and validReferers is NGINX's: they decide differently. Take one of the two out.";
    report.problem(path, { expected: `no ${key} with validReferers`, found: key, hint, atKey: true });
  }
}

function refuseEntries(referer: RefererDraft, index: number, report: Report): void {
  referer?.validReferers?.forEach((entry, place) => {
    const problem = entry === undefined ? null : validRefererProblem(entry);
    if (problem === null) return;
    const expected = "a keyword, a host name or an RE2 expression";
    report.problem(["routes", index, "referer", "validReferers", place], { expected, hint: problem });
  });
}

/** oss-semantics §5.2 R1 and R3: without a list of who may pass, only the blacklist refuses. */
function warnAboutNothingChecked(referer: RefererDraft, index: number, report: Report): void {
  const path = ["routes", index, "referer"] as const;
  const { allowEmptyReferer, refererList, refererBlacklist } = referer ?? {};
  if (refererList?.length !== 0) return;
  if (allowEmptyReferer === false) {
    report.warning([...path, "allowEmptyReferer"], {
      expected: "a refererList with allowEmptyReferer: false",
      found: "an empty one",
      hint: "As at OSS, it has no effect then: requests without a Referer pass.",
    });
  } else if (refererBlacklist?.length === 0) {
    report.warning(path, {
      expected: "refererList, refererBlacklist or validReferers",
      found: "none of them",
      hint: "As it is, every Referer passes.",
      atKey: true,
    });
  }
}

const SCHEME_EXPECTED = "a referer that begins with https://, http:// or *";
const BROWSERS_BEGIN: readonly string[] = ["http://", "https://"];

/** An entry is compared from the beginning on, and what browsers send begins with a scheme. */
function warnAboutSchemes(
  referer: RefererDraft,
  key: "refererList" | "refererBlacklist",
  index: number,
  report: Report,
): void {
  referer?.[key]?.forEach((entry, place) => {
    if (entry === undefined || entry.includes("://")) return;
    const path = ["routes", index, "referer", key, place];
    if (KEYWORDS.has(entry)) {
      report.warning(path, { expected: SCHEME_EXPECTED, hint: keywordHint(entry, key) });
      return;
    }
    const beginning = (/^[^*?]*/.exec(entry)?.[0] ?? "").toLowerCase();
    if (BROWSERS_BEGIN.some((scheme) => scheme.startsWith(beginning))) return;
    report.warning(path, {
      expected: SCHEME_EXPECTED,
      hint: "Browsers send the scheme too, so this matches nothing that they send.",
    });
  });
}

function keywordHint(entry: string, key: "refererList" | "refererBlacklist"): string {
  if (key === "refererBlacklist") return `${entry} is a word of NGINX's validReferers and matches nothing here.`;
  const instead = entry === "none" ? ", or allowEmptyReferer: true instead of it" : "";
  return `${entry} is a word of NGINX's and matches nothing here: write the list as validReferers${instead}.`;
}
