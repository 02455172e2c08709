import { randomBytes } from "node:crypto";
import { isIPv6 } from "node:net";
import { formatSocketAddress, parseSocketAddress } from "../config/address.js";
import type { GatewayConfig, SocketAddress } from "../config/gateway-config.js";
import { formatProblem, readConfig } from "../config/read-config.js";
import { Refusal } from "../config/refusal.js";
import { type OssCredentials, Secret } from "../core/secret.js";
import { encodePath } from "../core/target.js";
import { createEmulator, type Emulator } from "../emulator/index.js";
import { LinkSigner } from "../policy/link-token.js";
import { GatewayProcess } from "../process/gateway-process.js";
import { untilStopped } from "../process/signals.js";
import { presignV1Url, presignV4Url } from "../signing/sign.js";
import { readArguments } from "./arguments.js";
import { DEMO, fillDemoBuckets } from "./demo-objects.js";
import { EXIT } from "./exit-codes.js";

const HELP = `Usage: ossgate demo [--listen ADDRESS] [--emulator ADDRESS]
                    [--admin ADDRESS] [--access-log]

Starts an OSS emulator with sample objects and a gateway before it, and prints
lines to try. Ctrl-C ends it. An ADDRESS is ip:port; port 0 takes a free one.

  --listen ADDRESS     where the gateway listens (127.0.0.1:8080)
  --emulator ADDRESS   where the emulator listens (127.0.0.1:9090)
  --admin ADDRESS      where the metrics are (127.0.0.1:9180)
  --access-log         print the access log
  -h, --help           print this
`;

interface DemoOptions {
  readonly emulator: SocketAddress;
  readonly listen: SocketAddress;
  readonly admin: SocketAddress;
  readonly accessLog: boolean;
}

const LINK_SECRET_VARIABLE = "OSSGATE_DEMO_LINK_SECRET";

/** `ossgate demo`; resolves with the exit status when it has been stopped. */
export async function demo(args: readonly string[], version: string): Promise<number> {
  const options = parseDemoArgs(args);
  if (typeof options === "number") return options;
  const credentials: OssCredentials = {
    accessKeyId: "ossgate-demo-key",
    accessKeySecret: new Secret(randomBytes(24).toString("hex")),
  };
  const linkSecret = new Secret(randomBytes(24).toString("hex"));
  // Where the demo's configuration says that they are.
  process.env.OSS_ACCESS_KEY_ID = credentials.accessKeyId;
  process.env.OSS_ACCESS_KEY_SECRET = credentials.accessKeySecret.reveal();
  process.env[LINK_SECRET_VARIABLE] = linkSecret.reveal();
  const emulator = await startEmulator(options.emulator, credentials);
  const gateway = await startGateway(options, emulator, version);
  const [listen] = gateway.addresses.values();
  const places: Places = {
    emulator: emulator.url,
    listen: { ...options.listen, port: listen?.port ?? options.listen.port },
    admin: { ...options.admin, port: gateway.adminAddress?.port ?? options.admin.port },
  };
  // Before anybody can read that it serves: a signal from then on ends it in order.
  const stopped = untilStopped(gateway, () => emulator.close());
  process.stdout.write(welcome(places, { credentials, linkSecret }, Date.now()));
  return stopped;
}

async function startEmulator(address: SocketAddress, credentials: OssCredentials): Promise<Emulator> {
  const emulator = createEmulator();
  emulator.addCredentials(credentials);
  fillDemoBuckets(emulator);
  await emulator.listen(address.port, address.host).catch((cause: NodeJS.ErrnoException) => {
    const where = formatSocketAddress(address);
    const inUse = "another program listens there already; stop it or choose another port with --emulator";
    const why = cause.code === "EADDRINUSE" ? inUse : cause.message;
    throw new Error(`the emulator: cannot listen on ${where}: ${why}`, { cause });
  });
  return emulator;
}

