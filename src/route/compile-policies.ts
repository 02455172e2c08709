import type { RouteConfig } from "../config/gateway-config.js";
import { parseOssHost } from "../config/oss-host.js";
import { hostOf } from "../core/host.js";
import { type CheckReferer, compileOssReferer } from "../policy/referer.js";
import { refererDenials } from "../policy/referer-denial.js";
import { compileResponseRules, type ResponseRules } from "../policy/response-rules.js";
import { compileValidReferers } from "../policy/valid-referers.js";
import type { CompiledReferer, CompiledRoute } from "./compiled-route.js";

/**
 * @param bucketName the bucket's name at OSS; `null` where the request chooses it
 * @throws Error in one sentence for an expression that cannot be used
 */
export function compileReferer(
  { name, match, referer }: RouteConfig,
  bucketName: string | null,
): CompiledReferer | null {
  if (referer === null) return null;
  return {
    check: compileCheck(referer.rules, match.hosts, `route ${name}: referer.validReferers`),
    isEnforced: referer.mode === "enforce",
    denials: refererDenials(bucketName),
  };
}

type RefererRules = NonNullable<RouteConfig["referer"]>["rules"];

function compileCheck(rules: RefererRules, serverNames: readonly string[], where: string): CheckReferer {
  if (rules.kind === "oss") return compileOssReferer(rules);
  try {
    return compileValidReferers(rules.validReferers, serverNames);
  } catch (cause) {
    throw new Error(`${where}: ${(cause as Error).message}`, { cause });
  }
}

/**
 * What the route does to answers' headers; `null`: nothing.
 * @param sentHosts what OSS is sent as Host with `hostHeader: bucket`, of each bucket
 */
export function compileRouteResponse(route: RouteConfig, sentHosts: readonly string[]): ResponseRules | null {
  const { preview, trusted, hostHeader, responseHeaders } = route;
  // Browsers download what OSS sends for its own hosts, and show what it sends for others (oss-semantics §1.4); the
  // host of an endpoint that is a URL may be a domain that is bound.
  const showsContent = preview || hostHeader !== "bucket" || !sentHosts.every(isOssHost);
  return compileResponseRules({ preview, sandboxesActiveContent: showsContent && !trusted, ...responseHeaders });
}

const isOssHost = (host: string): boolean => parseOssHost(hostOf(host) ?? "") !== null;

/** The documents of a static site; `null`: none. */
export function compileSite({ indexDocument, errorDocument }: RouteConfig): CompiledRoute["site"] {
  return indexDocument === null && errorDocument === null ? null : { indexDocument, errorDocument };
}
