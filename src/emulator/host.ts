import { isIP } from "node:net";

/** What a Host header addresses (oss-semantics §1.3). `region` is the bare region id; `null` on acceleration hosts. */
export type HostMatch =
  | { readonly kind: "bucket"; readonly bucket: string; readonly region: string | null; readonly isAccelerate: boolean }
  | { readonly kind: "service"; readonly region: string | null }
  | { readonly kind: "other-name"; readonly name: string }
  | { readonly kind: "ip" }
  | { readonly kind: "not-emulated"; readonly what: string };

/** Lower-case name of a Host header: no port, no trailing dot, brackets of IPv6 kept. */
export function hostName(hostHeader: string): string {
  const lower = hostHeader.trim().toLowerCase();
  const withoutPort = lower.startsWith("[") ? lower.slice(0, lower.indexOf("]") + 1) : lower.replace(/:\d*$/, "");
  return withoutPort.endsWith(".") ? withoutPort.slice(0, -1) : withoutPort;
}

// Hosts whose region id cannot be cut out of the name (oss-semantics §1.1, finance cloud).
const REGION_OF_HOST = new Map([
  ["cn-hzfinance", "cn-hangzhou-finance"],
  ["cn-szfinance", "cn-shenzhen-finance-1"],
]);

interface HostRule {
  readonly pattern: RegExp;
  /** Region for hosts that do not name it; `undefined` takes it from the pattern. */
  readonly region?: string | null;
  readonly isAccelerate?: boolean;
}

// Order matters: "accelerate", "internal" and "R-internal" would otherwise be taken for regions (oss-semantics §1.3).
const RULES: readonly HostRule[] = [
  { pattern: /^(?:([^.]+)\.)?oss-accelerate(?:-overseas)?\.aliyuncs\.com$/, region: null, isAccelerate: true },
  // Without a bucket only what looks like a region id: `b.oss.aliyuncs.com` is a bucket on the legacy host.
  { pattern: /^(?:([^.]+)\.([a-z0-9-]+)|((?:cn|ap|us|eu|me|na)-[a-z0-9-]+))\.oss\.aliyuncs\.com$/ },
  { pattern: /^(?:([^.]+)\.)?oss(?:-internal)?\.aliyuncs\.com$/, region: "cn-hangzhou" },
  { pattern: /^(?:([^.]+)\.)?oss-([a-z0-9-]+?)-internal\.aliyuncs\.com$/ },
  { pattern: /^(?:([^.]+)\.)?oss-([a-z0-9-]+)\.aliyuncs\.com$/ },
  { pattern: /^(?:([^.]+)\.)?vpc100-oss-([a-z0-9-]+)\.aliyuncs\.com$/ },
];

const NOT_EMULATED: readonly (readonly [RegExp, string])[] = [
  [/^(?:[^.]+\.)?s3\.oss-[a-z0-9-]+\.aliyuncs\.com$/, "the S3-compatible endpoint"],
  [/\.oss-cloudbox(?:-control)?\.aliyuncs\.com$/, "CloudBox endpoints"],
  [/\.oss-accesspoint\.aliyuncs\.com$/, "access points"],
  [/\.oss-object-process\.aliyuncs\.com$/, "object FC access points"],
];

/** Derives bucket and region from a Host header by the rules of oss-semantics §1.3, in their order. */
export function matchHost(hostHeader: string): HostMatch {
  const name = hostName(hostHeader);
  if (isIP(name.replace(/^\[|\]$/g, "")) !== 0) return { kind: "ip" };
  for (const [pattern, what] of NOT_EMULATED) {
    if (pattern.test(name)) return { kind: "not-emulated", what };
  }
  for (const rule of RULES) {
    const match = rule.pattern.exec(name);
    if (match !== null) return describeMatch(rule, match);
  }
  return { kind: "other-name", name };
}

function describeMatch(rule: HostRule, match: RegExpExecArray): HostMatch {
  const [, bucket, ...labels] = match;
  const label = labels.find((candidate) => candidate !== undefined);
  const region = rule.region === undefined && label !== undefined ? (REGION_OF_HOST.get(label) ?? label) : rule.region;
  if (bucket === undefined) return { kind: "service", region: region ?? null };
  return { kind: "bucket", bucket, region: region ?? null, isAccelerate: rule.isAccelerate === true };
}

/** Whether a Host header names an endpoint of OSS's internal network (oss-semantics §1.1). */
export function isInternalHost(hostHeader: string): boolean {
  return /-internal\.aliyuncs\.com$|(?:^|\.)vpc100-oss-/.test(hostName(hostHeader));
}

/** The names under which a bucket can be addressed; legacy names may have `_` (oss-semantics §1.3). */
export function isBucketName(name: string): boolean {
  return /^[a-z0-9_][a-z0-9_-]{1,61}[a-z0-9_]$/.test(name);
}

/** The public endpoint of a region, as error documents and bucket information name it. */
export function publicEndpoint(region: string): string {
  const label = [...REGION_OF_HOST].find(([, id]) => id === region)?.[0] ?? region;
  return `oss-${label}.aliyuncs.com`;
}
