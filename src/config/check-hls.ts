import type { Report, RouteDraft } from "./report.js";
import { DEFAULT_MAX_AGE } from "./schema-access.js";

/** What `hls` needs of the rest of its route. */
export function checkHls(route: RouteDraft, index: number, report: Report): void {
  const path = ["routes", index, "hls"] as const;
  if (route.auth !== "sign" || !report.source.has(path)) return;
  if (report.source.has(["routes", index, "buckets"])) {
    const hint = "Links in playlists are made for the paths of one bucket. Give it a route of its own.";
    report.problem(path, { expected: "bucket with hls", found: "buckets", hint, atKey: true });
  }
  if (route.hls?.mode === "rewrite") checkRewrite(route, index, report);
  if (route.hls?.mode === "ossSign") warnAboutRewriteKeys(index, report);
}

function checkRewrite(route: RouteDraft, index: number, report: Report): void {
  const path = ["routes", index] as const;
  if (!report.source.has([...path, "allow", "links"])) {
    report.problem([...path, "hls", "mode"], {
      expected: "allow.links with mode: rewrite",
      hint: "What it writes into playlists are links. Add allow.links.",
    });
  }
  checkAge(route, index, "ttl", report);
  checkAge(route, index, "sessionTtl", report);
  checkRoot(route, index, report);
}

/** A link that lasts longer than `maxAge` would be refused when it is used. Defaults give way to it. */
function checkAge({ hls, allow }: RouteDraft, index: number, key: "ttl" | "sessionTtl", report: Report): void {
  const [lasts, maxAge] = [hls?.[key], allow?.links?.maxAge];
  if (lasts === undefined || maxAge === undefined || lasts <= maxAge) return;
  const path = ["routes", index, "hls", key];
  const written = report.source.textAt(["routes", index, "allow", "links", "maxAge"]);
  report.problem(path, {
    expected: `an hls.${key} that is not above allow.links.maxAge`,
    found: `${report.source.textAt(path)} and ${written ?? DEFAULT_MAX_AGE}`,
    hint: `Links that last longer are refused. Write a shorter hls.${key}, or a longer maxAge.`,
  });
}

function checkRoot({ hls, match }: RouteDraft, index: number, report: Report): void {
  const [root, prefix] = [hls?.root, match?.pathPrefix];
  if (root === undefined || prefix === undefined) return;
  const below = prefix === "/" ? "/" : `${prefix}/`;
  if (root.startsWith(below)) return;
  report.problem(["routes", index, "hls", "root"], {
    expected: `a path below ${below}, because match.pathPrefix is ${prefix}`,
    hint: "Links to other paths would lead to other routes.",
  });
}

function warnAboutRewriteKeys(index: number, report: Report): void {
  for (const key of ["sessionTtl", "root", "bindClient"]) {
    const path = ["routes", index, "hls", key];
    if (!report.source.has(path)) continue;
    const hint = "It has no effect: OSS signs what is in its playlists.";
    report.warning(path, { expected: `no ${key} with mode: ossSign`, hint });
  }
}
