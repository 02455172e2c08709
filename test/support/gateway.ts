import { readConfig } from "../../src/config/read-config.js";
import { createEmulator, type Emulator } from "../../src/emulator/index.js";
import { GatewayProcess } from "../../src/process/gateway-process.js";
import type { ReloadOutcome } from "../../src/server/admin-source.js";
import type { AccessEntry } from "../../src/telemetry/access-log.js";
import { createLog } from "../../src/telemetry/log.js";

/** What a test needs of tap's `t`. */
export interface Teardown {
  teardown(undo: () => unknown): void;
}

/** A gateway in this process, on real sockets of free ports. */
export interface TestGateway {
  readonly gateway: GatewayProcess;
  /** `http://127.0.0.1:port` of the first listener. */
  readonly url: string;
  readonly port: number;
  readonly adminUrl: string;
  /** The access log's entries so far. */
  readonly accessLog: readonly AccessEntry[];
  /** Resolves with the first entry, past or coming, that the predicate takes. */
  logged(predicate: (entry: AccessEntry) => boolean): Promise<AccessEntry>;
  /** Takes the text of another configuration file; what it says of the log is left as it was. */
  reload(yaml: string): Promise<ReloadOutcome>;
  /** The metrics page. */
  metrics(): Promise<string>;
  /** The value of one metric line, `name{labels}` as it is printed; 0 when it is not there. */
  metric(nameAndLabels: string): Promise<number>;
}

/**
 * Starts a gateway from the text of a configuration file; it ends with the test.
 * @param yaml the address of listeners and admin should have port 0
 */
export async function startGateway(t: Teardown, yaml: string): Promise<TestGateway> {
  const result = readConfig(yaml, "test.yaml");
  if (!result.ok) throw new Error(result.problems.map((problem) => JSON.stringify(problem)).join("\n"));
  let text = yaml;
  const entries: AccessEntry[] = [];
  const waiting = new Set<(entry: AccessEntry) => void>();
  const gateway = new GatewayProcess({
    config: result.config,
    version: "0.0.0-test",
    log: createLog("silent"),
    reloadFrom: async () => readConfig(text, "test.yaml"),
    accessLog: {
      write(entry) {
        entries.push(entry);
        for (const look of waiting) look(entry);
      },
      close: async () => {},
    },
  });
  await gateway.start();
  t.teardown(() => gateway.stop(0));
  const [address] = gateway.addresses.values();
  const adminUrl = `http://127.0.0.1:${gateway.adminAddress?.port ?? 0}`;
  const metrics = async (): Promise<string> => (await fetch(`${adminUrl}/metrics`)).text();
  return {
    gateway,
    port: address?.port ?? 0,
    url: `http://127.0.0.1:${address?.port ?? 0}`,
    adminUrl,
    accessLog: entries,
    logged: (predicate) =>
      new Promise((resolve) => {
        const look = (entry: AccessEntry): void => {
          if (!predicate(entry)) return;
          waiting.delete(look);
          resolve(entry);
        };
        const past = entries.find(predicate);
        if (past !== undefined) resolve(past);
        else waiting.add(look);
      }),
    reload(next) {
      text = next;
      return gateway.reload();
    },
    metrics,
    metric: async (nameAndLabels) => {
      const line = (await metrics()).split("\n").find((text) => text.startsWith(`${nameAndLabels} `));
      return line === undefined ? 0 : Number(line.slice(nameAndLabels.length + 1));
    },
  };
}

/** An emulator on a free port with one key pair and one bucket; it ends with the test. */
export async function startEmulator(
  t: Teardown,
  options: Parameters<typeof createEmulator>[0] = {},
): Promise<Emulator> {
  const emulator = createEmulator(options);
  await emulator.listen();
  t.teardown(() => emulator.close());
  return emulator;
}
