import type { BucketConfig, GatewayConfig } from "../config/gateway-config.js";

/**
 * One process's part of what several count each for themselves; together their parts are the whole.
 * @param number of the process, from 1
 * @returns 0 for some where there are fewer than processes
 */
export function partOf(whole: number, processes: number, number: number): number {
  return Math.floor(whole / processes) + (number <= whole % processes ? 1 : 0);
}

/**
 * A configuration as one of several processes serves by it: connections, which each counts for itself, are divided. Of
 * those to a bucket each process has one at least.
 */
export function dividedConfig(config: GatewayConfig, processes: number, number: number): GatewayConfig {
  if (processes === 1) return config;
  const bucketOf = (bucket: BucketConfig): BucketConfig => ({
    ...bucket,
    connections: Math.max(1, partOf(bucket.connections, processes, number)),
  });
  return {
    ...config,
    limits: { ...config.limits, connections: partOf(config.limits.connections, processes, number) },
    buckets: new Map([...config.buckets].map(([alias, bucket]) => [alias, bucketOf(bucket)])),
  };
}
