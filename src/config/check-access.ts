import { checkLogins } from "./check-logins.js";
import type { Report, RouteDraft } from "./report.js";

/** Who may use a route: `allow`, `satisfy` and `deny`. Signed routes are closed until somebody is named. */
export function checkAccess(route: RouteDraft, index: number, report: Report): void {
  const path = ["routes", index] as const;
  report.repeats([...path, "allow", "clients"], route.allow?.clients);
  report.repeats([...path, "deny", "clients"], route.deny?.clients);
  if (!report.source.has([...path, "allow"])) {
    if (route.auth === "sign") reportClosed(index, report);
    warnAboutSatisfy(index, 0, report);
    return;
  }
  checkSecureLink(route, index, report);
  const members = membersOf(route, index, report);
  if (members === null) return;
  checkMembers(members, index, report);
  checkLogins(route, index, members, report);
  checkSignatures(route, index, report);
  if (route.auth === "sign") warnAboutEverybody(route, index, report);
}

const CLOSED = "Closed by default: say who may use it: allow.clients, allow.links or allow.anyone: true.";

function reportClosed(index: number, report: Report): void {
  const expected = "who may use a route that the gateway signs";
  report.problem(["routes", index, "allow"], { expected, found: "no such key", hint: CLOSED });
}

/** The members that are written, good or not; `null` when that cannot be known. */
function membersOf({ allow }: RouteDraft, index: number, report: Report): readonly string[] | null {
  if (allow === undefined || allow.anyone === undefined || allow.signatures === undefined) return null;
  const has = (key: string): boolean => report.source.has(["routes", index, "allow", key]);
  const isMember = {
    anyone: allow.anyone,
    clients: has("clients"),
    links: has("links"),
    signatures: allow.signatures,
    basic: has("basic"),
    forwardAuth: has("forwardAuth"),
    certificates: has("certificates"),
  };
  return Object.entries(isMember).flatMap(([name, isThere]) => (isThere ? name : []));
}

function checkMembers(members: readonly string[], index: number, report: Report): void {
  const path = ["routes", index] as const;
  if (members.length === 0) {
    report.problem([...path, "allow"], { expected: "at least one member", hint: CLOSED });
  } else if (members.length > 1 && members.includes("anyone")) {
    const others = members.filter((name) => name !== "anyone").join(", ");
    const hint = "Everybody includes the others. Take anyone out, or the others.";
    report.problem([...path, "allow", "anyone"], { expected: "anyone alone", found: `anyone with ${others}`, hint });
  } else if (members.length > 1 && !report.source.has([...path, "satisfy"])) {
    report.problem([...path, "satisfy"], {
      expected: "any or all",
      found: "no such key",
      hint: `allow has ${members.join(", ")}: is one of them enough, or is every one needed?`,
    });
  }
  warnAboutSatisfy(index, members.length, report);
}

function warnAboutSatisfy(index: number, count: number, report: Report): void {
  const path = ["routes", index, "satisfy"];
  if (count > 1 || !report.source.has(path)) return;
  const hint = "It has no effect; take it out, or add what is missing.";
  report.warning(path, { expected: "more than one member of allow", found: String(count), hint });
}

function checkSignatures({ auth, allow, clientSignatures }: RouteDraft, index: number, report: Report): void {
  if (allow?.signatures !== true || auth === undefined || clientSignatures === undefined) return;
  if (auth === "sign" && clientSignatures === "verify") return;
  report.problem(["routes", index, "allow", "signatures"], {
    expected: "auth: sign and clientSignatures: verify with allow.signatures",
    found: `auth: ${auth}${auth === "sign" ? ` and clientSignatures: ${clientSignatures}` : ""}`,
    hint: "Only a signature that was verified here can open a route.",
  });
}

function checkSecureLink({ allow }: RouteDraft, index: number, report: Report): void {
  const { md5Parameter, expiresParameter } = allow?.links?.secureLink ?? {};
  if (md5Parameter === undefined || md5Parameter !== expiresParameter) return;
  const path = ["routes", index, "allow", "links", "secureLink"] as const;
  const key = report.source.has([...path, "expiresParameter"]) ? "expiresParameter" : "md5Parameter";
  report.problem([...path, key], { expected: "two different parameters", found: "one for both" });
}

const WRITING: readonly string[] = ["PUT", "POST", "DELETE"];

function warnAboutEverybody({ allow, methods }: RouteDraft, index: number, report: Report): void {
  const path = ["routes", index, "allow"] as const;
  const writing = (methods ?? []).filter((method) => method !== undefined && WRITING.includes(method));
  if (allow?.anyone === true && writing.length > 0) {
    report.warning([...path, "anyone"], {
      expected: "methods that only read",
      found: `anyone with ${writing.join(", ")}`,
      hint: "Anybody may change what is in the bucket.",
    });
  }
  allow?.clients?.forEach((network, place) => {
    if (network?.endsWith("/0") !== true) return;
    const hint = "This is everybody. Where that is meant, allow.anyone: true says so.";
    report.warning([...path, "clients", place], { expected: "networks of clients", hint });
  });
}
