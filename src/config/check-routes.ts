import { isIP } from "node:net";
import { bucketHosts } from "./endpoint.js";
import { nameHint, nearest } from "./nearest.js";
import { type Path, quote } from "./problem.js";
import type { BucketDraft, ConfigDraft, Report, RouteDraft } from "./report.js";
import { REFERENCE_EXPECTED } from "./values.js";

/** What a route says about listeners and buckets, and the names of routes. */
export function checkRoutes(draft: ConfigDraft, report: Report): void {
  const routes = draft.routes ?? [];
  routes.forEach((route, index) => {
    if (route === undefined) return;
    const before = routes.findIndex((other) => other?.name !== undefined && other.name === route.name);
    if (before !== -1 && before < index) {
      const hint = `routes[${before}] has this name.`;
      report.problem(["routes", index, "name"], { expected: "a name that no other route has", hint });
    }
    checkLists(route, index, report);
    checkListenerNames(route, index, draft, report);
    checkBucketNames(route, index, draft, report);
    checkHostHeader(route, index, draft, report);
  });
  warnAboutUnused(draft, report);
}

function checkLists(route: RouteDraft, index: number, report: Report): void {
  const path = ["routes", index] as const;
  report.repeats([...path, "match", "hosts"], route.match?.hosts);
  report.repeats([...path, "match", "listeners"], route.match?.listeners);
  report.repeats([...path, "buckets"], route.buckets);
  report.repeats([...path, "callback", "buckets"], route.callback?.buckets);
  report.repeats([...path, "methods"], route.methods);
  report.repeats([...path, "requestHeaders", "remove"], route.requestHeaders?.remove);
  report.repeats([...path, "responseHeaders", "remove"], route.responseHeaders?.remove);
}

function checkListenerNames(route: RouteDraft, index: number, draft: ConfigDraft, report: Report): void {
  const known = (draft.listeners ?? []).flatMap((listener) => listener?.name ?? []);
  route.match?.listeners?.forEach((name, place) => {
    if (name === undefined || known.includes(name)) return;
    const hint = nameHint(name, known);
    report.problem(["routes", index, "match", "listeners", place], { expected: REFERENCE_EXPECTED.listener, hint });
  });
}

function checkBucketNames(route: RouteDraft, index: number, draft: ConfigDraft, report: Report): void {
  const path = ["routes", index] as const;
  const [first, ...others] = TARGETS.filter((key) => report.source.has([...path, key]));
  const expected = "exactly one of bucket, buckets and callback";
  if (first === undefined) report.problem([...path, "bucket"], { expected, found: "none" });
  for (const key of others) report.problem([...path, key], { expected, found: `${first} and ${key}`, atKey: true });
  checkAlias(route.bucket, [...path, "bucket"], draft, report);
  checkAliases(route.buckets, [...path, "buckets"], draft, report);
  checkAliases(route.callback?.buckets, [...path, "callback", "buckets"], draft, report);
  checkOssNames(route, index, draft, report);
}

const TARGETS = ["bucket", "buckets", "callback"] as const;

/** Names of buckets that are not there. */
export function checkAliases(
  list: readonly (string | undefined)[] | undefined,
  path: Path,
  draft: ConfigDraft,
  report: Report,
) {
  list?.forEach((alias, place) => {
    checkAlias(alias, [...path, place], draft, report);
  });
}

function checkAlias(alias: string | undefined, path: Path, draft: ConfigDraft, report: Report): void {
  const buckets = draft.buckets ?? {};
  if (alias === undefined || Object.hasOwn(buckets, alias)) return;
  const named = Object.entries(buckets).find(([, bucket]) => bucket?.bucket === alias)?.[0];
  const hint = named === undefined ? nameHint(alias, Object.keys(buckets)) : `Did you mean ${named}?`;
  report.problem(path, { expected: REFERENCE_EXPECTED.bucket, hint });
}

