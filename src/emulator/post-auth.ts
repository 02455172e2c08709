import { signaturesEqual } from "../signing/canonical.js";
import { deriveDayKey } from "../signing/day-key.js";
import { postSignatureV1, postSignatureV4 } from "../signing/post-policy.js";
import * as signatureRefusal from "../signing/refusal.js";
import { parseIsoBasicMs } from "../signing/time.js";
import type { KnownCredentials } from "../signing/types.js";
import { isRefusal } from "./answer.js";
import { invalidArgument, type Refusal } from "./errors.js";
import type { World } from "./exchange.js";
import { coversField, type PolicySubject, parsePolicy, policyProblem } from "./post-policy.js";

const V1_FIELDS = ["ossaccesskeyid", "policy", "signature"];
const V4_FIELDS = ["x-oss-signature-version", "x-oss-credential", "x-oss-date", "x-oss-signature", "policy"];
const COVERED_BY_V4_POLICY = ["x-oss-signature-version", "x-oss-credential", "x-oss-date"];
const SKEW_MS = 15 * 60_000;
const MAX_AGE_MS = 7 * 86_400_000;

/** Who sent a form; `null` for nobody. */
export interface FormSigner {
  readonly accessKeyId: string | null;
}

interface FormContext {
  readonly subject: PolicySubject;
  readonly region: string | null;
  readonly world: World;
  readonly nowMs: number;
}

/** Authenticates a PostObject form, V1 or V4, by its fields alone, and holds it against its policy (oss-semantics §9.1). */
export function authenticateForm(context: FormContext): FormSigner | Refusal {
  const { fields } = context.subject;
  if (fields.has("x-oss-signature-version")) return authenticateV4(context);
  const present = V1_FIELDS.filter((name) => fields.has(name));
  if (present.length === 0) return { accessKeyId: null };
  const missing = V1_FIELDS.find((name) => !fields.has(name));
  if (missing !== undefined) return missingField(missing);
  const policyBase64 = field(context, "policy");
  return settle(context, {
    accessKeyId: field(context, "ossaccesskeyid"),
    signature: field(context, "signature"),
    sign: ({ accessKeySecret }) => postSignatureV1(accessKeySecret, policyBase64),
  });
}

function authenticateV4(context: FormContext): FormSigner | Refusal {
  const missing = V4_FIELDS.find((name) => !context.subject.fields.has(name));
  if (missing !== undefined) return missingField(missing);
  const credential = field(context, "x-oss-credential");
  const [accessKeyId, date8, region, product, terminator] = credential.split("/");
  if (!accessKeyId || !date8 || !region || !product || terminator !== "aliyun_v4_request") {
    return invalidArgument("x-oss-credential", credential);
  }
  if (field(context, "x-oss-signature-version") !== "OSS4-HMAC-SHA256") return missingField("x-oss-signature-version");
  if ((context.region !== null && region !== context.region) || product !== "oss") {
    return invalidArgument("x-oss-credential", credential, "Invalid signing region in Authorization header.");
  }
  const dateProblem = formDateProblem(context, date8);
  if (dateProblem !== null) return dateProblem;
  const policyBase64 = field(context, "policy");
  return settle(context, {
    accessKeyId,
    signature: field(context, "x-oss-signature"),
    sign: ({ accessKeySecret }) =>
      postSignatureV4(deriveDayKey(accessKeySecret, { date8, region, product }), policyBase64),
  });
}

/** A form is good from 15 minutes before its date to 7 days after (oss-semantics §9.1). */
function formDateProblem(context: FormContext, date8: string): Refusal | null {
  const date = field(context, "x-oss-date");
  const dateMs = parseIsoBasicMs(date);
  if (dateMs === null || !date.startsWith(date8)) return invalidArgument("x-oss-date", date);
  const ageMs = context.nowMs - dateMs;
  if (ageMs < -SKEW_MS) return fromSigning(signatureRefusal.notYetValid(context.nowMs));
  return ageMs > MAX_AGE_MS ? fromSigning(signatureRefusal.expired(dateMs + MAX_AGE_MS, context.nowMs, null)) : null;
}

interface FormClaim {
  readonly accessKeyId: string;
  readonly signature: string;
  readonly sign: (credentials: KnownCredentials) => string;
}

function settle(context: FormContext, claim: FormClaim): FormSigner | Refusal {
  const known = context.world.credentials.get(claim.accessKeyId);
  if (known === undefined) return fromSigning(signatureRefusal.invalidAccessKeyId(claim.accessKeyId));
  const token = context.subject.fields.get("x-oss-security-token") ?? "";
  if (token !== (known.securityToken ?? "")) return fromSigning(signatureRefusal.invalidSecurityToken(token));
  if (known.expiresAtMs !== undefined && context.nowMs >= known.expiresAtMs) {
    return fromSigning(signatureRefusal.securityTokenExpired(token));
  }
  if (!signaturesEqual(claim.sign(known), claim.signature)) return mismatch(context, claim);
  const problem = heldAgainstPolicy(context);
  return problem ?? { accessKeyId: claim.accessKeyId };
}

function heldAgainstPolicy(context: FormContext): Refusal | null {
  const policy = parsePolicy(field(context, "policy"));
  if (isRefusal(policy)) return policy;
  const isV4 = context.subject.fields.has("x-oss-signature-version");
  const mustCover = isV4 ? COVERED_BY_V4_POLICY : [];
  const uncovered = mustCover.find((name) => !coversField(policy, name));
  if (uncovered !== undefined)
    return invalidArgument(uncovered, "", `The policy must have a condition for ${uncovered}.`);
  return policyProblem(policy, context.subject, context.nowMs);
}

function mismatch(context: FormContext, claim: FormClaim): Refusal {
  const isV4 = context.subject.fields.has("x-oss-signature-version");
  const { accessKeyId, signature: signatureProvided } = claim;
  const stringToSign = field(context, "policy");
  const ec = isV4 ? "0002-00000201" : "0002-00000040";
  return fromSigning(signatureRefusal.signatureDoesNotMatch({ accessKeyId, signatureProvided, stringToSign, ec }));
}

function field(context: FormContext, name: string): string {
  return context.subject.fields.get(name) ?? "";
}

function missingField(name: string): Refusal {
  return invalidArgument(name, "", `The bucket POST must contain the specified '${name}'.`);
}

function fromSigning(refusal: signatureRefusal.Refusal): Refusal {
  return { kind: "refusal", headers: [], ...refusal };
}
