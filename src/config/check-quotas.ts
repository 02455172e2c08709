import { checkAliases } from "./check-routes.js";
import { type Path, quote } from "./problem.js";
import type { ConfigDraft, Report } from "./report.js";

const THRESHOLDS = ["requests", "egress", "ingress"] as const;

/** Thresholds of buckets and of accounts. */
export function checkQuotas(draft: ConfigDraft, report: Report): void {
  for (const alias of Object.keys(draft.buckets ?? {})) checkThresholds(["buckets", alias, "quota"], report);
  const owners = new Map<string, string>();
  for (const [name, quota] of Object.entries(draft.quotas ?? {})) {
    const path = ["quotas", name] as const;
    checkThresholds(path, report);
    report.repeats([...path, "buckets"], quota?.buckets);
    checkAliases(quota?.buckets, [...path, "buckets"], draft, report);
    const isForAll = !report.source.has([...path, "buckets"]);
    const aliases = isForAll ? Object.keys(draft.buckets ?? {}) : (quota?.buckets ?? []);
    const taken = aliases.map((alias) => take(alias, name, owners));
    reportTaken(path, { aliases, taken, isForAll }, report);
  }
}

function checkThresholds(path: Path, report: Report): void {
  if (!report.source.has(path) || THRESHOLDS.some((key) => report.source.has([...path, key]))) return;
  report.problem(path, { expected: `at least one of ${THRESHOLDS.join(", ")}`, atKey: true });
}

/** @returns the account that has the bucket already; `null` when none has */
function take(alias: string | undefined, name: string, owners: Map<string, string>): string | null {
  if (alias === undefined) return null;
  const owner = owners.get(alias);
  if (owner === undefined) owners.set(alias, name);
  return owner === undefined || owner === name ? null : owner;
}

interface Taken {
  readonly aliases: readonly (string | undefined)[];
  /** The other account of each. */
  readonly taken: readonly (string | null)[];
  readonly isForAll: boolean;
}

function reportTaken(path: Path, { aliases, taken, isForAll }: Taken, report: Report): void {
  const expected = "buckets that no other account has";
  for (const [place, owner] of taken.entries()) {
    if (owner === null) continue;
    const hint = `quotas.${owner} has ${quote(aliases[place] ?? "")} too, and a bucket belongs to one account.`;
    if (!isForAll) report.problem([...path, "buckets", place], { expected, hint });
    else {
      const all = "Without buckets it is for all.";
      report.problem(path, { expected, found: "all buckets", hint: `${hint} ${all}`, atKey: true });
      return;
    }
  }
}

/** A `priority` means something only where a quota sheds. */
export function warnAboutPriorities({ buckets, quotas, routes }: ConfigDraft, report: Report): void {
  const all = [...Object.values(buckets ?? {}).map((bucket) => bucket?.quota), ...Object.values(quotas ?? {})];
  if (all.some((quota) => quota?.shed === true)) return;
  routes?.forEach((route, index) => {
    const path = ["routes", index, "priority"];
    if (route?.priority === undefined || !report.source.has(path)) return;
    const hint = "It has no effect: it says which routes are refused first when a quota is reached.";
    report.warning(path, { expected: "a quota with shed: true", found: "none", hint, atKey: true });
  });
}
