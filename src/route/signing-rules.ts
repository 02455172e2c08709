import type { RouteConfig } from "../config/gateway-config.js";
import type { Operation } from "../core/operations.js";
import { type CompiledRules, compileRules } from "../signing/signed-request.js";

/** What a route that signs lets its clients ask for; `null` for one that relays, which asks for nothing. */
export function rulesOf(route: RouteConfig): CompiledRules | null {
  const { sign, methods, operations, keyPrefix } = route;
  if (sign === null) return null;
  return compileRules({
    allowsPut: methods.includes("PUT"),
    operations: new Set(operations as readonly Operation[]),
    process: sign.process,
    responseOverrides: new Set(sign.responseOverrides),
    keyPrefix,
    trafficLimitBitsPerSecond: sign.trafficLimitBitsPerSecond,
  });
}
