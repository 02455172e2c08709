import type { ErrorCode } from "../core/errors.js";
import type { Logger } from "./log.js";

/**
 * What an operator does about a fault of the upstream's or the gateway's own, in one sentence: the field `next` of its
 * log line. A test holds this table to the codes of `core/errors.ts` whose origin is not the client.
 */
export const NEXT_STEPS: Partial<Record<ErrorCode, string>> = {
  INTERNAL: "This is a bug in ossgate: report it with this line.",
  UPSTREAM_NAME_NOT_RESOLVED:
    "Check buckets.endpoint and region, and whether this machine's resolver (or dns.servers) knows the name; 'ossgate doctor' asks it.",
  UPSTREAM_REFUSED:
    "Check that this machine may reach the address and port (security group, firewall, routes); an internal endpoint answers inside its region alone.",
  UPSTREAM_TLS:
    "The certificate did not prove the endpoint's name: check the endpoint, set caFile for an authority of your own, and look for a proxy on the way.",
  UPSTREAM_RESET:
    "The connection broke before an answer; if it lasts, look at the network between here and OSS and at limits of NAT gateways.",
  UPSTREAM_STALE_CONNECTION:
    "OSS closed an idle connection just then; if it lasts, something on the way cuts idle connections after less than 10 s.",
  UPSTREAM_BAD_RESPONSE:
    "What answers there does not speak HTTP as OSS does, or with too large a head: check that endpoint and tls lead to OSS itself.",
  UPSTREAM_TRUNCATED:
    "The answer ended before its length; if it lasts, look at the network between here and OSS, and for a proxy that limits sizes.",
  UPSTREAM_AUTH_FAILED:
    "See the line 'OSS refused a request' of the same request for the likely cause, and run 'ossgate doctor' for this route.",
  PLAYLIST_INVALID:
    "Look at the object: it is no playlist, is larger than what is rewritten, or was stored compressed; take it off the hls route otherwise.",
  CALLBACK_FORWARD_FAILED:
    "Check that the application of callback.forward runs, can be reached from here, and answers 200 with JSON within its timeout.",
  NO_CREDENTIALS:
    "Look for 'there are no valid credentials' above: its cause tells which source failed; 'ossgate doctor' fetches them once more.",
  CALLBACK_KEY_UNAVAILABLE:
    "Let this machine reach https://gosspublic.alicdn.com, where OSS's public key of callbacks is.",
  FORWARD_AUTH_UNAVAILABLE:
    "Check that the service of forwardAuth runs, can be reached from here, and answers within its timeout.",
  SHED: "The bucket is near its quota, and routes of lower priority make room: raise the quota at OSS, or spread the load.",
  GATEWAY_BUSY:
    "Raise the bucket's connections, add workers, or look why OSS answers slowly (upstreamMs in the access log).",
  UPSTREAM_CONNECT_TIMEOUT:
    "Nothing answers at that address: check security groups and routes, and that an internal endpoint is used inside its region alone.",
  UPSTREAM_HEADERS_TIMEOUT:
    "OSS took the request and did not answer within timeouts.headers; raise it for calls that take long, and look for throttling.",
  UPSTREAM_BODY_TIMEOUT:
    "OSS stopped in the middle of an answer for longer than timeouts.idle; if it lasts, look at the network and for throttling.",
};

