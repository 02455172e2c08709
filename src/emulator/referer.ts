import { headerValue } from "../core/headers.js";
import { refererDenial } from "../policy/referer-denial.js";
import type { SignatureClass } from "../signing/types.js";
import { type Refusal, refuse } from "./errors.js";
import type { Exchange } from "./exchange.js";

const SIGNED_IN_HEADER: ReadonlySet<SignatureClass> = new Set(["v1-header", "v2-header", "v4-header"]);

/** Refuses what the bucket's Referer rules refuse, whatever the ACLs say; who signed a header is not asked (R0). */
export function refererRefusal({ bucket, headers, signatureClass }: Exchange): Refusal | null {
  if (bucket.referer === null || SIGNED_IN_HEADER.has(signatureClass)) return null;
  const reason = bucket.referer(headerValue(headers, "referer"));
  if (reason === null) return null;
  const { oss } = refererDenial(reason, bucket.name);
  return refuse("AccessDenied", {
    message: "You are denied by bucket referer policy.",
    ec: oss?.ec ?? null,
    extra: oss?.elements ?? [],
  });
}
