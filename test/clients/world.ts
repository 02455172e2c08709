import { createHash } from "node:crypto";
import { Secret } from "../../src/core/secret.js";
import type { Emulator } from "../../src/emulator/index.js";
import { startEmulator, startGateway, type Teardown, type TestGateway } from "../support/gateway.js";
import { pairsOf, type TestAuthority } from "../support/tls-world.js";
import { BUCKET, KEYS, type OssClientOptions, OTHER_BUCKET, REGION, STS } from "./ali-oss.js";

/** An emulator and a gateway before it. */
export interface World {
  readonly emulator: Emulator;
  readonly gateway: TestGateway;
}

export const BUCKET_HOST = `${BUCKET}.oss-${REGION}.aliyuncs.com`;
export const DOMAIN = "img.localhost";
/** A name for SDKs that are told to use path style. */
export const SDK_NAME = "sdk.localhost";

const METHODS = "[GET, HEAD, PUT, POST, DELETE]";

const SDK_ROUTES = `
  - name: sdk
    match: { hosts: [127.0.0.1, ${SDK_NAME}] }
    buckets: [example, other]
    methods: ${METHODS}
  - name: domain
    match: { hosts: [${DOMAIN}] }
    bucket: example
    hostHeader: client
    methods: ${METHODS}
`;

// An SDK with an address as endpoint connects there and sends the bucket's own name, so the route has both.
const SINGLE_ROUTE = `
  - name: single
    match: { hosts: [127.0.0.1, ${BUCKET_HOST}] }
    bucket: example
    methods: ${METHODS}
`;

/**
 * A gateway for SDKs, path style and custom domain, or one whose address means a single bucket.
 * @param listener further keys of its listener, in YAML's flow style
 */
export async function startWorld(t: Teardown, kind: "sdk" | "single" = "sdk", listener = ""): Promise<World> {
  const emulator = await startEmulator(t);
  for (const { accessKeySecret, ...rest } of [KEYS, STS]) {
    emulator.addCredentials({ ...rest, accessKeySecret: new Secret(accessKeySecret) });
  }
  emulator.addBucket({ name: BUCKET, region: REGION, domains: [DOMAIN] });
  emulator.addBucket({ name: OTHER_BUCKET, region: REGION });
  const gateway = await startGateway(
    t,
    `
listeners: [{ name: web, address: "127.0.0.1:0"${listener === "" ? "" : `, ${listener}`} }]
admin: { address: "127.0.0.1:0" }
buckets:
  example: { bucket: ${BUCKET}, region: ${REGION}, domains: [${DOMAIN}], endpoint: "${emulator.url}" }
  other: { bucket: ${OTHER_BUCKET}, region: ${REGION}, endpoint: "${emulator.url}" }
routes:${kind === "sdk" ? SDK_ROUTES : SINGLE_ROUTE}`,
  );
  return { emulator, gateway };
}

/** A listener's `tls`, with a certificate for its address and all its names. */
export function tlsFor(ca: TestAuthority): string {
  const san = [SDK_NAME, DOMAIN, BUCKET_HOST].map((name) => `DNS:${name}`);
  return `tls: { certificates: ${pairsOf(ca.issue({ san: [...san, "IP:127.0.0.1"].join() }))} }`;
}

/** One way in which a client finds the gateway. */
export interface Addressing {
  readonly title: string;
  readonly world: "sdk" | "single";
  readonly options: (gateway: TestGateway) => OssClientOptions;
}

/** Every way in which ali-oss finds the gateway. */
export const ADDRESSINGS: readonly Addressing[] = [
  { title: "by static address", world: "sdk", options: ({ url }) => ({ endpoint: url }) },
  {
    title: "by static address with sldEnable",
    world: "sdk",
    options: ({ url }) => ({ endpoint: url, sldEnable: true }),
  },
  {
    title: "in path style by a name",
    world: "sdk",
    options: ({ port }) => ({ endpoint: `http://${SDK_NAME}:${port}`, sldEnable: true }),
  },
  {
    title: "by custom domain",
    world: "sdk",
    options: ({ port }) => ({ endpoint: `http://${DOMAIN}:${port}`, cname: true }),
  },
  { title: "by the address of a single bucket", world: "single", options: ({ url }) => ({ endpoint: url }) },
];

export const VERSIONS = [
  { version: "V1", authorizationV4: false },
  { version: "V4", authorizationV4: true },
] as const;

export const sha256 = (bytes: Buffer | string): string => createHash("sha256").update(bytes).digest("hex");

/** Length and hash, for the comparison of bodies too large to print. */
export const digestOf = (bytes: Buffer): { readonly length: number; readonly sha256: string } => ({
  length: bytes.length,
  sha256: sha256(bytes),
});
