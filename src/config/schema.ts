import * as z from "zod";
import { parseDnsServer, parseSocketAddress, parseUpstreamIp } from "./address.js";
import { parseBoundDomain, parseDomain, parseRouteHost } from "./host-name.js";
import { duration, listOf, mapOf, oneOf, size, textLeaf, typeNames, wholeNumber, yesOrNo } from "./leaves.js";
import * as values from "./values.js";

/**
 * The one source of the configuration's types, defaults, reference and JSON Schema.
 * Every key says what it means, and has a default or an example.
 */

function required<S extends z.ZodType>(schema: S, what: string, example?: z.input<S>): S {
  return schema.meta({ description: what, ...(example === undefined ? {} : { examples: [example] }) });
}

/** A key that may be absent; `absent` says what that means. */
function optional<S extends z.ZodType>(schema: S, absent: string, what: string, example: z.input<S>): z.ZodOptional<S> {
  const key = schema.optional();
  typeNames.add(key, { type: typeNames.get(schema)?.type ?? "", default: absent });
  return key.meta({ description: what, examples: [example] });
}

function withDefault<S extends z.ZodType>(
  schema: S,
  value: z.core.util.NoUndefined<z.input<S>>,
  what: string,
  example?: z.input<S>,
): z.ZodPrefault<S> {
  return schema.prefault(value).meta({ description: what, ...(example === undefined ? {} : { examples: [example] }) });
}

const name = () =>
  textLeaf({ type: "name", expected: values.NAME_EXPECTED, parse: values.parseName, pattern: values.NAME });
const reference = (expected: string) => textLeaf({ type: "name", expected, parse: (text) => text });
const socketAddress = () =>
  textLeaf({
    type: "address and port",
    expected: 'an address and a port, 0.0.0.0:80 or "[::]:80"',
    numberHint: "Add an address: 0.0.0.0:80 say.",
    parse: parseSocketAddress,
  });

const listener = mapOf({
  name: required(name(), "What routes call this listener.", "web"),
  address: required(
    socketAddress(),
    "Where it listens: `ip:port` or, in quotes, `[ipv6]:port`. `[::]` takes IPv4 too. Port 0 takes any free port.",
    "0.0.0.0:80",
  ),
});

const admin = mapOf({
  address: withDefault(
    socketAddress(),
    "127.0.0.1:9180",
    "Where `/metrics`, `/healthz` and `/readyz` are served. It may not overlap a listener, because clients must not reach it.",
  ),
});

const log = mapOf({
  level: withDefault(
    oneOf(["debug", "info", "warn", "error"]),
    "info",
    "The least important messages that are written.",
  ),
  access: withDefault(
    mapOf({
      format: withDefault(
        oneOf(["json", "off"], ["combined"]),
        "json",
        "The access log: one JSON object for each request on stdout, or none.",
      ),
    }),
    {},
    "The access log.",
  ),
});

const limits = mapOf({
  headerSize: withDefault(
    size({ min: "1KiB", max: "1MiB", example: "32KiB" }),
    "32KiB",
    "All header bytes of a request, its request line included; more is answered 431.",
  ),
  headerCount: withDefault(wholeNumber(1, 10_000), 200, "Header lines of a request; more is answered 431."),
  targetSize: withDefault(
    size({ min: "256B", max: "1MiB", example: "16KiB" }),
    "16KiB",
    "The request target (path and query); more is answered 414. Below `headerSize`.",
  ),
  headerTimeout: withDefault(
    duration({ min: "1ms", max: "24h", example: "60s" }),
    "60s",
    "From the first byte of a request to the end of its headers; longer is answered 408.",
  ),
  clientIdleTimeout: withDefault(
    duration({ min: "1ms", max: "24h", example: "75s" }),
    "75s",
    "The longest silence of a client: between two requests, two reads of a body or two writes of an answer.",
  ),
  connections: withDefault(wholeNumber(1, 1_000_000), 10_000, "Open client connections of the whole gateway."),
  shutdownTimeout: withDefault(
    duration({ min: "0s", max: "24h", example: "30s" }),
    "30s",
    "How long running requests may still take after SIGTERM.",
  ),
});

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

const bucket = mapOf({
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
    "The region id, without `oss-`. Needed unless `endpoint` is `accelerate` or a URL; with a URL it gives the bucket's host name.",
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
    textLeaf({ type: "path", expected: "the path of a PEM file", parse: values.parseFilePath }),
    "none",
    "A PEM file of authorities that are trusted for this bucket, besides those that Node trusts.",
    "/etc/ossgate/tls/private-ca.pem",
  ),
  dns: withDefault(dns, {}, "How the endpoint's name becomes addresses."),
  connections: withDefault(
    wholeNumber(1, 65_535),
    256,
    "Upstream connections for each address, uploads included. An upload that finds them all taken is answered 503; a download waits for one.",
  ),
  timeouts: withDefault(timeouts, {}, "How long OSS may take."),
});