async function startGateway(options: DemoOptions, emulator: Emulator, version: string): Promise<GatewayProcess> {
  try {
    const gateway = new GatewayProcess({ config: demoConfig(options, emulator.port), version });
    await gateway.start();
    return gateway;
  } catch (error) {
    await emulator.close();
    throw error;
  }
}

function parseDemoArgs(args: readonly string[]): DemoOptions | number {
  try {
    const read = readArguments({
      args: [...args],
      options: {
        emulator: { type: "string", default: "127.0.0.1:9090" },
        listen: { type: "string", default: "127.0.0.1:8080" },
        admin: { type: "string", default: "127.0.0.1:9180" },
        "access-log": { type: "boolean", default: false },
        help: { type: "boolean", short: "h" },
      },
    });
    if (typeof read === "string") throw new Error(read);
    const { values } = read;
    if (values.help === true) {
      process.stdout.write(HELP);
      return EXIT.good;
    }
    return {
      emulator: parseAddress("--emulator", values.emulator),
      listen: parseAddress("--listen", values.listen),
      admin: parseAddress("--admin", values.admin),
      accessLog: values["access-log"],
    };
  } catch (error) {
    process.stderr.write(`ossgate demo: ${(error as Error).message}\n\n${HELP}`);
    return EXIT.usage;
  }
}

function parseAddress(flag: string, text: string): SocketAddress {
  const address = parseSocketAddress(text);
  if (!(address instanceof Refusal)) return address;
  const hint = address.hint === "" ? "" : ` ${address.hint}`;
  throw new Error(`${flag}: expected ${address.expected}, found ${JSON.stringify(text)}.${hint}`);
}

/** The demo's gateway, as the file that one would write for it. */
export function demoYaml({ emulator, listen, admin, accessLog }: DemoOptions): string {
  const upstream = formatSocketAddress({ host: reachable(emulator.host), port: emulator.port });
  return `listeners:
  - { name: web, address: "${formatSocketAddress(listen)}" }
admin: { address: "${formatSocketAddress(admin)}" }
log: { level: warn, access: { format: ${accessLog ? "json" : "off"} } }
credentials:
  demo: { type: env }
buckets:
  demo:
    bucket: ${DEMO.bucket}
    region: ${DEMO.region}
    domains: [${DEMO.domain}]
    endpoint: "http://${upstream}"
  archive:
    bucket: ${DEMO.archive}
    region: ${DEMO.region}
    endpoint: "http://${upstream}"
routes:
  - name: by-address
    match: { hosts: ["${urlHost(listen.host)}", localhost] }
    bucket: demo
    methods: [GET, HEAD, PUT, POST, DELETE]
  - name: by-domain
    match: { hosts: [${DEMO.domain}] }
    bucket: demo
    hostHeader: client
  - name: path-style
    match: { hosts: [${DEMO.sdkName}] }
    buckets: [demo, archive]
    methods: [GET, HEAD, PUT, POST, DELETE]
  - name: ${DEMO.linkRoute}
    match: { hosts: [${DEMO.linkName}] }
    bucket: archive
    auth: sign
    sign: { credentials: demo }
    allow: { links: { secret: { env: ${LINK_SECRET_VARIABLE} } } }
`;
}

function demoConfig(options: DemoOptions, emulatorPort: number): GatewayConfig {
  const emulator = { ...options.emulator, port: emulatorPort };
  const result = readConfig(demoYaml({ ...options, emulator }), "demo");
  if (result.ok) return result.config;
  throw new Error(result.problems.map((problem) => formatProblem(problem)).join("\n"));
}

/** Where one goes to reach what listens on every address. */
function reachable(host: string): string {
  if (host === "0.0.0.0") return "127.0.0.1";
  return host === "::" ? "::1" : host;
}

const urlHost = (host: string): string => (isIPv6(reachable(host)) ? `[${reachable(host)}]` : reachable(host));

