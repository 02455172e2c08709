import { isIP } from "node:net";
import { parseUpstreamIp } from "../config/address.js";
import { endpointHost, isEndpointOf } from "../config/endpoint.js";
import { parseBoundDomain } from "../config/host-name.js";
import { parseOssHost } from "../config/oss-host.js";
import { Refusal } from "../config/refusal.js";
import { BUCKET_NAME, ENDPOINT_KINDS } from "../config/values.js";
import type { Directive } from "./directive.js";
import type { Findings } from "./findings.js";

/** A bucket and how it is reached, as `buckets.<alias>` takes it. */
export interface Backend {
  readonly bucket: string;
  readonly region: string | undefined;
  /** A kind or a URL. */
  readonly endpoint: string;
  /** Absent where the endpoint's URL says it. */
  readonly tls: boolean | undefined;
  readonly addresses: readonly string[];
  /** The name that the file has for the bucket: what OSS sees where no Host is set. */
  readonly hostName: string;
  /** The bucket's name does not stand in the file. */
  readonly isGuess: boolean;
}

/** Where a `proxy_pass` leads. */
export interface Target {
  readonly scheme: "http" | "https";
  /** Host and perhaps port, in lower case; of an `upstream` its name. */
  readonly authority: string;
  /** What `proxy_set_header Host` says where it is a host name; `null`: something else. */
  readonly hostLiteral: string | null;
}

export type Upstreams = ReadonlyMap<string, Directive>;

interface HostPort {
  readonly host: string;
  readonly port: number | null;
}

/** In the place of a name that nobody can know. */
const UNKNOWN_BUCKET = "change-me";

/**
 * The bucket behind a `proxy_pass`.
 * @returns a sentence that says why it is none
 */
export function findBackend(target: Target, upstreams: Upstreams, findings: Findings): Backend | string {
  const { scheme, authority, hostLiteral } = target;
  const named = splitPort(authority);
  const upstream = upstreams.get(authority) ?? upstreams.get(named.host);
  const servers = upstream === undefined ? [named] : serversOf(upstream);
  const [first] = servers;
  if (first === undefined) return "its upstream has no server that is an address or a name";
  const names = [hostLiteral === null ? "" : splitPort(hostLiteral).host, first.host, named.host];
  const ossName = names.find((name) => isBucketHost(name));
  if (ossName === undefined) return customDomain(target, first, names);
  const bucket = parseOssHost(ossName)?.bucket ?? "";
  if (!BUCKET_NAME.test(bucket)) return `${bucket} is no name of a bucket`;
  if (upstream !== undefined) reportServers(upstream, servers, bucket, findings);
  const port = first.port ?? (scheme === "https" ? 443 : 80);
  const addresses = [...new Set(servers.flatMap(({ host }) => (isIP(host) === 0 ? [] : [host])))];
  const refused = addresses.find((address) => parseUpstreamIp(address) instanceof Refusal);
  if (refused !== undefined) return `${refused} is no address that OSS can have`;
  const connectName = isIP(first.host) === 0 ? ofBucket(first.host, bucket) : ossName;
  return {
    bucket,
    addresses,
    isGuess: false,
    hostName: ossName,
    ...endpointOf({ scheme, port, bucket, connectName, ossName }),
  };
}

/** OSS picks the bucket by Host; the name that is connected to may be another bucket's of the same endpoint. */
function ofBucket(host: string, bucket: string): string {
  const other = parseOssHost(host)?.bucket ?? null;
  return other === null || other === bucket ? host : `${bucket}.${host.slice(other.length + 1)}`;
}

function isBucketHost(name: string): boolean {
  return (parseOssHost(name)?.bucket ?? null) !== null;
}

interface Connection {
  readonly scheme: "http" | "https";
  readonly port: number;
  readonly bucket: string;
  /** What is connected to. */
  readonly connectName: string;
  /** The bucket's host name. */
  readonly ossName: string;
}