const match = mapOf({
  hosts: required(
    listOf(
      textLeaf({
        type: "host",
        expected: "a host name, a wildcard such as *.example.com, or an address",
        parse: parseRouteHost,
      }),
      "host names, wildcards or addresses",
      1,
    ),
    "Names, wildcards (`*.` is one or more labels), or the gateway's own address, as they stand in `Host`; compared in lower case, without port and trailing dot. An exact host beats a wildcard, the longest wildcard wins.",
    ["img.example.com", "*.img.example.com", "47.0.2.74"],
  ),
  listeners: optional(
    listOf(reference(values.REFERENCE_EXPECTED.listener), "names of listeners", 1),
    "all",
    "The listeners that serve this route.",
    ["web"],
  ),
  pathPrefix: withDefault(
    textLeaf({
      type: "path",
      expected: "a decoded path prefix such as / or /media",
      parse: values.parsePathPrefix,
      pattern: /^\//,
    }),
    "/",
    "The decoded path begins with this and ends there or goes on with a slash. The longest prefix of a host wins.",
    "/media",
  ),
});

const METHODS = ["GET", "HEAD", "OPTIONS", "PUT", "POST", "DELETE"] as const;

const route = mapOf({
  name: required(name(), "The route's label in logs and metrics.", "images"),
  match: required(match, "Which requests take this route."),
  bucket: optional(
    reference(values.REFERENCE_EXPECTED.bucket),
    "`buckets` instead",
    "The alias of the bucket that serves this route. Either this or `buckets`.",
    "media",
  ),
  buckets: optional(
    listOf(reference(values.REFERENCE_EXPECTED.bucket), "aliases of buckets", 1),
    "`bucket` instead",
    "Aliases of buckets in path style: the first segment of the path is the OSS name of one of them, any other is answered 404. Their own OSS host names are taken in `Host` too.",
    ["media"],
  ),
  stripPrefix: withDefault(
    yesOrNo(),
    false,
    "Whether `match.pathPrefix` is taken off before the path becomes the key.",
  ),
  keyPrefix: withDefault(
    textLeaf({ type: "text", expected: 'the beginning of a key such as site/ or ""', parse: values.parseKeyPrefix }),
    "",
    "Put before the key.",
    "site/",
  ),
  hostHeader: withDefault(
    textLeaf({
      type: "`bucket`, `client` or domain",
      expected: "bucket, client or a domain of the bucket",
      parse: values.parseHostHeader(parseDomain),
    }),
    "bucket",
    "The `Host` that OSS sees: the bucket's OSS host name; the client's own `Host`, when every host of the route is a name of the bucket; or one of the bucket's `domains`, which browsers then show instead of downloading.",
    "img.example.com",
  ),
  methods: withDefault(
    listOf(oneOf(METHODS), "methods", 1),
    ["GET", "HEAD"],
    "The methods that pass; others are answered 405.",
  ),
  auth: withDefault(
    z.enum(["relay"], { error: ({ input }) => values.authMessage(input) }).register(typeNames, { type: "`relay`" }),
    "relay",
    "`relay`: what the client signed arrives at OSS as it was signed.",
  ),
  limits: withDefault(
    mapOf({
      bodySize: withDefault(
        size({ min: "0B", max: "1TiB", example: "5GiB" }),
        "5GiB",
        "The longest request body; more is answered 413. OSS itself takes 5 GiB at once.",
      ),
    }),
    {},
    "What one request of this route may take.",
  ),
  requestHeaders: withDefault(
    mapOf({
      remove: withDefault(
        listOf(
          textLeaf({
            type: "header name",
            expected: "the name of a request header such as cookie",
            parse: values.parseRemovedHeader,
          }),
          "header names",
        ),
        [],
        "Request headers that are not sent to OSS. None that a signature or the framing of the message depends on.",
        ["cookie"],
      ),
    }),
    {},
    "Changes to the request's headers.",
  ),
});

export const configSchema = mapOf({
  listeners: required(listOf(listener, "listeners", 1), "Where clients connect."),
  admin: withDefault(admin, {}, "The listener for operators."),
  log: withDefault(log, {}, "Logs."),
  limits: withDefault(limits, {}, "Limits of the whole gateway."),
  buckets: required(
    z
      .record(z.string().regex(values.NAME, { error: values.NAME_EXPECTED }), bucket, {
        error: "a map of buckets by their aliases",
      })
      .refine((buckets) => Object.keys(buckets).length > 0, { error: "at least one bucket" })
      .register(typeNames, { type: "map by alias" }),
    "The buckets by alias.",
  ),
  routes: required(listOf(route, "routes", 1), "Which request goes to which bucket."),
});

/** What the schema makes of a file that has no problems in any single field. */
export type ParsedConfig = z.output<typeof configSchema>;
