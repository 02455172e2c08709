import type { AdminSource } from "../../src/server/admin-source.js";
import { History } from "../../src/telemetry/history.js";
import { Stats } from "../../src/telemetry/stats.js";

/** What an admin listener shows of a gateway that does nothing; what a test looks at is its own. */
export function adminSource(own: Partial<AdminSource> = {}): AdminSource {
  const stats = own.stats ?? new Stats();
  const unused = (): never => {
    throw new Error("this test's admin listener has no such thing");
  };
  return {
    metrics: async () => ({ contentType: "text/plain", body: "" }),
    collect: async () => [],
    stats,
    version: "0.0.0-test",
    problems: async () => [],
    tops: () => stats.tops(),
    config: unused,
    runtime: unused,
    reload: unused,
    upgrade: unused,
    issuer: null,
    state: {
      generation: 1,
      workersWanted: 1,
      workersServing: 1,
      isDraining: false,
      lastReload: null,
      configLoadedAtMs: 0,
    },
    history: new History(stats, 0),
    secrets: { bearer: null, reader: null },
    ...own,
  };
}
