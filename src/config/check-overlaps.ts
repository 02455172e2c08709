import { bucketHosts } from "./endpoint.js";
import { quote } from "./problem.js";
import type { ConfigDraft, Report, RouteDraft } from "./report.js";

/** One host that a route answers to. `place`: its index in `match.hosts`, or `null` for an OSS host name of its buckets. */
interface Claim {
  readonly host: string;
  readonly place: number | null;
}

/** Routes by listener, host, path prefix and pattern: the first that took it. */
type Taken = Map<string, number>;

/** Finds routes that would answer the same requests: the same host, path prefix and pattern on the same listener. */
export function checkOverlaps(draft: ConfigDraft, report: Report): void {
  const allListeners = [...new Set((draft.listeners ?? []).flatMap((listener) => listener?.name ?? []))];
  const taken: Taken = new Map();
  draft.routes?.forEach((route, index) => {
    if (route === undefined) return;
    const listeners = listenersOf(route, index, allListeners, report);
    const prefix = route.match?.pathPrefix;
    if (listeners === null || prefix === undefined) return;
    const others = claimsOf(route, draft).map((claim) => ({
      ...claim,
      ...take(claim.host, [prefix, route.match?.pathPattern ?? null], { listeners, index, taken }),
    }));
    reportOverlaps(index, prefix, others, draft, report);
  });
}

/** The names of the listeners; `null` when they cannot be known. */
function listenersOf(
  route: RouteDraft,
  index: number,
  all: readonly string[],
  report: Report,
): readonly string[] | null {
  const names = route.match?.listeners;
  if (names !== undefined) return names.filter((name) => name !== undefined);
  return report.source.has(["routes", index, "match", "listeners"]) ? null : all;
}

function claimsOf(route: RouteDraft, draft: ConfigDraft): readonly Claim[] {
  const claims = new Map<string, Claim>();
  route.match?.hosts?.forEach((host, place) => {
    if (host !== undefined && !claims.has(host)) claims.set(host, { host, place });
  });
  for (const alias of route.buckets ?? []) {
    const { bucket, endpoint, region = null } = (alias === undefined ? undefined : draft.buckets?.[alias]) ?? {};
    if (bucket === undefined || endpoint === undefined) continue;
    for (const host of bucketHosts({ bucket, endpoint, region })) {
      if (!claims.has(host)) claims.set(host, { host, place: null });
    }
  }
  return [...claims.values()];
}

interface Taker {
  readonly listeners: readonly string[];
  readonly index: number;
  readonly taken: Taken;
}

interface Taking {
  /** The route that has it already; -1 when none. */
  readonly other: number;
  /** Where it has it. */
  readonly shared: readonly string[];
}

function take(host: string, paths: readonly (string | null)[], { listeners, index, taken }: Taker): Taking {
  let other = -1;
  const shared: string[] = [];
  for (const listener of listeners) {
    const key = JSON.stringify([listener, host, ...paths]);
    const owner = taken.get(key);
    if (owner === undefined) taken.set(key, index);
    if (owner === undefined || owner === index) continue;
    if (other === -1) other = owner;
    shared.push(listener);
  }
  return { other, shared };
}

function reportOverlaps(
  index: number,
  prefix: string,
  takings: readonly (Claim & Taking)[],
  draft: ConfigDraft,
  report: Report,
): void {
  const impliedOf = new Set<number>();
  for (const { host, place, other, shared } of takings) {
    if (other === -1) continue;
    const where = `routes[${other}] (${quote(draft.routes?.[other]?.name ?? "")}, line ${report.source.lineOf(["routes", other])})`;
    const hint = `${where} has both on ${shared.join(", ")}.`;
    const found = `${quote(host)} with ${quote(prefix)}`;
    const expected = "a host and path prefix that no other route has";
    if (place !== null) report.problem(["routes", index, "match", "hosts", place], { expected, found, hint });
    else if (!impliedOf.has(other)) {
      impliedOf.add(other);
      const implied = "A route with buckets also takes their OSS host names.";
      report.problem(["routes", index, "buckets"], { expected, found, hint: `${hint} ${implied}` });
    }
  }
}