/** A kind where one gives exactly this host and port, else a URL. */
function endpointOf({
  scheme,
  port,
  bucket,
  connectName,
  ossName,
}: Connection): Pick<Backend, "region" | "endpoint" | "tls"> {
  const connected = parseOssHost(connectName);
  const region = (connected ?? parseOssHost(ossName))?.region ?? null;
  const full = connected !== null && connected.bucket === null ? `${bucket}.${connectName}` : connectName;
  const hasDefaultPort = port === (scheme === "https" ? 443 : 80);
  const kind = ENDPOINT_KINDS.find((name) => hostOfKind(name, bucket, region) === full);
  if (kind !== undefined && hasDefaultPort) {
    return {
      region: kind === "accelerate" ? undefined : (region ?? undefined),
      endpoint: kind,
      tls: scheme === "https" ? undefined : false,
    };
  }
  const url = `${scheme}://${connectName}${hasDefaultPort ? "" : `:${port}`}`;
  const isKnown = region !== null && (connected === null || isEndpointOf(region, connectName));
  return { region: isKnown ? region : undefined, endpoint: url, tls: undefined };
}

function hostOfKind(kind: (typeof ENDPOINT_KINDS)[number], bucket: string, region: string | null): string | null {
  if (kind !== "accelerate" && region === null) return null;
  return endpointHost({ bucket, region, endpoint: kind });
}

/** A name that is none of OSS's may be a domain that is bound to a bucket; an address or a machine's name is not. */
function customDomain({ scheme, authority }: Target, first: HostPort, names: readonly string[]): Backend | string {
  const service = names.find((name) => parseOssHost(name) !== null);
  if (service !== undefined)
    return `${service} names no bucket, and OSS takes none from the path (403 SecondLevelDomainForbidden): write the bucket's own host name`;
  const isName = first.host.includes(".") && isIP(first.host) === 0 && typeof parseBoundDomain(first.host) === "string";
  if (!isName) return `${authority} is no endpoint of OSS: keep NGINX for it`;
  const port = first.port === null ? "" : `:${first.port}`;
  const endpoint = `${scheme}://${first.host}${port}`;
  return {
    bucket: UNKNOWN_BUCKET,
    region: undefined,
    endpoint,
    tls: undefined,
    addresses: [],
    hostName: first.host,
    isGuess: true,
  };
}

function splitPort(text: string): HostPort {
  const match = /^(.*?)(?::(\d{1,5}))?$/s.exec(text.toLowerCase());
  const port = match?.[2] === undefined ? null : Number(match[2]);
  return { host: (match?.[1] ?? "").replace(/^\[|\]$/g, "").replace(/\.$/, ""), port };
}

/** The servers that are in use, in their order; those that only wait for others to fail come last. */
function serversOf({ block }: Directive): readonly HostPort[] {
  const servers = (block ?? []).filter(
    ({ name, args }) => name === "server" && args.length > 0 && !args.includes("down"),
  );
  const inUse = servers.filter(({ args }) => !args[0]?.startsWith("unix:"));
  return inUse
    .toSorted((a, b) => Number(a.args.includes("backup")) - Number(b.args.includes("backup")))
    .map(({ args }) => splitPort(args[0] ?? ""));
}

function reportServers({ block }: Directive, servers: readonly HostPort[], bucket: string, findings: Findings): void {
  for (const directive of block ?? []) {
    if (directive.name !== "server") continue;
    const { host } = splitPort(directive.args[0] ?? "");
    const other = parseOssHost(host)?.bucket;
    if (directive.args.includes("down")) findings.taken(directive, "it is down, and left out");
    else if (host.startsWith("unix:")) findings.unsupported(directive, "no unix sockets");
    else if (other !== undefined && other !== null && other !== bucket)
      findings.unsupported(directive, "one route has one bucket: give this one a route of its own");
    else if (isIP(host) !== 0) findings.taken(directive, `buckets.*.dns.addresses${options(directive)}`);
    else if (host === servers[0]?.host) findings.taken(directive, `buckets.*.endpoint${options(directive)}`);
    else
      findings.unsupported(
        directive,
        "a bucket has one endpoint; all its addresses are used, and failing ones are set aside",
      );
  }
}

function options({ args }: Directive): string {
  return args.length > 1
    ? `; ${args.slice(1).join(" ")} is not needed: names are looked up as they change, failing addresses set aside`
    : "";
}
