import type { Operation } from "../core/operations.js";

/** What clients of a route that the gateway signs may ask for; made once from the configuration. */
export interface SignedRequestRules {
  /** Whether the route's methods have PUT: then uploads and their headers are allowed. */
  readonly allowsPut: boolean;
  readonly operations: ReadonlySet<Operation>;
  /** Values of `x-oss-process`; a `*` at the end stands for letters, digits and `_,.-`. */
  readonly process: readonly string[];
  /** Full names, `response-content-type` say. */
  readonly responseOverrides: ReadonlySet<string>;
  /** Decoded; `""` for none. */
  readonly keyPrefix: string;
  /** What OSS holds each transfer to, in bits per second (`x-oss-traffic-limit`, oss-semantics §11.6); absent: nothing. */
  readonly trafficLimitBitsPerSecond?: number | null;
}

/** The rules as requests are measured by them: see `compileRules`. */
export interface CompiledRules extends Omit<SignedRequestRules, "process" | "trafficLimitBitsPerSecond"> {
  readonly processValues: ReadonlySet<string>;
  /** Without the `*`. */
  readonly processPrefixes: readonly string[];
  /** The header's value; `null`: it is not sent. */
  readonly trafficLimit: string | null;
}

/** Sorts out once what would be the same for every request. */
export function compileRules({ process, trafficLimitBitsPerSecond, ...rules }: SignedRequestRules): CompiledRules {
  const [prefixes, values] = [true, false].map((isPrefix) => process.filter((text) => text.endsWith("*") === isPrefix));
  return {
    ...rules,
    processValues: new Set(values),
    processPrefixes: (prefixes ?? []).map((text) => text.slice(0, -1)),
    trafficLimit: trafficLimitBitsPerSecond == null ? null : String(trafficLimitBitsPerSecond),
  };
}
