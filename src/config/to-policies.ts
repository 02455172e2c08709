import type { CorsConfig, RefererConfig, RouteConfig } from "./gateway-config.js";
import type { ParsedConfig } from "./schema.js";

type ParsedRoute = ParsedConfig["routes"][number];

export function toReferer(parsed: NonNullable<ParsedRoute["referer"]>): RefererConfig {
  const { mode, validReferers, ...oss } = parsed;
  if (validReferers !== undefined) return { mode, rules: { kind: "nginx", validReferers } };
  return { mode, rules: { kind: "oss", ...oss } };
}

export function toCors({ rules, ...rest }: NonNullable<ParsedRoute["cors"]>): CorsConfig {
  const whole = rules.map(({ maxAge, ...rule }) => ({
    ...rule,
    maxAgeSeconds: maxAge === undefined ? null : Math.floor(maxAge / 1000),
  }));
  return { rules: whole, ...rest };
}

export function toResponseHeaders({ set, ...rest }: ParsedRoute["responseHeaders"]): RouteConfig["responseHeaders"] {
  return { set: Object.entries(set), ...rest };
}
