import type { Test } from "tap";
import { createEmulator, type Emulator, type EmulatorOptions } from "../../../src/emulator/index.js";
import { startEmulator, startGateway, type TestGateway } from "../../support/gateway.js";
import { clientsGone } from "./sockets.js";

export const HOST = "files.test";
export const OSS_HOST = "examplebucket.oss-cn-beijing.aliyuncs.com";

type Options = Readonly<Record<string, unknown>>;

/** What a configuration says beyond the one bucket and the one route that all fault tests use. */
export interface GatewayOptions {
  /** Scheme, host and port of the upstream. */
  readonly endpoint: string;
  readonly bucket?: Options;
  readonly limits?: Options;
  readonly route?: Options;
}

export interface Rig {
  readonly emulator: Emulator;
  readonly gw: TestGateway;
}

/** The text of a configuration; JSON is YAML. */
export function configText({ endpoint, bucket, limits, route }: GatewayOptions): string {
  return JSON.stringify({
    listeners: [{ name: "web", address: "127.0.0.1:0" }],
    admin: { address: "127.0.0.1:0" },
    limits: { ...limits },
    buckets: { media: { bucket: "examplebucket", region: "cn-beijing", endpoint, ...bucket } },
    routes: [
      {
        name: "files",
        match: { hosts: [HOST] },
        bucket: "media",
        methods: ["GET", "HEAD", "PUT", "POST", "DELETE"],
        ...route,
      },
    ],
  });
}

/** Adds the bucket that everybody may read and write, with one small object. */
export function fill(emulator: Emulator): Emulator {
  emulator.addBucket({ name: "examplebucket", region: "cn-beijing", acl: "public-read-write" });
  emulator.putObject("examplebucket", "hello.txt", "hello");
  return emulator;
}

/** An emulator with a bucket, and a gateway before it; both end with the test. */
export async function startRig(
  t: Test,
  { emulator: emulatorOptions, ...options }: Omit<GatewayOptions, "endpoint"> & { emulator?: EmulatorOptions } = {},
): Promise<Rig> {
  const emulator = fill(await startEmulator(t, emulatorOptions));
  const gw = await startGateway(t, configText({ endpoint: emulator.url, ...options }));
  return { emulator, gw };
}

/** Emulators on addresses of one port, with the same bucket; port 0 takes one that is free at the first address. */
export async function startAt(
  t: Test,
  hosts: readonly string[],
  options: EmulatorOptions = {},
  port = 0,
): Promise<Emulator[]> {
  const emulators: Emulator[] = [];
  for (const host of hosts) {
    const emulator = fill(createEmulator(options));
    await emulator.listen(emulators[0]?.port ?? port, host);
    t.teardown(() => emulator.close());
    emulators.push(emulator);
  }
  return emulators;
}

/** The second check of a fault: the access log names the status and the code, and the code is counted once. */
export async function checkLogged(
  t: Test,
  gw: TestGateway,
  expected: { readonly status: number; readonly error?: string; readonly origin?: "client" | "upstream" | "gateway" },
): Promise<void> {
  const { status, error, origin = "upstream" } = expected;
  const entry = await gw.logged((line) => line.error === error && line.status === status);
  t.equal(entry.route, "files");
  if (error === undefined) return;
  t.equal(await gw.metric(`ossgate_errors_total{route="files",code="${error}",origin="${origin}"}`), 1);
}

/** The third check of a fault: nothing is in flight, and no socket is left on either side. */
export async function checkQuiet(t: Test, { emulator, gw }: Rig): Promise<void> {
  await clientsGone(gw.port);
  await emulator.until(() => emulator.requestsInFlight() === 0);
  checkGauges(t, gw);
  await gw.gateway.stop(0);
  await emulator.until(() => emulator.openSockets() === 0);
}

/** All gauges of a gateway whose clients have gone. */
export function checkGauges(t: Test, { gateway }: TestGateway): void {
  t.equal(gateway.stats.openConnections, 0, "no client connection is counted");
  for (const route of gateway.stats.routes.values()) t.equal(route.inFlight, 0, `nothing in flight on ${route.route}`);
  for (const [alias, upstream] of gateway.runtime.upstreams)
    t.equal(upstream.inFlight, 0, `nothing in flight to ${alias}`);
}
