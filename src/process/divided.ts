import type { BucketConfig, GatewayConfig } from "../config/gateway-config.js";

/**
 * A configuration as one of several processes serves by it: connections, which each counts for itself, are divided.
 * Rounded up, so that each has one at least.
 */
export function dividedConfig(config: GatewayConfig, processes: number): GatewayConfig {
  if (processes === 1) return config;
  const share = (count: number): number => Math.ceil(count / processes);
  const bucketOf = (bucket: BucketConfig): BucketConfig => ({ ...bucket, connections: share(bucket.connections) });
  return {
    ...config,
    limits: { ...config.limits, connections: share(config.limits.connections) },
    buckets: new Map([...config.buckets].map(([alias, bucket]) => [alias, bucketOf(bucket)])),
  };
}
