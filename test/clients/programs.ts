import { execFile, spawnSync } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Emulator } from "../../src/emulator/index.js";
import { startEmulator, startGateway, type Teardown, type TestGateway } from "../support/gateway.js";
import { BUCKET, REGION } from "./ali-oss.js";
import { DOMAIN } from "./world.js";

/** What a program that ran to its end left behind. */
export interface Ran {
  readonly code: number;
  readonly stdout: Buffer;
  readonly stderr: string;
}

/** Test options: skips with a message where the program is absent. */
export function needs(program: string, debianPackage: string): { readonly skip?: string } {
  const isThere = spawnSync(program, ["--version"]).status === 0;
  return isThere ? {} : { skip: `${program} is not installed (apt-get install ${debianPackage})` };
}

/** Runs a program to its end; no proxy of this machine comes between it and the gateway. */
export function runProgram(program: string, args: readonly string[], input?: string | Buffer): Promise<Ran> {
  return new Promise((resolve) => {
    const options = { encoding: "buffer", maxBuffer: 64 * 1024 * 1024, env: { PATH: process.env.PATH } } as const;
    const child = execFile(program, args, options, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr: stderr.toString() });
    });
    // A client that is refused may end before it has read all.
    child.stdin?.on("error", () => {});
    child.stdin?.end(input ?? "");
  });
}

/** curl without progress and without this machine's own settings. */
export const curl = (args: readonly string[], input?: string | Buffer): Promise<Ran> =>
  runProgram("curl", ["--disable", "--silent", "--show-error", ...args], input);

/** A directory that goes with the test. */
export async function temporaryDirectory(t: Teardown): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "ossgate-"));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

/**
 * A bucket that everybody may read and write, by the gateway's address and by its domain.
 * @param listener further keys of the listener, in YAML's flow style
 */
export async function startOpenWorld(
  t: Teardown,
  listener = "",
): Promise<{ readonly emulator: Emulator; readonly gateway: TestGateway }> {
  const emulator = await startEmulator(t);
  emulator.addBucket({ name: BUCKET, region: REGION, acl: "public-read-write", domains: [DOMAIN] });
  emulator.addBucket({ name: "closedbucket", region: REGION });
  const gateway = await startGateway(
    t,
    `
listeners: [{ name: web, address: "127.0.0.1:0"${listener === "" ? "" : `, ${listener}`} }]
admin: { address: "127.0.0.1:0" }
buckets:
  open: { bucket: ${BUCKET}, region: ${REGION}, domains: [${DOMAIN}], endpoint: "${emulator.url}" }
  closed: { bucket: closedbucket, region: ${REGION}, endpoint: "${emulator.url}" }
routes:
  - { name: open, match: { hosts: [127.0.0.1] }, bucket: open, methods: [GET, HEAD, PUT, DELETE] }
  - { name: domain, match: { hosts: [${DOMAIN}] }, bucket: open, hostHeader: client }
  - { name: closed, match: { hosts: [closed.localhost] }, bucket: closed, methods: [GET, HEAD, PUT] }
`,
  );
  return { emulator, gateway };
}
