import { randomBytes } from "node:crypto";
import { parseArgs } from "node:util";
import type { GatewayConfig } from "../config/gateway-config.js";
import { formatProblem, readConfig } from "../config/read-config.js";
import { type OssCredentials, Secret } from "../core/secret.js";
import { encodePath } from "../core/target.js";
import { createEmulator } from "../emulator/index.js";
import { GatewayProcess } from "../process/gateway-process.js";
import { untilStopped } from "../process/signals.js";
import { tuneGarbageCollector } from "../process/v8-tuning.js";
import { presignV1Url, presignV4Url } from "../signing/sign.js";
import { DEMO, fillDemoBuckets } from "./demo-objects.js";
import { EXIT } from "./exit-codes.js";

const HELP = `Usage: ossgate demo [--emulator ADDRESS] [--listen ADDRESS] [--admin ADDRESS] [--access-log]

Starts an OSS emulator with sample objects and a gateway before it, and prints lines to try. Ctrl-C ends it.

  --emulator ADDRESS   where the emulator listens (127.0.0.1:9090)
  --listen ADDRESS     where the gateway listens (127.0.0.1:8080)
  --admin ADDRESS      where metrics are (127.0.0.1:9180)
  --access-log         print the access log
`;

interface DemoOptions {
  readonly emulator: string;
  readonly listen: string;
  readonly admin: string;
  readonly accessLog: boolean;
}

/** `ossgate demo`; resolves with the exit status when it has been stopped. */
export async function demo(args: readonly string[], version: string): Promise<number> {
  const options = parseDemoArgs(args);
  if (typeof options === "number") return options;
  const config = demoConfig(options);
  if (config === null) return EXIT.usage;
  const credentials: OssCredentials = {
    accessKeyId: "ossgate-demo-key",
    accessKeySecret: new Secret(randomBytes(24).toString("hex")),
  };
  const emulator = createEmulator();
  emulator.addCredentials(credentials);
  fillDemoBuckets(emulator);
  const [host, port] = splitAddress(options.emulator);
  await emulator.listen(port, host).catch((cause: NodeJS.ErrnoException) => {
    throw new Error(`cannot start the emulator on ${options.emulator}: ${cause.message}`, { cause });
  });
  tuneGarbageCollector();
  const gateway = new GatewayProcess({ config, version });
  try {
    await gateway.start();
  } catch (error) {
    await emulator.close();
    throw error;
  }
  process.stdout.write(welcome(options, credentials, Date.now()));
  return untilStopped(gateway, () => emulator.close());
}

function parseDemoArgs(args: readonly string[]): DemoOptions | number {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        emulator: { type: "string", default: "127.0.0.1:9090" },
        listen: { type: "string", default: "127.0.0.1:8080" },
        admin: { type: "string", default: "127.0.0.1:9180" },
        "access-log": { type: "boolean", default: false },
        help: { type: "boolean", short: "h" },
      },
    });
    if (values.help === true) {
      process.stdout.write(HELP);
      return EXIT.good;
    }
    return { ...values, accessLog: values["access-log"] };
  } catch (error) {
    process.stderr.write(`ossgate demo: ${(error as Error).message}\n\n${HELP}`);
    return EXIT.usage;
  }
}

/** The demo's gateway, as the file that one would write for it. */
export function demoYaml({ emulator, listen, admin, accessLog }: DemoOptions): string {
  const [host] = splitAddress(listen);
  return `listeners:
  - { name: web, address: "${listen}" }
admin: { address: "${admin}" }
log: { level: warn, access: { format: ${accessLog ? "json" : "off"} } }
buckets:
  demo:
    bucket: ${DEMO.bucket}
    region: ${DEMO.region}
    domains: [${DEMO.domain}]
    endpoint: "http://${emulator}"
  archive:
    bucket: ${DEMO.archive}
    region: ${DEMO.region}
    endpoint: "http://${emulator}"
routes:
  - name: by-address
    match: { hosts: ["${host}"] }
    bucket: demo
    methods: [GET, HEAD, PUT, POST, DELETE]
  - name: by-domain
    match: { hosts: [${DEMO.domain}] }
    bucket: demo
    hostHeader: client
  - name: path-style
    match: { hosts: [sdk.localhost] }
    buckets: [demo, archive]
    methods: [GET, HEAD, PUT, POST, DELETE]
`;
}

function demoConfig(options: DemoOptions): GatewayConfig | null {
  const result = readConfig(demoYaml(options), "demo");
  if (result.ok) return result.config;
  for (const problem of result.problems) process.stderr.write(`${formatProblem(problem)}\n`);
  return null;
}

function splitAddress(address: string): [host: string, port: number] {
  const colon = address.lastIndexOf(":");
  return [address.slice(0, colon).replace(/^\[|\]$/g, ""), Number(address.slice(colon + 1))];
}

function welcome({ listen, emulator, admin }: DemoOptions, credentials: OssCredentials, nowMs: number): string {
  const [, port] = splitAddress(listen);
  const byAddress = `http://${listen}`;
  const byDomain = `http://${DEMO.domain}:${port}`;
  const byPath = `http://sdk.localhost:${port}`;
  const signV1 = (bucket: string, key: string): string =>
    presignV1Url(
      { method: "GET", bucket, key, query: [], headers: [] },
      credentials,
      Math.trunc(nowMs / 1_000) + 3_600,
    );
  const v4 = presignV4Url(
    { method: "GET", bucket: DEMO.bucket, key: DEMO.privateKey, query: [], headers: [] },
    credentials,
    { nowMs, region: DEMO.region, expiresSeconds: 3_600 },
  );
  return `
ossgate serves ${byAddress}
  before an OSS emulator at http://${emulator}, with metrics at http://${admin}/metrics

By address, whose Host is rewritten to the bucket's:
  curl -i ${byAddress}/hello.txt
  curl -i ${byAddress}/${encodePath(DEMO.chineseKey)}

By custom domain; open the page in a browser:
  curl -i --resolve ${DEMO.domain}:${port}:127.0.0.1 ${byDomain}/hello.txt
  ${byDomain}/index.html

A range of an 8 MiB object:
  curl -i -r 0-15 ${byAddress}/big.bin

A private object, refused without a signature, and read with a presigned URL made for the static address (1 h):
  curl -i ${byAddress}/${DEMO.privateKey}
  curl -i '${byAddress}/${DEMO.privateKey}?${signV1(DEMO.bucket, DEMO.privateKey)}'
  curl -i '${byAddress}/${DEMO.privateKey}?${v4}'

Path style, for SDKs whose endpoint is an address: the first segment is the bucket, and the signature stays valid:
  curl -i --resolve sdk.localhost:${port}:127.0.0.1 ${byPath}/${DEMO.bucket}/hello.txt
  curl -i --resolve sdk.localhost:${port}:127.0.0.1 '${byPath}/${DEMO.archive}/hello.txt?${signV1(DEMO.archive, "hello.txt")}'

Numbers:
  curl -s http://${admin}/metrics | grep ^ossgate_requests_total

Ctrl-C ends it.
`;
}
