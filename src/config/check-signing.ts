import type { Operation } from "../core/operations.js";
import { nameHint } from "./nearest.js";
import { quote } from "./problem.js";
import type { ConfigDraft, Report, RouteDraft } from "./report.js";
import { REFERENCE_EXPECTED } from "./values.js";

/** What a route says about signatures: `auth`, `sign`, `clientSignatures` and `operations`. */
export function checkSigning(route: RouteDraft, index: number, draft: ConfigDraft, report: Report): void {
  if (route.auth === "relay") refuseSigningKeys(index, report);
  if (route.auth !== "sign") return;
  checkSign(route, index, draft, report);
  checkOperations(route, index, report);
  warnAboutVerify(route, index, report);
}

const SIGNING_KEYS = ["sign", "clientSignatures", "operations", "hls"] as const;

function refuseSigningKeys(index: number, report: Report): void {
  for (const key of SIGNING_KEYS) {
    if (!report.source.has(["routes", index, key])) continue;
    report.problem(["routes", index, key], {
      expected: `auth: sign with ${key}`,
      found: "auth: relay",
      hint: `This route relays what clients sign. Write auth: sign, or take ${key} out.`,
      atKey: true,
    });
  }
}

function checkSign(route: RouteDraft, index: number, draft: ConfigDraft, report: Report): void {
  const path = ["routes", index, "sign"] as const;
  const known = Object.keys(draft.credentials ?? {});
  report.repeats([...path, "process"], route.sign?.process);
  report.repeats([...path, "responseOverrides"], route.sign?.responseOverrides);
  if (!report.source.has(path)) {
    const hint = nameHint(null, known);
    report.problem(path, { expected: "sign: { credentials: NAME } with auth: sign", found: "no such key", hint });
    return;
  }
  const name = route.sign?.credentials;
  if (name === undefined || known.includes(name)) return;
  const hint = nameHint(name, known) || "Add them to credentials.";
  report.problem([...path, "credentials"], { expected: REFERENCE_EXPECTED.credentials, hint });
}

/** V4 signs the region, so it must be known whatever the endpoint is (oss-semantics §2.4). Each bucket is told once. */
export function checkRegions(draft: ConfigDraft, report: Report): void {
  const told = new Set<string>();
  for (const route of draft.routes ?? []) {
    if (route?.auth !== "sign" || route.sign?.version !== "v4") continue;
    for (const alias of [route.bucket, ...(route.buckets ?? [])]) {
      if (alias === undefined || told.has(alias) || !lacksRegion(alias, draft, report)) continue;
      told.add(alias);
      report.problem(["buckets", alias, "region"], {
        expected: "a region id, cn-beijing say",
        found: "no such key",
        hint: `Route ${quote(route.name ?? "")} signs with V4, which needs it; sign.version: v1 does not.`,
      });
    }
  }
}

/** Other endpoints need it for their host names; check-buckets says so. */
function lacksRegion(alias: string, draft: ConfigDraft, report: Report): boolean {
  const buckets = draft.buckets ?? {};
  if (!Object.hasOwn(buckets, alias) || report.source.has(["buckets", alias, "region"])) return false;
  const endpoint = buckets[alias]?.endpoint;
  return endpoint instanceof URL || endpoint === "accelerate";
}

/** The methods that each operation is asked with; one of them is enough. */
const METHODS: Readonly<Record<Operation, readonly string[]>> = {
  ListObjects: ["GET"],
  ListObjectsV2: ["GET"],
  ListObjectVersions: ["GET"],
  ListMultipartUploads: ["GET"],
  GetBucketInfo: ["GET"],
  GetBucketLocation: ["GET"],
  GetBucketStat: ["GET"],
  DeleteMultipleObjects: ["POST"],
  GetObjectMeta: ["HEAD", "GET"],
  GetObjectVersion: ["GET", "HEAD"],
  DeleteObjectVersion: ["DELETE"],
  GetObjectACL: ["GET"],
  PutObjectACL: ["PUT"],
  CopyObject: ["PUT"],
  UploadPartCopy: ["PUT"],
  AppendObject: ["POST"],
  GetSymlink: ["GET"],
  PutSymlink: ["PUT"],
  GetObjectTagging: ["GET"],
  PutObjectTagging: ["PUT"],
  DeleteObjectTagging: ["DELETE"],
  RestoreObject: ["POST"],
};

/** These name a second key, or carry keys in their body, where no prefix is put before them. */
const BEYOND_PREFIX: readonly string[] = ["CopyObject", "UploadPartCopy", "PutSymlink", "DeleteMultipleObjects"];

function checkOperations(route: RouteDraft, index: number, report: Report): void {
  const path = ["routes", index, "operations"] as const;
  report.repeats(path, route.operations);
  const hasPrefix = route.keyPrefix !== undefined && route.keyPrefix !== "";
  route.operations?.forEach((operation, place) => {
    if (operation === undefined) return;
    if (hasPrefix && BEYOND_PREFIX.includes(operation)) {
      const hint = "It can name keys outside of keyPrefix. Take it out, or give it a route without keyPrefix.";
      report.problem([...path, place], { expected: "an operation that stays inside of keyPrefix", hint });
    }
    warnAboutMethods(route, [...path, place], METHODS[operation], report);
  });
}

function warnAboutMethods(
  { methods }: RouteDraft,
  path: readonly (string | number)[],
  needed: readonly string[],
  report: Report,
): void {
  if (methods === undefined || methods.includes(undefined)) return;
  if (needed.some((method) => methods.some((allowed) => allowed === method))) return;
  const expected = `an operation that the methods of this route allow`;
  report.warning(path, { expected, hint: `It needs ${needed.join(" or ")}, and is answered 405 as it is.` });
}

/** Somebody who writes verify expects, most likely, that a good signature is what opens the route. */
function warnAboutVerify({ clientSignatures, allow }: RouteDraft, index: number, report: Report): void {
  if (clientSignatures !== "verify" || allow === undefined || allow.signatures !== false) return;
  report.warning(["routes", index, "clientSignatures"], {
    expected: "allow.signatures: true with clientSignatures: verify",
    hint: "As it is, a bad signature is refused, but a good one opens nothing, and a request without one is not asked for it.",
  });
}
