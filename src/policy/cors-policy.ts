import type { Denial } from "../core/errors.js";
import type { HeaderList } from "../core/headers.js";
import { actualHeaders, type CorsRule, compileCors, preflightHeaders, variesByOrigin } from "./cors.js";

/** The CORS of a route that owns it: OSS's rules (oss-semantics §6.1), and what OSS has no word for. */
export interface CorsOptions {
  readonly rules: readonly CorsRule[];
  /** Browsers may send cookies and passwords. No rule may have the origin `*` then (Fetch standard). */
  readonly allowCredentials: boolean;
  /** Pages of public addresses may call this private one. */
  readonly allowPrivateNetwork: boolean;
  /** `Vary: Origin` also where no answer depends on it. */
  readonly responseVary: boolean;
}

/** The headers that a preflight is made of, as they arrived. */
export interface Preflight {
  readonly origin: string | undefined;
  readonly requestMethod: string | undefined;
  readonly requestHeaders: string | undefined;
  readonly requestPrivateNetwork: string | undefined;
}

export interface CorsPolicy {
  /** The answer to a preflight: its headers, or the refusal. */
  preflight(preflight: Preflight): HeaderList | Denial;
  /**
   * What the answer to another request gets, a local error too; empty where nothing matches. Without `Vary`.
   * @param origin the request's, `undefined` when it has none: then only rules that are all for `*` say something
   */
  actual(origin: string | undefined, method: string): HeaderList;
  /** Whether every answer must say `Vary: Origin`. */
  readonly varies: boolean;
}

/** `null` gives `null`: the bucket's rules rule. */
export function compileCorsPolicy(options: CorsOptions | null): CorsPolicy | null {
  if (options === null) return null;
  const match = compileCors(options.rules);
  const varies = options.responseVary || variesByOrigin(options.rules);
  const besides = options.allowCredentials ? ["Access-Control-Allow-Credentials", "true"] : [];
  const vary = varies ? ["Vary", "Origin"] : [];
  // Then the headers go to everybody: a cached answer without them would fail the page of another origin.
  const isForAll = !variesByOrigin(options.rules);
  const denials = preflightDenials(vary);
  return {
    varies,
    preflight({ origin, requestMethod, requestHeaders, requestPrivateNetwork }) {
      if (!origin) return denials.noOrigin;
      if (!requestMethod) return denials.noMethod;
      const request = { origin, method: requestMethod, requestHeaders };
      const found = match(request);
      if (found === null) return denials.noMatch;
      const asksForNetwork = options.allowPrivateNetwork && requestPrivateNetwork === "true";
      const network = asksForNetwork ? ["Access-Control-Allow-Private-Network", "true"] : [];
      return [...preflightHeaders(found, request), ...besides, ...network, ...vary];
    },
    actual(origin, method) {
      if (!origin && !isForAll) return NONE;
      const found = match({ origin: origin ?? "", method, requestHeaders: undefined });
      return found === null ? NONE : [...actualHeaders(found), ...besides];
    },
  };
}

const NONE: HeaderList = Object.freeze([]);

/** What OSS answers (oss-semantics §6.3), its spelling included. */
function preflightDenials(vary: HeaderList): Readonly<Record<"noOrigin" | "noMethod" | "noMatch", Denial>> {
  const incomplete = (reason: string): Denial => Object.freeze({ code: "PREFLIGHT_INCOMPLETE", reason, headers: vary });
  return {
    noOrigin: incomplete("Insufficient information. Origin request header needed."),
    noMethod: incomplete("Insufficient information. Request Access-Control-Request-Method header needed."),
    noMatch: Object.freeze({
      code: "CORS_DENIED",
      reason:
        "CORSResponse: This CORS request is not allowed. This is usually because the evalution of Origin, request method / Access-Control-Request-Method or Access-Control-Requet-Headers are not whitelisted by the resource's CORS spec.",
      headers: vary,
    }),
  };
}