/** Where the demo's parts listen, with the ports that they got. */
interface Places {
  readonly emulator: string;
  readonly listen: SocketAddress;
  readonly admin: SocketAddress;
}

interface Secrets {
  readonly credentials: OssCredentials;
  readonly linkSecret: Secret;
}

const HOUR_SECONDS = 3_600;

function welcome({ listen, emulator, admin }: Places, { credentials, linkSecret }: Secrets, nowMs: number): string {
  const { port } = listen;
  const byAddress = `http://${urlHost(listen.host)}:${port}`;
  const byDomain = `http://${DEMO.domain}:${port}`;
  const byPath = `http://${DEMO.sdkName}:${port}`;
  const adminUrl = `http://${urlHost(admin.host)}:${admin.port}`;
  const resolve = (name: string): string => `--resolve ${name}:${port}:${urlHost(listen.host)}`;
  const expires = Math.trunc(nowMs / 1_000) + HOUR_SECONDS;
  const presign = (method: string, bucket: string, key: string): string =>
    presignV1Url({ method, bucket, key, query: [], headers: [] }, credentials, expires);
  const v4 = presignV4Url(
    { method: "GET", bucket: DEMO.bucket, key: DEMO.privateKey, query: [], headers: [] },
    credentials,
    { nowMs, region: DEMO.region, expiresSeconds: HOUR_SECONDS },
  );
  const byLink = `http://${DEMO.linkName}:${port}`;
  const claims = { isPrefix: false, scope: null, client: null, method: "GET", parameters: [] };
  const link = new LinkSigner(linkSecret, DEMO.linkRoute).sign({
    ...claims,
    path: "/hello.txt",
    expiresSeconds: expires,
  });
  return `
ossgate serves ${byAddress}, and behind it is an OSS emulator at ${emulator}.
Paste the lines into another terminal; Ctrl-C here ends the demo.

By address; OSS sees the bucket's own name in Host:
  curl -i ${byAddress}/hello.txt
  curl -i ${byAddress}/${encodePath(DEMO.chineseKey)}

By custom domain, and a page with an image for the browser:
  curl -i ${resolve(DEMO.domain)} ${byDomain}/hello.txt
  ${byDomain}/index.html

16 bytes of an 8 MiB object (206):
  curl -i -r 0-15 ${byAddress}/big.bin

A private object: without a signature OSS refuses it (403), ...
  curl -i ${byAddress}/${DEMO.privateKey}
... with a URL presigned for one hour, V1 or V4, it is read (200), also by this address:
  curl -i '${byAddress}/${DEMO.privateKey}?${presign("GET", DEMO.bucket, DEMO.privateKey)}'
  curl -i '${byAddress}/${DEMO.privateKey}?${v4}'

Writing with a presigned PUT, and reading what was written:
  echo 'Written through ossgate.' | curl -i -T - '${byAddress}/${DEMO.uploadKey}?${presign("PUT", DEMO.bucket, DEMO.uploadKey)}'
  curl -i ${byAddress}/${DEMO.uploadKey}

Path style, for SDKs whose endpoint is an address: the first segment names the bucket, signatures stay valid:
  curl -i ${resolve(DEMO.sdkName)} ${byPath}/${DEMO.bucket}/hello.txt
  curl -i ${resolve(DEMO.sdkName)} '${byPath}/${DEMO.archive}/hello.txt?${presign("GET", DEMO.archive, "hello.txt")}'

A private bucket that the gateway signs for: closed without a link (403), open with one, and no OSS signature in it:
  curl -i ${resolve(DEMO.linkName)} ${byLink}/hello.txt
  curl -i ${resolve(DEMO.linkName)} '${byLink}/hello.txt?${link}'

Numbers for Prometheus:
  curl -s ${adminUrl}/metrics | grep ^ossgate_requests_total
What goes on, for the browser:
  ${adminUrl}/status

`;
}
