import { type CorsRule, compileCors, corsRuleProblem, type MatchCors } from "../policy/cors.js";

/** A bucket's CORS configuration, ready to decide. */
export interface CorsConfiguration {
  readonly rules: readonly CorsRule[];
  /** Whether every answer of the bucket says `Vary: Origin` (oss-semantics §6.4). */
  readonly responseVary: boolean;
  readonly match: MatchCors;
}

/** @throws Error for a rule that OSS would refuse */
export function makeCors(rules: readonly CorsRule[], responseVary: boolean): CorsConfiguration {
  const problem = rules.map(corsRuleProblem).find((found) => found !== null);
  if (problem !== undefined) throw new Error(problem);
  return { rules, responseVary, match: compileCors(rules) };
}
