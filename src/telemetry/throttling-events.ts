import type { BucketConfig } from "../config/gateway-config.js";

/** Whose threshold it is. */
export type QuotaScope = "bucket" | "account";

/** CloudMonitor's words, the capital W included (oss-semantics §12.2). */
export const QOS_TYPES = ["Qps", "IngressBandwidth", "EgressBandWidth"] as const;
export type QosType = (typeof QOS_TYPES)[number];

/** Which way the gateway reaches OSS; `net_all`: not known, or by several ways. */
export type TrafficSource = "intranet" | "extranet" | "net_all";

export interface EventNames {
  /** The threshold is exceeded. */
  readonly throttle: string;
  /** 0.8 of it is. */
  readonly alert: string;
}

/** CloudMonitor's names of its events; it has none for an alert of requests, so `BucketQps` and `UserQps` are ours. */
export function eventNames(scope: QuotaScope, qos: QosType): EventNames {
  const alert = `${scope === "bucket" ? "Bucket" : "User"}${qos === "EgressBandWidth" ? "EgressBandwidth" : qos}`;
  return { throttle: `${alert}ThresholdExceeded`, alert };
}

/** How the traffic of some buckets reaches OSS, taken together. */
export function trafficSource(endpoints: readonly BucketConfig["endpoint"][]): TrafficSource {
  const [first, ...others] = new Set(endpoints.map(sourceOf));
  return first === undefined || others.length > 0 ? "net_all" : first;
}

function sourceOf(endpoint: BucketConfig["endpoint"]): TrafficSource {
  if (endpoint instanceof URL) return "net_all";
  return endpoint === "internal" ? "intranet" : "extranet";
}
