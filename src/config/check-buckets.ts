import { isEndpointOf } from "./endpoint.js";
import { parseOssHost } from "./oss-host.js";
import { quote } from "./problem.js";
import type { BucketDraft, ConfigDraft, Report } from "./report.js";

/** What the keys of one bucket say together, and what two buckets say about one domain. */
export function checkBuckets(draft: ConfigDraft, report: Report): void {
  const owners = new Map<string, { readonly alias: string; readonly bucket: string }>();
  for (const [alias, bucket] of Object.entries(draft.buckets ?? {})) {
    if (bucket === undefined) continue;
    checkBucket(alias, bucket, report);
    checkDomainOwners(alias, bucket, owners, report);
  }
}

function checkBucket(alias: string, bucket: BucketDraft, report: Report): void {
  const path = ["buckets", alias] as const;
  checkRegion(alias, bucket, report);
  checkUrl(alias, bucket, report);
  report.repeats([...path, "domains"], bucket.domains);
  report.repeats([...path, "dns", "servers"], bucket.dns?.servers);
  report.repeats([...path, "dns", "addresses"], bucket.dns?.addresses);
  const { minTtl, maxTtl } = bucket.dns ?? {};
  if (minTtl !== undefined && maxTtl !== undefined && minTtl > maxTtl) {
    const key = report.source.has([...path, "dns", "minTtl"]) ? "minTtl" : "maxTtl";
    const found = `minTtl ${minTtl / 1000}s and maxTtl ${maxTtl / 1000}s`;
    report.problem([...path, "dns", key], { expected: "a minTtl that is not above maxTtl", found });
  }
  const isPlain = bucket.endpoint instanceof URL ? bucket.endpoint.protocol === "http:" : bucket.tls === false;
  if (isPlain && bucket.caFile !== undefined) {
    report.warning([...path, "caFile"], {
      expected: "no caFile without TLS",
      hint: "It has no effect, though the file must be there. Take it out.",
    });
  }
}

function checkRegion(alias: string, { endpoint }: BucketDraft, report: Report): void {
  const path = ["buckets", alias, "region"];
  if (endpoint === undefined || endpoint instanceof URL || endpoint === "accelerate" || report.source.has(path)) return;
  report.problem(path, {
    expected: "a region id, cn-beijing say",
    found: "no such key",
    hint: `The host name of endpoint ${endpoint} needs it.`,
  });
}

function checkUrl(alias: string, { endpoint, tls, bucket, region }: BucketDraft, report: Report): void {
  if (!(endpoint instanceof URL)) return;
  const path = ["buckets", alias] as const;
  const isTls = endpoint.protocol === "https:";
  if (tls !== undefined && tls !== isTls) {
    const hint = `The endpoint's URL begins with ${endpoint.protocol}//. Take tls out or change the URL.`;
    report.problem([...path, "tls"], { expected: String(isTls), hint });
  }
  const ossHost = parseOssHost(endpoint.hostname);
  if (ossHost === null || bucket === undefined) return;
  const isOwn = endpoint.hostname.startsWith(`${bucket}.`);
  if (ossHost.bucket !== null && !isOwn) {
    report.problem([...path, "endpoint"], { expected: `an endpoint of the bucket ${quote(bucket)}` });
  } else if (ossHost.region !== null && region !== undefined && !isEndpointOf(region, endpoint.hostname)) {
    report.problem([...path, "endpoint"], { expected: `an endpoint of the region ${quote(region)}` });
  }
}

/** OSS binds a domain to one bucket (oss-semantics §1.3); two aliases may still mean that one bucket. */
function checkDomainOwners(
  alias: string,
  { bucket, domains }: BucketDraft,
  owners: Map<string, { readonly alias: string; readonly bucket: string }>,
  report: Report,
): void {
  domains?.forEach((domain, index) => {
    if (domain === undefined || bucket === undefined) return;
    const owner = owners.get(domain);
    if (owner === undefined) owners.set(domain, { alias, bucket });
    else if (owner.bucket !== bucket) {
      const hint = `Bucket ${quote(owner.alias)} has it too, and OSS binds a domain to one bucket.`;
      report.problem(["buckets", alias, "domains", index], { expected: "a domain of this bucket alone", hint });
    }
  });
}
