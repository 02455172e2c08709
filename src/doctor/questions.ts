import { hostHeaderFor } from "../config/endpoint.js";
import type { BucketConfig, GatewayConfig, RouteConfig } from "../config/gateway-config.js";

/** How some routes ask OSS for objects of one bucket: alike in all that the answer depends on. */
export interface Question {
  readonly routes: readonly RouteConfig[];
  readonly bucket: BucketConfig;
  /** The Host that is sent. */
  readonly host: string;
  /** `null`: the routes relay. */
  readonly sign: { readonly credentials: string; readonly version: "v4" | "v1" } | null;
  readonly keyPrefix: string;
}

/** Bound domains of one bucket that are tried. */
const MAX_DOMAINS = 4;

/** What there is to ask about a bucket, each question once. */
export function questionsOf(config: GatewayConfig, bucket: BucketConfig): readonly Question[] {
  const questions = new Map<string, { readonly question: Question; readonly routes: RouteConfig[] }>();
  for (const route of config.routes) {
    if (!usesBucket(route, bucket.alias)) continue;
    for (const host of hostsOf(route, bucket)) {
      const sign = route.sign === null ? null : { credentials: route.sign.credentials, version: route.sign.version };
      const key = JSON.stringify([host, sign, route.keyPrefix]);
      const known = questions.get(key);
      if (known !== undefined) known.routes.push(route);
      else {
        const routes = [route];
        questions.set(key, { routes, question: { routes, bucket, host, sign, keyPrefix: route.keyPrefix } });
      }
    }
  }
  return [...questions.values()].map(({ question }) => question);
}

/** Whether a route serves this bucket. */
export function usesBucket({ target }: RouteConfig, alias: string): boolean {
  if (target.kind === "bucket") return target.bucket === alias;
  return target.kind === "buckets" && target.buckets.includes(alias);
}

function hostsOf({ hostHeader }: RouteConfig, bucket: BucketConfig): readonly string[] {
  if (hostHeader === "bucket") return [hostHeaderFor(bucket)];
  if (hostHeader !== "client") return [hostHeader];
  // Of clients that come by another name, the bucket's own is sent.
  return [...bucket.domains.slice(0, MAX_DOMAINS), hostHeaderFor(bucket)];
}
