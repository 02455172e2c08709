import { V1_SIGNED_PARAMETERS } from "../signing/canonical.js";
import { isSignatureParameter } from "../signing/request-parameters.js";
import { notEmulated, type Refusal } from "./errors.js";

/**
 * 501 for a query parameter that has a meaning at OSS (oss-semantics §2.1) which the operation does not emulate, or
 * `null`. Other parameters (`utm_source`) mean nothing to OSS and pass.
 */
export function parameterProblem(names: Iterable<string>, accepted: ReadonlySet<string>): Refusal | null {
  for (const name of names) {
    // What carries a signature asks for nothing.
    const hasMeaning = name.startsWith("x-oss-") || V1_SIGNED_PARAMETERS.has(name);
    if (hasMeaning && !isSignatureParameter(name) && !accepted.has(name)) return notEmulated(`the parameter ${name}`);
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
