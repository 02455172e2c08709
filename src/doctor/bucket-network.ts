import { isIP } from "node:net";
import { endpointHost, endpointPort } from "../config/endpoint.js";
import type { BucketConfig } from "../config/gateway-config.js";
import { readCaFile } from "../route/ca-file.js";
import { Resolver } from "../transport/resolver.js";
import { judgeAddress } from "./addresses.js";
import { inWords, type Report } from "./finding.js";
import { type Connected, connectTo, type Place, ProbeError } from "./probe.js";
import { within } from "./within.js";

/** Of one name; more would tell nothing new. */
const MAX_ADDRESSES = 8;
const SLOW_CONNECT_MS = 1_000;
const SOON_MS = 7 * 86_400_000;

/** Name, connection and TLS of a bucket's endpoint. @returns where requests can go; `null`: nowhere */
export async function examineNetwork(report: Report, bucket: BucketConfig, timeoutMs: number): Promise<Place | null> {
  const host = endpointHost(bucket);
  const addresses = await resolve(report, bucket, { host, timeoutMs });
  const ca = readCa(bucket);
  const places = addresses.slice(0, MAX_ADDRESSES).map((address): Place => {
    const servername = isIP(host) === 0 ? host : "";
    return { address, port: endpointPort(bucket), tls: bucket.tls, servername, ca, timeoutMs };
  });
  const tried = await Promise.all(places.map(tryPlace));
  const reached = tried.flatMap(({ place, connected }) => (connected === null ? [] : [{ place, connected }]));
  for (const { place, failure } of tried)
    if (failure !== null) reportFailure(report, place, failure, reached.length > 0);
  if (reached.length === 0) return null;
  for (const { place, connected } of reached) reportConnected(report, place, connected);
  return reached.find(({ connected: { tls } }) => tls?.problem == null)?.place ?? null;
}

async function resolve(
  report: Report,
  { dns }: BucketConfig,
  { host, timeoutMs }: { readonly host: string; readonly timeoutMs: number },
): Promise<readonly string[]> {
  let addresses: readonly string[] = [];
  let failure = `no answer within ${timeoutMs} ms`;
  const events = {
    onAddresses: (found: readonly string[]) => {
      addresses = found;
    },
    onLookUp: () => {},
    onFailure: (error: Error) => {
      failure = error.message;
    },
  };
  // The one that the gateway uses, with what the configuration says of it.
  const resolver = new Resolver({ host, ...dns }, events);
  const startMs = performance.now();
  resolver.start();
  await within(resolver.firstLookUp(), timeoutMs);
  resolver.close();
  const tookMs = Math.round(performance.now() - startMs);
  if (addresses.length === 0) {
    const by = dns.servers.length === 0 ? "this machine's resolver" : dns.servers.join(", ");
    const next = `Check the endpoint's name (region, bucket), and ask ${by} for it by hand (getent hosts, dig).`;
    report.add("broken", "name", `${host}: ${failure}`, next);
    return [];
  }
  const how = dns.addresses.length > 0 ? "pinned by dns.addresses" : `looked up in ${tookMs} ms`;
  report.ok("name", isIP(host) === 0 ? `${host} → ${addresses.join(", ")} (${how})` : `${host}, an address`);
  for (const address of addresses) {
    const { level, note, next } = judgeAddress(host, address);
    if (level !== "ok") report.add(level, "name", note, next);
  }
  return addresses;
}

/** A file that cannot be read is told among the files. */
function readCa({ alias, caFile }: BucketConfig): string | null {
  try {
    return caFile === null ? null : readCaFile(caFile, `buckets.${alias}.caFile`);
  } catch {
    return null;
  }
}

interface Tried {
  readonly place: Place;
  readonly connected: Connected | null;
  readonly failure: ProbeError | null;
}

async function tryPlace(place: Place): Promise<Tried> {
  try {
    return { place, connected: await connectTo(place), failure: null };
  } catch (error) {
    const failure = error instanceof ProbeError ? error : new ProbeError("FAILED", String(error));
    return { place, connected: null, failure };
  }
}

function reportFailure(
  report: Report,
  { address, port }: Place,
  { code, message }: ProbeError,
  areOthersUp: boolean,
): void {
  const isTls = code.startsWith("ERR_SSL") || code === "EPROTO";
  const next = isTls
    ? "What listens there speaks no TLS: check the endpoint's port and tls."
    : "Check security groups, routes and firewalls; an internal endpoint answers inside its region alone.";
  report.add(
    areOthersUp ? "warn" : "broken",
    isTls ? "TLS" : "connect",
    `${address}:${port}: ${message.includes(code) ? message : `${code}, ${message}`}`,
    next,
  );
}

function reportConnected(report: Report, { address, port }: Place, { connectMs, tls }: Connected): void {
  const took = `${address}:${port} in ${connectMs.toFixed(1)} ms`;
  if (connectMs < SLOW_CONNECT_MS) report.ok("connect", took);
  else
    report.add(
      "warn",
      "connect",
      took,
      "Each new connection takes so long: look at the network path, and at the region of the endpoint.",
    );
  if (tls === null) return;
  const leftMs = tls.notAfterMs - Date.now();
  if (tls.problem !== null) {
    const next =
      "The gateway would refuse it: check the endpoint's name, set caFile for an authority of your own, or look for a proxy on the way.";
    report.add("broken", "TLS", `${address}: ${tls.problem}`, next);
  } else if (leftMs < SOON_MS) {
    const next = "Tell whoever runs the endpoint: its certificate expires soon.";
    report.add("warn", "TLS", `${address}: ${tls.protocol}, expires in ${inWords(leftMs)}`, next);
  } else report.ok("TLS", `${address}: ${tls.protocol}, verified, good for ${inWords(leftMs)}`);
}
