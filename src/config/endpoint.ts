import type { BucketConfig } from "./gateway-config.js";
import { parseOssHost } from "./oss-host.js";
import { regionNames } from "./region-names.js";

/** What the host names of a bucket depend on. */
export type Addressed = Pick<BucketConfig, "bucket" | "region" | "endpoint">;

const DOMAIN = ".aliyuncs.com";

/**
 * The host name (or address, without brackets) to connect to: the bucket's at a kind of endpoint, a URL's own host.
 * @throws Error when the endpoint needs a region and there is none; a checked configuration has one
 */
export function endpointHost(bucket: Addressed): string {
  const { endpoint } = bucket;
  if (endpoint instanceof URL) return endpoint.hostname.replace(/^\[|\]$/g, "");
  if (endpoint === "accelerate") return `${bucket.bucket}.oss-accelerate${DOMAIN}`;
  if (bucket.region === null) throw new Error(`endpoint ${endpoint} needs a region`);
  return `${bucket.bucket}.${regionNames(bucket.region)[endpoint]}${DOMAIN}`;
}

/** The port to connect to. */
export function endpointPort(bucket: Addressed & Pick<BucketConfig, "tls">): number {
  if (bucket.endpoint instanceof URL && bucket.endpoint.port !== "") return Number(bucket.endpoint.port);
  return bucket.tls ? 443 : 80;
}

/**
 * The `Host` that OSS is sent in `hostHeader: bucket`.
 * - kinds of endpoints: the host name that is connected to
 * - a URL whose host begins with the bucket's name: that host
 * - a URL of an OSS endpoint: the bucket's name there, `https://oss-cn-beijing.aliyuncs.com` gives `{bucket}.oss-cn-beijing.aliyuncs.com`
 * - any other URL (a private link, an emulator): the bucket's public OSS host name when there is a region, since the
 *   bucket is found by that name and not by the address; the URL's own host and port otherwise
 */
export function hostHeaderFor(bucket: Addressed): string {
  const { endpoint, region } = bucket;
  if (!(endpoint instanceof URL)) return endpointHost(bucket);
  if (endpoint.hostname.startsWith(`${bucket.bucket}.`)) return endpoint.host;
  if (parseOssHost(endpoint.hostname)?.bucket === null) return `${bucket.bucket}.${endpoint.host}`;
  return region === null ? endpoint.host : `${bucket.bucket}.${regionNames(region).public}${DOMAIN}`;
}

/**
 * Every OSS host name that means this bucket, in lower case, without ports: what a client's `Host` may say and a
 * signature may have been made for (oss-semantics §1.1, §1.3). Under a URL's host the bucket's own name means it too.
 */
export function bucketHosts(bucket: Addressed): readonly string[] {
  const hosts = new Set<string>();
  for (const endpoint of [...regionEndpoints(bucket.region), ...GLOBAL_ENDPOINTS])
    hosts.add(`${bucket.bucket}.${endpoint}${DOMAIN}`);
  for (const host of urlHosts(bucket)) hosts.add(host);
  return [...hosts];
}

const GLOBAL_ENDPOINTS: readonly string[] = ["oss-accelerate", "oss-accelerate-overseas", "s3.oss-accelerate"];

function regionEndpoints(region: string | null): readonly string[] {
  if (region === null) return [];
  const names = regionNames(region);
  const s3 = [names.public, names.internal].map((name) => `s3.${name}`);
  return [names.public, names.internal, names.dualStack, ...names.others, ...s3, `vpc100-oss-${region}`];
}

/** Whether a host name of OSS, with or without a bucket before it, is an endpoint of that region. */
export function isEndpointOf(region: string, ossHostName: string): boolean {
  return regionEndpoints(region).some((endpoint) => `.${ossHostName}`.endsWith(`.${endpoint}${DOMAIN}`));
}

/** The names under a URL's host: its own when it names the bucket, and the bucket before it when it names none. */
function urlHosts({ bucket, endpoint }: Addressed): readonly string[] {
  if (!(endpoint instanceof URL) || endpoint.hostname.startsWith("[") || /^[\d.]+$/.test(endpoint.hostname)) return [];
  return endpoint.hostname.startsWith(`${bucket}.`) ? [endpoint.hostname] : [`${bucket}.${endpoint.hostname}`];
}
