import { parseDnsServer, parseUpstreamIp } from "./address.js";
import { parseBoundDomain } from "./host-name.js";
import { duration, listOf, mapOf, textLeaf, wholeNumber, yesOrNo } from "./leaves.js";
import { optional, required, withDefault } from "./schema-keys.js";
import { bucketLimits, bucketQuota } from "./schema-limits.js";
import * as values from "./values.js";

/** `buckets.<alias>` */

const dns = mapOf({
  minTtl: withDefault(
    duration({ min: "1ms", max: "24h", example: "5s" }),
    "5s",
    "An answer is used at least this long, also when its own TTL is shorter.",
  ),
  maxTtl: withDefault(
    duration({ min: "1ms", max: "24h", example: "60s" }),
    "60s",
    "An answer is used at most this long. Not below `minTtl`.",
  ),
  servers: withDefault(
    listOf(
      textLeaf({
        type: "address",
        expected: 'the address of a DNS server, 100.100.2.136 or "[fd00::1]:53"',
        parse: parseDnsServer,
      }),
      "addresses of DNS servers",
    ),
    [],
    "DNS servers to ask, `ip` or `ip:port`; an empty list means the system's resolver.",
    ["100.100.2.136", "100.100.2.138"],
  ),
  addresses: withDefault(
    listOf(textLeaf({ type: "address", expected: "an IPv4 or IPv6 address", parse: parseUpstreamIp }), "IP addresses"),
    [],
    "The upstream's addresses, written down; then no name is looked up.",
    ["100.118.28.10"],
  ),
});

const upstreamTimeout = () => duration({ min: "1ms", max: "24h", example: "60s" });

const timeouts = mapOf({
  connect: withDefault(upstreamTimeout(), "5s", "Until the connection stands, TLS included."),
  headers: withDefault(upstreamTimeout(), "60s", "From the end of the request to the headers of the answer."),
  idle: withDefault(upstreamTimeout(), "60s", "Between two reads or writes of a body; never of the whole transfer."),
});

const endpoint = textLeaf({
  type: "kind or URL",
  expected: values.ENDPOINT_EXPECTED,
  parse: values.parseEndpoint,
}).meta({
  anyOf: [{ enum: values.ENDPOINT_KINDS }, { pattern: "^https?://[^/?#@]+/?$" }],
});

export const bucketSchema = mapOf({
  bucket: required(
    textLeaf({
      type: "bucket name",
      expected: values.BUCKET_EXPECTED,
      parse: values.parseBucketName,
      pattern: values.BUCKET_NAME,
    }),
    "The bucket's name at OSS, which clients sign. The key above it is only an alias in this file.",
    "examplebucket",
  ),
  region: optional(
    textLeaf({
      type: "region id",
      expected: values.REGION_EXPECTED,
      parse: values.parseRegion,
      pattern: values.REGION,
    }),
    "none",
    "The region id, without `oss-`. Needed unless `endpoint` is `accelerate` or a URL, and then too where the gateway signs with V4; with a URL it gives the bucket's host name.",
    "cn-beijing",
  ),
  domains: withDefault(
    listOf(
      textLeaf({ type: "domain name", expected: "a domain name of your own", parse: parseBoundDomain }),
      "domain names",
    ),
    [],
    "Custom domains that are bound to this bucket at OSS.",
    ["img.example.com"],
  ),
  endpoint: withDefault(
    endpoint,
    "internal",
    "How OSS is reached: `internal` (from ECS in the same region), `public`, `accelerate`, `dualStack` (IPv4 and IPv6), or a URL of scheme, host and port.",
    "http://oss.test:9000",
  ),
  tls: optional(
    yesOrNo(),
    "`true`, or what the URL's scheme says",
    "TLS to OSS, always verified. When `endpoint` is a URL its scheme decides, and this may not contradict it.",
    true,
  ),
  caFile: optional(
    textLeaf({ type: "path", expected: "the path of a PEM file", parse: values.parsePemPath }),
    "none",
    "A PEM file of authorities that are trusted for this bucket, besides those that Node trusts. A relative path begins at the working directory.",
    "/etc/ossgate/tls/private-ca.pem",
  ),
  dns: withDefault(dns, {}, "How the endpoint's name becomes addresses."),
  connections: withDefault(
    wholeNumber(1, 65_535),
    256,
    "Upstream connections for each address, uploads included. An upload that finds them all taken is answered 503; a download waits for one. Divided among the workers, at least one for each.",
  ),
  timeouts: withDefault(timeouts, {}, "How long OSS may take."),
  limits: withDefault(bucketLimits, {}, "What all routes to this bucket may take together."),
  quota: optional(
    bucketQuota,
    "not watched",
    "OSS's throttling thresholds of this bucket: events, as CloudMonitor's, from 0.8 of them on.",
    { requests: "10000/s", egress: "10Gbit/s" },
  ),
});
