/** What a Range header means for an object (oss-semantics §11.2). Offsets in bytes, `end` is exclusive. */
export type RangeOutcome =
  | { readonly kind: "whole" }
  | { readonly kind: "part"; readonly start: number; readonly end: number }
  | { readonly kind: "unsatisfiable" };

const WHOLE: RangeOutcome = { kind: "whole" };
const UNSATISFIABLE: RangeOutcome = { kind: "unsatisfiable" };

/**
 * Resolves a Range header. By default whatever is invalid or goes beyond the object gives the whole object; with
 * `x-oss-range-behavior: standard` an end beyond is clipped and a start beyond cannot be satisfied. Malformed and
 * multiple ranges give the whole object in both modes.
 */
export function resolveRange(header: string | undefined, size: number, isStandard: boolean): RangeOutcome {
  const match = header === undefined ? null : /^bytes=(\d*)-(\d*)$/.exec(header.trim());
  if (match === null) return WHOLE;
  const [first, last] = [match[1] as string, match[2] as string];
  if (first === "" && last === "") return WHOLE;
  if (first === "") return resolveSuffix(Number(last), size, isStandard);
  const start = Number(first);
  const end = last === "" ? size : Number(last) + 1;
  if (start >= end && last !== "") return WHOLE;
  if (start >= size) return isStandard ? UNSATISFIABLE : WHOLE;
  if (end > size) return isStandard ? { kind: "part", start, end: size } : WHOLE;
  return { kind: "part", start, end };
}

function resolveSuffix(length: number, size: number, isStandard: boolean): RangeOutcome {
  if (length > 0 && length <= size) return { kind: "part", start: size - length, end: size };
  if (!isStandard) return WHOLE;
  return length === 0 || size === 0 ? UNSATISFIABLE : { kind: "part", start: 0, end: size };
}