/** In path style the OSS name chooses, so it must be one bucket's only. */
function checkOssNames(route: RouteDraft, index: number, draft: ConfigDraft, report: Report): void {
  const seen = new Map<string, string>();
  route.buckets?.forEach((alias, place) => {
    const name = alias === undefined ? undefined : draft.buckets?.[alias]?.bucket;
    if (alias === undefined || name === undefined) return;
    const other = seen.get(name);
    if (other === undefined) seen.set(name, alias);
    else if (other !== alias) {
      const hint = `${quote(other)} is ${quote(name)} at OSS too, and the path could mean either.`;
      report.problem(["routes", index, "buckets", place], { expected: "buckets with different OSS names", hint });
    }
  });
}

function checkHostHeader(route: RouteDraft, index: number, draft: ConfigDraft, report: Report): void {
  const { hostHeader } = route;
  if (hostHeader === undefined || hostHeader === "bucket") return;
  const path = ["routes", index, "hostHeader"] as const;
  if (route.buckets !== undefined) {
    const hint = "Each bucket of a route with buckets gets its own host name.";
    report.problem(path, { expected: "bucket", hint });
    return;
  }
  const bucket = route.bucket === undefined ? undefined : draft.buckets?.[route.bucket];
  if (hostHeader === "client") checkClientHosts(route, index, bucket ?? {}, report);
  else if (bucket?.domains !== undefined && !bucket.domains.includes(hostHeader)) {
    const near = nearest(
      hostHeader,
      bucket.domains.filter((domain) => domain !== undefined),
    );
    const hint = near === null ? `Add it to domains of bucket ${quote(route.bucket ?? "")}.` : `Did you mean ${near}?`;
    report.problem(path, { expected: "bucket, client or one of the bucket's domains", hint });
  }
}

/** What OSS is shown must be a name of the bucket, or OSS answers 403 (oss-semantics §1.3). */
function checkClientHosts(route: RouteDraft, index: number, bucket: BucketDraft, report: Report): void {
  const names = namesOf(bucket);
  route.match?.hosts?.forEach((host, place) => {
    if (host === undefined) return;
    const canBeName = isIP(host) === 0 && !host.startsWith("*.");
    if (canBeName && (names === null || names.includes(host))) return;
    report.problem(["routes", index, "match", "hosts", place], {
      expected: `a domain of bucket ${quote(route.bucket ?? "")}, because hostHeader is client`,
      hint: clientHostHint(host),
    });
  });
}

/** All names that OSS takes for the bucket; `null` when they cannot be known. */
function namesOf({ bucket, region, endpoint, domains }: BucketDraft): readonly (string | undefined)[] | null {
  if (bucket === undefined || endpoint === undefined || domains === undefined || domains.includes(undefined))
    return null;
  return [...domains, ...bucketHosts({ bucket, region: region ?? null, endpoint })];
}

function clientHostHint(host: string): string {
  const instead = "give it a route with hostHeader: bucket";
  if (isIP(host) !== 0) return `OSS does not know an address as Host; ${instead}.`;
  if (host.startsWith("*.")) return `OSS knows single names only; name them, or ${instead}.`;
  return `Bind it at OSS and add it to the bucket's domains, or ${instead}.`;
}

function bucketsOf(route: RouteDraft | undefined): readonly (string | undefined)[] {
  return [route?.bucket, ...(route?.buckets ?? []), ...(route?.callback?.buckets ?? [])];
}

function warnAboutUnused(draft: ConfigDraft, report: Report): void {
  const routes = draft.routes ?? [];
  const used = new Set(routes.flatMap(bucketsOf));
  for (const alias of Object.keys(draft.buckets ?? {})) {
    if (!used.has(alias))
      report.warning(["buckets", alias], { expected: "a route to this bucket", found: "none", atKey: true });
  }
  if (routes.some((route) => !route?.match?.listeners)) return;
  const served = new Set(routes.flatMap((route) => route?.match?.listeners ?? []));
  draft.listeners?.forEach((listener, index) => {
    if (listener?.name === undefined || served.has(listener.name)) return;
    report.warning(["listeners", index], { expected: "a route on this listener", found: "none", atKey: true });
  });
}
