import { V1_SIGNED_PARAMETERS } from "../signing/canonical.js";
import { notEmulated, type Refusal } from "./errors.js";

// What carries a signature asks for nothing. Everything else that begins with `x-oss-` does.
const SIGNATURE_PARAMETERS: ReadonlySet<string> = new Set([
  "security-token",
  "x-oss-access-key-id",
  "x-oss-additional-headers",
  "x-oss-credential",
  "x-oss-date",
  "x-oss-expires",
  "x-oss-security-token",
  "x-oss-signature",
  "x-oss-signature-version",
]);

/**
 * 501 for a query parameter that has a meaning at OSS (oss-semantics §2.1) which the operation does not emulate, or
 * `null`. Other parameters (`utm_source`) mean nothing to OSS and pass.
 */
export function parameterProblem(names: Iterable<string>, accepted: ReadonlySet<string>): Refusal | null {
  for (const name of names) {
    const hasMeaning = name.startsWith("x-oss-") || V1_SIGNED_PARAMETERS.has(name);
    if (hasMeaning && !SIGNATURE_PARAMETERS.has(name) && !accepted.has(name))
      return notEmulated(`the parameter ${name}`);
  }
  return null;
}

const HEADERS =
  /^x-oss-(?:server-side-(?:data-)?encryption.*|tagging.*|callback.*|traffic-limit|request-payer|symlink-target|multi-range-behavior|persistent-headers|ac-.*|object-worm-.*)$/;

/** 501 for a header, or a form field, that changes what OSS does in a way that is not emulated, or `null`. */
export function headerProblem(lowerNames: Iterable<string>): Refusal | null {
  for (const name of lowerNames) if (HEADERS.test(name)) return notEmulated(`the header ${name}`);
  return null;
}