/** The same for faults that are no request's; the key is what happened. */
export const NEXT_OF_EVENTS = {
  dnsFailed:
    "Check this machine's resolver (or dns.servers) and the endpoint's name; requests go to the last addresses meanwhile.",
  dnsUnknown:
    "Check the endpoint's name and this machine's resolver (or dns.servers); 'ossgate doctor' asks both and says what they answer.",
  addressSetAside:
    "Nothing, if it was once; if it comes again and again, look at the network path to that address. The other addresses serve meanwhile.",
  lastAddressFailed:
    "Check that this machine may reach the endpoint (security group, firewall, routes); 'ossgate doctor' tries each step. No other address can take over.",
  quotaReached:
    "Limit the busiest route (limits, or priority so that it gives way first), spread the load, or ask the vendor for a higher threshold.",
  quotaNear:
    "Find the busiest route (/status, ossgate_requests_total) and limit it, or ask the vendor for a higher threshold in time.",
  credentialsKept: "Repair the source before the last good ones expire (ossgate_credentials_expiry_seconds).",
  credentialsNone: "Repair the source that the cause names; 'ossgate doctor' fetches them once and says more.",
  clockOff: "Set this machine's clock (chrony, systemd-timesyncd).",
  certificateKept:
    "Look at the files that the cause names, and run the renewal by hand; they are taken as soon as they are in order.",
  certificateEnds:
    "Renew it: run certbot or acme.sh by hand and read what it says; new files are taken without a reload.",
  clockBeyond: "Set this machine's clock: no signature is valid until then.",
  passwordFileKept: "Repair the file; the passwords of before are in force meanwhile.",
  publicKeyFailed: "Let this machine reach https://gosspublic.alicdn.com, or upload callbacks cannot be checked.",
  sharedDown:
    "Check that the server of limits.shared runs and can be reached; each machine holds to its own share meanwhile.",
} as const;

/** What is done about an error answer of OSS's own. */
export function nextOfOssError(status: number): string {
  if (status === 503 || status === 429) {
    return "OSS throttles: spread the load, ask for a higher quota, or set quota and limits so that the gateway sheds first.";
  }
  return "If it lasts, ask the vendor's support with this ossRequestId.";
}

/** So many a second and no more. */
export class PerSecond {
  readonly #max: number;
  #second = 0;
  #taken = 0;

  constructor(max: number) {
    this.#max = max;
  }

  /** @param nowMs monotonic milliseconds */
  take(nowMs: number): boolean {
    const second = Math.floor(nowMs / 1_000);
    if (second !== this.#second) {
      this.#second = second;
      this.#taken = 0;
    }
    this.#taken += 1;
    return this.#taken <= this.#max;
  }
}

/** Lines of one kind are written once in so long; the next one says how many were not. */
export const REPEAT_MS = 60_000;
/** Kinds come from closed sets and from the configuration; a reload may bring new names. */
const MAX_KINDS = 4_096;

/** Keeps a fault that comes by the thousand from filling the log. */
export class RepeatedLines {
  /** Error documents of OSS's that are read aside: in a flood of refusals the first tell as much as all. */
  readonly readings = new PerSecond(100);
  /** Of them those whose signatures are compared, which costs more; the hostile send bad ones by the thousand. */
  readonly comparisons = new PerSecond(10);
  readonly #kinds = new Map<string, { sinceMs: number; suppressed: number }>();

  /**
   * @param kind what makes lines the same
   * @param nowMs monotonic milliseconds
   * @returns how many lines of the kind were not written since the last one; `null`: this one is not written either
   */
  take(kind: string, nowMs: number): number | null {
    const known = this.#kinds.get(kind);
    if (known !== undefined && nowMs - known.sinceMs < REPEAT_MS) {
      known.suppressed += 1;
      return null;
    }
    if (known === undefined && this.#kinds.size >= MAX_KINDS) this.#kinds.clear();
    this.#kinds.set(kind, { sinceMs: nowMs, suppressed: 0 });
    return known?.suppressed ?? 0;
  }
}

const ofLogs = new WeakMap<object, RepeatedLines>();

/** Those of one log, whatever generation of the configuration writes into it. */
export function repeatedLinesOf(log: Logger): RepeatedLines {
  const known = ofLogs.get(log);
  if (known !== undefined) return known;
  const made = new RepeatedLines();
  ofLogs.set(log, made);
  return made;
}

/**
 * Writes a line unless one of the kind was written within {@link REPEAT_MS}.
 * @param fields `route`, `bucket`, `cause`, `next` …; `suppressed` is added where lines were left out
 */
export function writeSeldom(
  log: Logger,
  level: "warn" | "error",
  kind: string,
  nowMs: number,
  fields: () => Readonly<Record<string, unknown>>,
  message: string,
): void {
  const suppressed = repeatedLinesOf(log).take(kind, nowMs);
  if (suppressed === null) return;
  log[level](suppressed === 0 ? fields() : { ...fields(), suppressed }, message);
}
