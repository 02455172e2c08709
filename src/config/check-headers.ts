import { warnAboutDisposition } from "./check-preview.js";
import { quote } from "./problem.js";
import type { Report, RouteDraft } from "./report.js";

/** `responseHeaders`. */
export function checkResponseHeaders(route: RouteDraft, index: number, report: Report): void {
  checkNames(route, index, report);
  checkCorsNames(route, index, report);
  warnAboutCaching(route, index, report);
  warnAboutDisposition(route, index, report);
  const path = ["routes", index, "responseHeaders"] as const;
  const { always, set } = route.responseHeaders ?? {};
  if (always !== true || set === undefined || report.source.has([...path, "set"])) return;
  report.warning([...path, "always"], { expected: "set with always", hint: "It has no effect without it." });
}

/** Names have no case. */
function checkNames({ responseHeaders }: RouteDraft, index: number, report: Report): void {
  const first = new Map<string, string>();
  for (const name of Object.keys(responseHeaders?.set ?? {})) {
    const before = first.get(name.toLowerCase());
    if (before === undefined) first.set(name.toLowerCase(), name);
    else {
      const path = ["routes", index, "responseHeaders", "set", name];
      const hint = `It is the same as ${quote(before)}. Take one out.`;
      report.problem(path, { expected: "each header once", found: quote(name), hint, atKey: true });
    }
  }
}

function checkCorsNames({ responseHeaders }: RouteDraft, index: number, report: Report): void {
  if (!report.source.has(["routes", index, "cors"])) return;
  for (const name of Object.keys(responseHeaders?.set ?? {})) {
    if (!/^access-control-/i.test(name)) continue;
    const path = ["routes", index, "responseHeaders", "set", name];
    const hint = "A browser refuses an answer that has it twice. Say it in cors, or take it out.";
    report.problem(path, { expected: "no Access-Control headers with cors", found: quote(name), hint, atKey: true });
  }
}

const MEMBERS = ["clients", "links", "signatures", "basic", "forwardAuth"] as const;

function warnAboutCaching(route: RouteDraft, index: number, report: Report): void {
  const checks = checksOf(route, index, report);
  if (checks.length === 0) return;
  for (const [name, value] of Object.entries(route.responseHeaders?.set ?? {})) {
    if (name.toLowerCase() !== "cache-control" || value === undefined) continue;
    if (!/(?:^|[\s,])(?:public|s-maxage\s*=)/i.test(value)) continue;
    report.warning(["routes", index, "responseHeaders", "set", name], {
      expected: `caching by browsers alone, because of ${checks.join(", ")}`,
      hint: "A shared cache on the way would answer without asking the gateway. Write private instead of public.",
    });
  }
}

/** What a shared cache would leave out. */
function checksOf({ auth, allow }: RouteDraft, index: number, report: Report): readonly string[] {
  const has = (...keys: string[]): boolean => report.source.has(["routes", index, ...keys]);
  const members = MEMBERS.filter((key) => (key === "signatures" ? allow?.signatures === true : has("allow", key)));
  return [
    ...(auth === "sign" ? ["auth: sign"] : []),
    ...members.map((key) => `allow.${key}`),
    ...(has("deny", "clients") ? ["deny.clients"] : []),
    ...(has("referer") ? ["referer"] : []),
  ];
}
