import type { Report, RouteDraft } from "./report.js";

/** `allow.basic` and `allow.forwardAuth` beside what else a request carries. */
export function checkLogins(route: RouteDraft, index: number, members: readonly string[], report: Report): void {
  const { requestHeaders, url, caFile } = route.allow?.forwardAuth ?? {};
  const path = ["routes", index, "allow"] as const;
  report.repeats([...path, "forwardAuth", "requestHeaders"], requestHeaders);
  if (url?.protocol === "http:" && caFile !== undefined) {
    report.problem([...path, "forwardAuth", "caFile"], {
      expected: "no caFile with an http URL",
      hint: "There is no TLS for it. Take it out, or write https:// in url.",
    });
  }
  warnAboutAuthorization(route, index, members, report);
}

/** One header is for either: a password, or the signature that clients are asked for. */
function warnAboutAuthorization(
  { allow, satisfy, clientSignatures }: RouteDraft,
  index: number,
  members: readonly string[],
  report: Report,
): void {
  if (clientSignatures !== "relay" && clientSignatures !== "verify") return;
  const isNeeded = members.length === 1 || satisfy === "all";
  const asksForIt = allow?.forwardAuth?.requestHeaders?.includes("authorization") === true;
  const login = ["basic", "forwardAuth"].find((name) => members.includes(name) && (name === "basic" || asksForIt));
  if (!isNeeded || login === undefined) return;
  report.warning(["routes", index, "clientSignatures"], {
    expected: `another clientSignatures with allow.${login}`,
    hint: "Authorization has room for a password or for OSS's signature, not for both: only presigned URLs can pass here.",
  });
}
