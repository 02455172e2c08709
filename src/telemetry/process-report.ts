import type { AddressGauges, CredentialsGauges, UpstreamGauges } from "./metrics-gauges.js";

/** One certificate that clients are shown. */
export interface CertificateGauges {
  readonly listener: string;
  /** The names and addresses it is for, as they stand in it. */
  readonly names: readonly string[];
  /** Where it was read. */
  readonly file: string;
  /** Unix milliseconds. */
  readonly notAfterMs: number;
  /** Why what the files have now is not shown, or could not be read; `null`: it is shown. */
  readonly problem: string | null;
}

/** What a process that serves says of itself; plain values, for they travel between processes. */
export interface ProcessReport {
  /** From 1; 1 where there are no workers. */
  readonly worker: number;
  readonly pid: number;
  /** Of the program and of Node, as the process was started; absent: not known. */
  readonly version?: string;
  readonly node?: string;
  /** Which configuration it serves, from 1. */
  readonly generation: number;
  readonly upstreams: readonly UpstreamGauges[];
  readonly credentials: readonly CredentialsGauges[];
  readonly certificates: readonly CertificateGauges[];
  /** Whether the server of shared limits answers; `null`: no limit is shared. */
  readonly sharedUp: boolean | null;
  /** Why it is not ready, in words; empty when it is. */
  readonly problems: readonly string[];
  /** Of the event loop since the last report. */
  readonly eventLoopLagMs: { readonly p99: number; readonly max: number };
  readonly rssBytes: number;
  readonly heapUsedBytes: number;
  /** Seconds of CPU since the process began. */
  readonly cpuSeconds: number;
}

/** The upstreams of the whole: what is known of addresses is alike in all processes, what runs is added up. */
export function mergeUpstreams(reports: readonly ProcessReport[]): readonly UpstreamGauges[] {
  const merged = new Map<string, UpstreamGauges>();
  for (const next of reports.flatMap(({ upstreams }) => upstreams)) {
    const known = merged.get(next.id);
    merged.set(next.id, known === undefined ? next : mergeUpstream(known, next));
  }
  return [...merged.values()];
}

function mergeUpstream(a: UpstreamGauges, b: UpstreamGauges): UpstreamGauges {
  return {
    ...a,
    addresses: Math.max(a.addresses, b.addresses),
    setAside: Math.max(a.setAside, b.setAside),
    inFlight: a.inFlight + b.inFlight,
    clockSkewMs: a.clockSkewMs ?? b.clockSkewMs,
    pools: mergePools(a.pools ?? [], b.pools ?? []),
  };
}

/** What one process has set aside is of interest, whatever the others know. */
function mergePools(a: readonly AddressGauges[], b: readonly AddressGauges[]): readonly AddressGauges[] {
  const merged = new Map(a.map((pool) => [pool.address, pool]));
  for (const next of b) {
    const known = merged.get(next.address);
    const isSetAside = next.isSetAside || known?.isSetAside === true;
    merged.set(next.address, { ...next, isSetAside, inFlight: next.inFlight + (known?.inFlight ?? 0) });
  }
  return [...merged.values()];
}

/** The credentials of the whole: as good as those of the process that is worst off. */
export function mergeCredentials(reports: readonly ProcessReport[]): readonly CredentialsGauges[] {
  const merged = new Map<string, CredentialsGauges>();
  for (const next of reports.flatMap(({ credentials }) => credentials)) {
    const known = merged.get(next.name);
    if (known === undefined || isWorse(next, known)) merged.set(next.name, next);
  }
  return [...merged.values()];
}

function isWorse(a: CredentialsGauges, b: CredentialsGauges): boolean {
  if (a.isValid !== b.isValid) return !a.isValid;
  return (a.expiresAtMs ?? Number.POSITIVE_INFINITY) < (b.expiresAtMs ?? Number.POSITIVE_INFINITY);
}

/** Until when a listener has a valid certificate for a name. */
export interface NameExpiry {
  readonly listener: string;
  readonly name: string;
  /** Unix milliseconds. */
  readonly notAfterMs: number;
}

/** By listener and name, the first to expire: in the process that is worst off, of all certificates for the name. */
export function mergeCertificates(reports: readonly ProcessReport[]): readonly NameExpiry[] {
  const merged = new Map<string, NameExpiry>();
  for (const { listener, names, notAfterMs } of reports.flatMap(({ certificates }) => certificates)) {
    for (const name of names) {
      const key = `${listener}/${name}`;
      const known = merged.get(key);
      if (known === undefined || notAfterMs < known.notAfterMs) merged.set(key, { listener, name, notAfterMs });
    }
  }
  return [...merged.values()];
}

/** By listener and file: whether every process shows what the file has now. */
export function mergeCertificateFiles(
  reports: readonly ProcessReport[],
): readonly { readonly listener: string; readonly file: string; readonly isShown: boolean }[] {
  const merged = new Map<string, { readonly listener: string; readonly file: string; readonly isShown: boolean }>();
  for (const { listener, file, problem } of reports.flatMap(({ certificates }) => certificates)) {
    const key = `${listener}/${file}`;
    merged.set(key, { listener, file, isShown: problem === null && merged.get(key)?.isShown !== false });
  }
  return [...merged.values()];
}

/** Whether every process that shares limits reaches their server; `null`: none shares. */
export function mergeSharedUp(reports: readonly ProcessReport[]): boolean | null {
  const shared = reports.flatMap(({ sharedUp }) => (sharedUp === null ? [] : [sharedUp]));
  return shared.length === 0 ? null : shared.every((isUp) => isUp);
}

/** Why the whole is not ready: what each says, once. */
export function mergeProblems(reports: readonly ProcessReport[]): readonly string[] {
  return [...new Set(reports.flatMap(({ problems }) => problems))];
}
