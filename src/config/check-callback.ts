import type { Report, RouteDraft } from "./report.js";

/** Keys that say what becomes of a request to OSS, or who may make one. */
const OTHER_KEYS = [
  "stripPrefix",
  "keyPrefix",
  "hostHeader",
  "sign",
  "clientSignatures",
  "operations",
  "allow",
  "satisfy",
  "hls",
  "requestHeaders",
  "responseHeaders",
  "preview",
  "trusted",
  "indexDocument",
  "errorDocument",
  "referer",
  "cors",
  "priority",
] as const;

/** A route that takes upload callbacks has OSS for its client and no bucket behind it. */
export function checkCallback(route: RouteDraft, index: number, report: Report): void {
  const path = ["routes", index] as const;
  for (const key of OTHER_KEYS) {
    if (!report.source.has([...path, key])) continue;
    report.problem([...path, key], {
      expected: `no ${key} with callback`,
      found: key,
      hint: "The signature of OSS and the token in the URL decide here, and nothing goes to OSS. Take it out.",
      atKey: true,
    });
  }
  if (route.auth === "sign") {
    report.problem([...path, "auth"], { expected: "no auth: sign with callback", hint: "Nothing goes to OSS here." });
  }
  report.repeats([...path, "deny", "clients"], route.deny?.clients);
  checkMethods(route, index, report);
}

function checkMethods({ methods }: RouteDraft, index: number, report: Report): void {
  const path = ["routes", index, "methods"];
  if (!report.source.has(path) || methods === undefined || methods.includes(undefined)) return;
  if (methods.every((method) => method === "POST")) return;
  const hint = "OSS posts its callbacks. Take methods out, or write [POST].";
  report.problem(path, { expected: "[POST] with callback", found: methods.join(", "), hint });
}
