import { type OssCredentials, Secret } from "../../src/core/secret.js";
import type { CapturedRequest, Emulator } from "../../src/emulator/index.js";
import { parseQuery } from "../../src/signing/canonical.js";
import type { SigningInput } from "../../src/signing/types.js";
import type { AccessEntry } from "../../src/telemetry/access-log.js";
import { startEmulator, startGateway, type Teardown, type TestGateway } from "./gateway.js";
import { answerTo, head, type RawAnswer } from "./raw-client.js";

export const CREDENTIALS: OssCredentials = { accessKeyId: "test-ak", accessKeySecret: new Secret("test-sk") };
export const BUCKET = "examplebucket";
export const OTHER = "otherbucket";
export const REGION = "cn-beijing";
/** The host names of the first bucket. */
export const OSS_HOST = `${BUCKET}.oss-${REGION}.aliyuncs.com`;
export const DOMAIN = "img.example.com";

export interface RelayWorld {
  readonly emulator: Emulator;
  readonly gateway: TestGateway;
}

/** An emulator with two buckets, `examplebucket` open to all and `otherbucket` private, and a gateway before it. */
export async function startRelay(
  t: Teardown,
  routes: string,
  top = "",
  moreBuckets: (emulatorUrl: string) => string = () => "",
): Promise<RelayWorld> {
  const emulator = await startEmulator(t);
  emulator.addCredentials(CREDENTIALS);
  emulator.addBucket({ name: BUCKET, region: REGION, acl: "public-read-write", domains: [DOMAIN] });
  emulator.addBucket({ name: OTHER, region: REGION, acl: "private" });
  const gateway = await startGateway(
    t,
    `
${top || 'listeners: [{ name: web, address: "127.0.0.1:0" }]'}
admin: { address: "127.0.0.1:0" }
buckets:
  one: { bucket: ${BUCKET}, region: ${REGION}, domains: [${DOMAIN}], endpoint: "${emulator.url}" }
  two: { bucket: ${OTHER}, region: ${REGION}, endpoint: "${emulator.url}" }
  ${moreBuckets(emulator.url)}
routes:
${routes}
`,
  );
  return { emulator, gateway };
}

export interface Sent {
  readonly method?: string;
  readonly host: string;
  readonly target: string;
  /** Names and values in turn. */
  readonly headers?: readonly string[];
  readonly body?: string;
}

export interface Relayed {
  readonly answer: RawAnswer;
  /** What the gateway logged of it. */
  readonly entry: AccessEntry;
  /** What arrived at the emulator, if anything did. */
  readonly capture: CapturedRequest | undefined;
}

let count = 0;

/** Sends one request on a connection of its own and waits until the gateway is done with it. */
export async function relay({ emulator, gateway }: RelayWorld, sent: Sent, port = gateway.port): Promise<Relayed> {
  const { method = "GET", host, target, headers = [], body } = sent;
  count += 1;
  const mark = `test/${count}`;
  emulator.clearCaptures();
  const framing = body === undefined ? [] : ["Content-Length", String(body.length)];
  const bytes = head(method, target, ["Host", host, "User-Agent", mark, ...headers, ...framing]) + (body ?? "");
  const answer = await answerTo(port, bytes);
  const entry = await gateway.logged(({ userAgent }) => userAgent === mark);
  return { answer, entry, capture: emulator.captures.at(-1) };
}

/** What to sign for a request: the target is a key's plain path with its query. */
export function signingInput(method: string, key: string, query: string, headers: readonly string[]): SigningInput {
  return { method, bucket: BUCKET, key, query: parseQuery(query), headers };
}
