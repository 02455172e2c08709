import { type Refusal, refuse } from "./errors.js";
import { type Bucket, effectiveAcl, type StoredObject } from "./store.js";

/** What an operation needs. Every known key belongs to the owner; `anyone` is a preflight. */
export type AccessNeed = "read-object" | "write-object" | "list-bucket" | "write-bucket" | "owner" | "anyone";

/** Whether a request may do it: the owner everything, an anonymous one what the ACLs open (oss-semantics §13.5). */
export function hasAccess(
  need: AccessNeed,
  bucket: Bucket,
  object: StoredObject | undefined,
  accessKeyId: string | null,
): boolean {
  if (accessKeyId !== null || need === "anyone") return true;
  if (need === "read-object") return effectiveAcl(bucket, object) !== "private";
  if (need === "write-object") return effectiveAcl(bucket, object) === "public-read-write";
  if (need === "list-bucket") return bucket.acl !== "private";
  return need === "write-bucket" && bucket.acl === "public-read-write";
}

/** The refusal of an anonymous request (oss-semantics §2.6). */
export function anonymousRefusal(need: AccessNeed): Refusal {
  const isObject = need === "read-object" || need === "write-object";
  return refuse("AccessDenied", {
    message: isObject
      ? "You have no right to access this object because of bucket acl."
      : "Anonymous access is forbidden for this operation.",
    ec: "0003-00000001",
  });
}
