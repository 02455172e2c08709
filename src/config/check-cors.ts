import type { Path } from "./problem.js";
import type { Report, RouteDraft } from "./report.js";

/** `cors`: who may send credentials, and keys that do nothing. */
export function checkCors({ cors, methods }: RouteDraft, index: number, report: Report): void {
  const path = ["routes", index, "cors"] as const;
  if (!report.source.has(path)) return;
  cors?.rules?.forEach((rule, place) => {
    const lists = ["allowedOrigins", "allowedMethods", "allowedHeaders", "exposeHeaders"] as const;
    for (const key of lists) report.repeats([...path, "rules", place, key], rule?.[key]);
    if (cors.allowCredentials === true) refuseAnySite(rule?.allowedOrigins, [...path, "rules", place], report);
    warnAboutMethods(rule?.allowedMethods, methods, [...path, "rules", place], report);
  });
  const place = methods?.indexOf("OPTIONS") ?? -1;
  if (place === -1) return;
  const hint = "Preflights are answered here where cors is set. Take OPTIONS out.";
  report.warning(["routes", index, "methods", place], { expected: "methods without OPTIONS, because of cors", hint });
}

/** Preflights are answered by the rules alone, and the route's `methods` hold for what comes then. */
function warnAboutMethods(
  allowed: readonly (string | undefined)[] | undefined,
  methods: RouteDraft["methods"],
  path: Path,
  report: Report,
): void {
  if (methods === undefined || methods.includes(undefined)) return;
  allowed?.forEach((method, place) => {
    if (method === undefined || methods.some((name) => name === method)) return;
    report.warning([...path, "allowedMethods", place], {
      expected: "methods of the route",
      hint: `Preflights would say yes, and the requests get 405. Add ${method} to the route's methods, or take it out here.`,
    });
  });
}

function refuseAnySite(origins: readonly (string | undefined)[] | undefined, path: Path, report: Report): void {
  origins?.forEach((origin, place) => {
    if (origin === undefined || !admitsAnySite(origin)) return;
    report.problem([...path, "allowedOrigins", place], {
      expected: "origins of your own sites with allowCredentials: true",
      hint: "Any site can have this one, and would read what its visitors may read here. Name the sites.",
    });
  });
}

/**
 * Whether pages of somebody else's can have an origin that a pattern matches: where its `*` is not closed in by a domain
 * of two labels at least. `null` is the origin of every sandboxed frame.
 */
function admitsAnySite(origin: string): boolean {
  if (origin === "null") return true;
  const [before = "", after] = origin.split("*");
  if (after === undefined) return false;
  // https://www.example.com:* is one site, whatever its port.
  if (/:\/\/[^:]+:$|:\/\/\[[^\]]+\]:$/.test(before) && after === "") return false;
  const domain = after.replace(/:\d+$/, "");
  if (/^[a-z+-]*:\/\/./.test(domain)) return false;
  return !/^\.(?:[a-z0-9_-]+\.)+[a-z][a-z0-9-]*$/.test(domain);
}
