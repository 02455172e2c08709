import type { Runtime } from "../route/runtime.js";
import type { ProcessReport } from "../telemetry/process-report.js";

/** What a process says of the configuration that it serves by. */
export function reportOf(runtime: Runtime): Pick<ProcessReport, "upstreams" | "credentials" | "sharedUp"> {
  return {
    upstreams: upstreamGauges(runtime),
    credentials: credentialsGauges(runtime),
    sharedUp: runtime.budgets.isSharedUp,
  };
}

/** Why it is not ready, in words. */
export function problemsOf(runtime: Runtime): string[] {
  const nowMs = Date.now();
  const upstreams = [...runtime.upstreams]
    .filter(([, upstream]) => upstream.addresses.length === 0)
    .map(([alias, upstream]) => `bucket ${alias}: no address is known for ${upstream.options.host}`);
  const credentials = [...runtime.credentials.values()]
    .filter((source) => source.current(nowMs) === null)
    .map(({ name }) => {
      const cause = runtime.credentialsFailure(name);
      return `credentials ${name}: there are no valid ones${cause === undefined ? "" : `: ${cause}`}`;
    });
  return [...upstreams, ...credentials];
}

function upstreamGauges(runtime: Runtime): ProcessReport["upstreams"] {
  const nowMs = performance.now();
  return [...runtime.upstreams].map(([id, upstream]) => ({
    id,
    addresses: upstream.addresses.length,
    setAside: upstream.setAsideCount(nowMs),
    inFlight: upstream.inFlight,
    clockSkewMs: runtime.clocks.get(id)?.skewMs ?? null,
    pools: upstream.health(nowMs),
  }));
}

function credentialsGauges(runtime: Runtime): ProcessReport["credentials"] {
  const nowMs = Date.now();
  return [...runtime.credentials.values()].map((source) => {
    const current = source.current(nowMs);
    return { name: source.name, isValid: current !== null, expiresAtMs: current?.expiresAtMs ?? null };
  });
}
