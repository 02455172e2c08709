import { type Refusal, refuse } from "./errors.js";

/** What a policy is held against. `fields` by lower-case name, `key` before `${filename}` is put in. */
export interface PolicySubject {
  readonly bucket: string;
  readonly fields: ReadonlyMap<string, string>;
  readonly fileBytes: number;
}

interface PolicyDocument {
  readonly expirationMs: number;
  readonly conditions: readonly unknown[];
}

/** Parses the `policy` field: base64 of JSON with `expiration` and `conditions`, `\$` meaning `$` (oss-semantics §9.1). */
export function parsePolicy(policyBase64: string): PolicyDocument | Refusal {
  try {
    const json = Buffer.from(policyBase64, "base64")
      .toString()
      .replace(/\\([\s\S])/g, (whole, c: string) => (c === "$" ? "$" : whole));
    const { expiration, conditions } = JSON.parse(json) as { expiration?: unknown; conditions?: unknown };
    const expirationMs = typeof expiration === "string" ? Date.parse(expiration) : Number.NaN;
    if (Number.isNaN(expirationMs) || !Array.isArray(conditions))
      return invalidPolicy("expiration and conditions are required.");
    return { expirationMs, conditions };
  } catch {
    return invalidPolicy("Invalid JSON.");
  }
}

/** Holds a form against its policy: not expired, and every condition met. Fields that no condition names pass. */
export function policyProblem(policy: PolicyDocument, subject: PolicySubject, nowMs: number): Refusal | null {
  if (nowMs > policy.expirationMs) return denied("Policy expired.");
  for (const condition of policy.conditions) {
    const problem = conditionProblem(condition, subject);
    if (problem !== null) return problem;
  }
  return null;
}

/** Whether some condition is about this field; V4 forms must cover their signature fields (oss-semantics §9.1). */
export function coversField(policy: PolicyDocument, lowerName: string): boolean {
  return policy.conditions.some((condition) => {
    if (Array.isArray(condition)) return String(condition[1]).toLowerCase() === `$${lowerName}`;
    return Object.keys(condition as object).some((name) => name.toLowerCase() === lowerName);
  });
}

function conditionProblem(condition: unknown, subject: PolicySubject): Refusal | null {
  if (!Array.isArray(condition)) return exactProblem(condition, subject);
  const [operator, first, second] = condition as readonly unknown[];
  if (operator === "content-length-range") return lengthProblem(first, second, subject.fileBytes);
  const value = fieldValue(first, subject);
  if (value === null) return invalidPolicy("A condition must name a field as $name.");
  if (operator === "eq" && typeof second === "string") return unless(value === second, condition);
  if (operator === "starts-with" && typeof second === "string")
    return unless((value ?? "").startsWith(second), condition);
  if (operator === "in" && Array.isArray(second)) return unless(second.includes(value), condition);
  if (operator === "not-in" && Array.isArray(second)) return unless(!second.includes(value), condition);
  return invalidPolicy("Unknown condition.");
}

function exactProblem(condition: unknown, subject: PolicySubject): Refusal | null {
  if (typeof condition !== "object" || condition === null)
    return invalidPolicy("A condition must be an object or an array.");
  for (const [name, wanted] of Object.entries(condition)) {
    if (fieldValue(`$${name}`, subject) !== wanted) return failed(["eq", `$${name}`, wanted]);
  }
  return null;
}

function lengthProblem(min: unknown, max: unknown, fileBytes: number): Refusal | null {
  const [least, most] = [Number(min), Number(max)];
  if (Number.isNaN(least) || Number.isNaN(most)) return invalidPolicy("content-length-range needs two numbers.");
  if (fileBytes > most) return refuse("EntityTooLarge");
  return fileBytes < least ? refuse("EntityTooSmall") : null;
}

/** The value of `$name`; `undefined` for a field that was not sent, `null` for what is no name. */
function fieldValue(name: unknown, subject: PolicySubject): string | undefined | null {
  if (typeof name !== "string" || !name.startsWith("$")) return null;
  const lower = name.slice(1).toLowerCase();
  return lower === "bucket" ? subject.bucket : subject.fields.get(lower);
}

function unless(holds: boolean, condition: unknown): Refusal | null {
  return holds ? null : failed(condition);
}

function failed(condition: unknown): Refusal {
  return denied(`Policy Condition failed: ${JSON.stringify(condition)}`);
}

function denied(reason: string): Refusal {
  return refuse("AccessDenied", { message: `Invalid according to Policy: ${reason}` });
}

function invalidPolicy(reason: string): Refusal {
  return refuse("InvalidPolicyDocument", { message: `Invalid Policy: ${reason}` });
}
