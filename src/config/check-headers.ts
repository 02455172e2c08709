import { warnAboutDisposition } from "./check-preview.js";
import { quote } from "./problem.js";
import type { Report, RouteDraft } from "./report.js";

/** `responseHeaders`. */
export function checkResponseHeaders(route: RouteDraft, index: number, report: Report): void {
  checkNames(route, index, report);
  checkCorsNames(route, index, report);
  warnAboutVary(route, index, report);
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

const NO_CORS_NAMES = "no Access-Control headers with cors";

function checkCorsNames({ responseHeaders }: RouteDraft, index: number, report: Report): void {
  if (!report.source.has(["routes", index, "cors"])) return;
  for (const name of Object.keys(responseHeaders?.set ?? {})) {
    if (!/^access-control-/i.test(name)) continue;
    const path = ["routes", index, "responseHeaders", "set", name];
    const hint = "A browser refuses an answer that has it twice. Say it in cors, or take it out.";
    report.problem(path, { expected: NO_CORS_NAMES, found: quote(name), hint, atKey: true });
  }
  responseHeaders?.remove?.forEach((name, place) => {
    if (name?.startsWith("access-control-") !== true) return;
    const hint = "OSS's own are taken out in any case, and those of cors come behind. Say it in cors, or take it out.";
    report.problem(["routes", index, "responseHeaders", "remove", place], { expected: NO_CORS_NAMES, hint });
  });
}

/** Where answers depend on the origin, caches are told so, whatever these say: a page would get another page's answer. */
function warnAboutVary({ cors, responseHeaders }: RouteDraft, index: number, report: Report): void {
  const path = ["routes", index, "responseHeaders"] as const;
  const varies =
    cors?.responseVary === true || cors?.rules?.some((rule) => rule?.allowedOrigins?.includes("*") === false);
  if (varies !== true) return;
  for (const [name, value] of Object.entries(responseHeaders?.set ?? {})) {
    if (name.toLowerCase() !== "vary" || value === undefined || NAMES_ORIGIN.test(value)) continue;
    const hint = "cors adds Vary: Origin behind it, so that caches keep origins apart.";
    report.warning([...path, "set", name], { expected: "Origin in Vary, because of cors", hint });
  }
  responseHeaders?.remove?.forEach((name, place) => {
    if (name !== "vary") return;
    const hint = "OSS's own goes, and cors adds Vary: Origin behind it, so that caches keep origins apart.";
    report.warning([...path, "remove", place], { expected: "no vary in remove, because of cors", hint });
  });
}

const NAMES_ORIGIN = /(?:^|,)\s*(?:origin|\*)\s*(?:,|$)/i;

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
