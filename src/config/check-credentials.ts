import { nameHint } from "./nearest.js";
import { quote } from "./problem.js";
import type { ConfigDraft, CredentialsDraft, Report } from "./report.js";
import { REFERENCE_EXPECTED } from "./values.js";
import { isLoopback } from "./values-credentials.js";

/** What credentials say about each other, and whether anything uses them. */
export function checkCredentials(draft: ConfigDraft, report: Report): void {
  const all = new Map(Object.entries(draft.credentials ?? {}));
  const inCycles = new Set<string>();
  for (const [name, credentials] of all) {
    if (credentials === undefined) continue;
    checkFrom(name, all, inCycles, report);
    warnAboutPlainText(name, credentials, report);
  }
  warnAboutUnused(draft, all, report);
}

type All = ReadonlyMap<string, CredentialsDraft | undefined>;

function fromOf(credentials: CredentialsDraft | undefined): string | null {
  return credentials?.type === "assumeRole" ? (credentials.from ?? null) : null;
}

function checkFrom(name: string, all: All, inCycles: Set<string>, report: Report): void {
  const from = fromOf(all.get(name));
  if (from === null) return;
  const path = ["credentials", name, "from"];
  if (!all.has(from)) {
    const others = [...all.keys()].filter((other) => other !== name);
    report.problem(path, { expected: REFERENCE_EXPECTED.credentials, hint: nameHint(from, others) });
    return;
  }
  const cycle = cycleOf(name, all);
  if (cycle === null || inCycles.has(name)) return;
  for (const member of cycle) inCycles.add(member);
  report.problem(path, {
    expected: "other credentials, which do not wait for these",
    found: [...cycle, name].map(quote).join(" from "),
    hint: "The last of a chain is no assumeRole.",
  });
}

/** The names from one back to itself; `null` when the chain ends elsewhere. */
function cycleOf(start: string, all: All): readonly string[] | null {
  const chain: string[] = [];
  for (let name: string | null = start; name !== null; name = fromOf(all.get(name))) {
    if (chain.includes(name)) return name === start ? chain : null;
    chain.push(name);
  }
  return null;
}

/** What it answers is a secret; on the way it can be read, and changed. */
function warnAboutPlainText(name: string, credentials: CredentialsDraft, report: Report): void {
  if (credentials.type !== "credentialsUri" || credentials.url === undefined) return;
  const { protocol, hostname } = new URL(credentials.url);
  if (protocol === "https:" || isLoopback(hostname)) return;
  report.warning(["credentials", name, "url"], {
    expected: "https, or an address of this machine",
    hint: "Credentials pass there without encryption.",
  });
}

function warnAboutUnused(draft: ConfigDraft, all: All, report: Report): void {
  // POST /sign and POST /policy may name any of them.
  if (report.source.has(["admin", "bearerSecret"])) return;
  const used = new Set<string | null | undefined>([...all.values()].map(fromOf));
  for (const route of draft.routes ?? []) used.add(route?.sign?.credentials);
  for (const name of all.keys()) {
    if (used.has(name)) continue;
    report.warning(["credentials", name], { expected: "a route that signs with them", found: "none", atKey: true });
  }
}
