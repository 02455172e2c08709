import { mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type OssCredentials, Secret } from "../../src/core/secret.js";
import type { CapturedRequest, Emulator } from "../../src/emulator/index.js";
import { type LinkClaims, LinkSigner } from "../../src/policy/link-token.js";
import { parseQuery } from "../../src/signing/canonical.js";
import type { QueryPairs } from "../../src/signing/types.js";
import type { AccessEntry } from "../../src/telemetry/access-log.js";
import { startEmulator, startGateway, type Teardown, type TestGateway } from "./gateway.js";
import { head, type RawAnswer, RawConnection } from "./raw-client.js";

export const BUCKET = "examplebucket";
export const REGION = "cn-beijing";
export const OSS_HOST = `${BUCKET}.oss-${REGION}.aliyuncs.com`;

/** What the gateway signs with unless a test says otherwise. */
export const OWN: OssCredentials = {
  accessKeyId: "gateway-ak",
  accessKeySecret: new Secret("gateway-sk-0123456789"),
};
export const LINK_SECRET = "link-secret-0123456789abcdef";
export const OLD_LINK_SECRET = "old-link-secret-0123456789ab";
export const NGINX_SECRET = "nginx-secret-0123456789";

export interface SignWorld {
  readonly emulator: Emulator;
  readonly gateway: TestGateway;
  /** Log lines of the gateway so far, as JSON text: level, fields, message. */
  readonly log: readonly string[];
  /** Writes other credentials for the gateway and resolves when it uses them; `null` takes the file away at once. */
  rotate(credentials: OssCredentials | null): Promise<void>;
  /** Resolves when a log line has been written, past or coming, that the predicate takes. */
  untilLogged(predicate: (line: string) => boolean): Promise<string>;
}

export interface SignOptions {
  /** `null`: there is no file to begin with. */
  readonly credentials?: OssCredentials | null;
  /** Instead of the emulator's URL. */
  readonly endpoint?: string;
  readonly listeners?: string;
  /** Further lines of a bucket's configuration, as a flow map's content. */
  readonly bucket?: string;
  /** Further buckets by alias, as lines of the map `buckets`. */
  readonly moreBuckets?: (endpoint: string) => string;
}

/**
 * A route whose host is `NAME.test` and that signs for a private bucket.
 * @param rest further keys in YAML's flow style; it must say `allow`
 * @param sign further keys of `sign`
 */
export function signingRoute(name: string, rest: string, sign = ""): string {
  const signing = `{ credentials: reader${sign === "" ? "" : `, ${sign}`} }`;
  return `  - { name: ${name}, match: { hosts: [${name}.test] }, bucket: one, auth: sign, sign: ${signing}, ${rest} }\n`;
}

export const LINKS = "links: { secret: { file: $SECRETS/link } }";
export const EVERY_METHOD = "methods: [GET, HEAD, PUT, POST, DELETE]";

/**
 * An emulator with a private bucket, and a gateway before it that holds the key.
 * @param routes `$SECRETS` stands for a directory with the files link, old-link and nginx
 */
export async function startSigning(t: Teardown, routes: string, options: SignOptions = {}): Promise<SignWorld> {
  const { credentials = OWN, listeners = 'listeners: [{ name: web, address: "127.0.0.1:0" }]' } = options;
  const emulator = await startEmulator(t, { captureLimit: 5_000 });
  emulator.addCredentials(OWN);
  emulator.addBucket({ name: BUCKET, region: REGION, acl: "private" });
  const directory = await mkdtemp(join(tmpdir(), "ossgate-sign-"));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  const credentialsFile = join(directory, "oss.json");
  if (credentials !== null) await writeFile(credentialsFile, credentialsJson(credentials));
  const secrets = { link: LINK_SECRET, "old-link": OLD_LINK_SECRET, nginx: NGINX_SECRET };
  for (const [name, secret] of Object.entries(secrets)) await writeFile(join(directory, name), secret);
  const bucket = options.bucket === undefined ? "" : `, ${options.bucket}`;
  const gateway = await startGateway(
    t,
    `
${listeners}
admin: { address: "127.0.0.1:0" }
credentials: { reader: { type: file, path: ${credentialsFile} } }
buckets:
  one: { bucket: ${BUCKET}, region: ${REGION}, endpoint: "${options.endpoint ?? emulator.url}"${bucket} }
  ${options.moreBuckets?.(emulator.url) ?? ""}
routes:
${routes.replaceAll("$SECRETS", directory)}
`,
  );
  const { log, untilLogged } = listen(gateway);
  return {
    emulator,
    gateway,
    log,
    untilLogged,
    rotate: async (next) => {
      if (next === null) return rm(credentialsFile);
      const used = untilLogged((line) => line.includes("credentials are in use"), log.length);
      await writeFile(`${credentialsFile}.new`, credentialsJson(next));
      await rename(`${credentialsFile}.new`, credentialsFile);
      await used;
    },
  };
}

function credentialsJson({ accessKeyId, accessKeySecret, securityToken, expiresAtMs }: OssCredentials): string {
  return JSON.stringify({
    AccessKeyId: accessKeyId,
    AccessKeySecret: accessKeySecret.reveal(),
    SecurityToken: securityToken,
    Expiration: expiresAtMs === undefined ? undefined : new Date(expiresAtMs).toISOString(),
  });
}

/** Hears what the gateway logs from here on; its logger is silent otherwise. */
function listen({ gateway }: TestGateway) {
  const log: string[] = [];
  const waiting = new Set<() => void>();
  for (const level of ["debug", "info", "warn", "error"] as const) {
    const write = (...parts: readonly unknown[]): void => {
      log.push(JSON.stringify([level, ...parts]));
      for (const look of [...waiting]) look();
    };
    Object.assign(gateway.log, { [level]: write });
  }
  const untilLogged = (predicate: (line: string) => boolean, from = 0): Promise<string> =>
    new Promise((resolve) => {
      const look = (): void => {
        const found = log.slice(from).find(predicate);
        if (found === undefined) return;
        waiting.delete(look);
        resolve(found);
      };
      waiting.add(look);
      look();
    });
  return { log, untilLogged };
}

export interface Asked {
  readonly method?: string;
  readonly host: string;
  readonly target: string;
  /** Names and values in turn. */
  readonly headers?: readonly string[];
  readonly body?: string;
  /** Says no Content-Length, whatever the method. */
  readonly hasNoLength?: boolean;
}

export interface Answered extends RawAnswer {
  /** Of the first header with that lower-case name; `""` when there is none. */
  header(lowerName: string): string;
  readonly text: string;
  /** What the gateway logged of it. */
  readonly entry: AccessEntry;
  /** What arrived at the emulator because of it, in order. */
  readonly captures: readonly CapturedRequest[];
}

let count = 0;

/** Sends one request, byte for byte as it is said, and waits until the gateway is done with it. */
export async function ask(world: SignWorld, asked: Asked): Promise<Answered> {
  const { emulator, gateway } = world;
  const { method = "GET", host, target, headers = [], body } = asked;
  count += 1;
  const mark = `signed/${count}`;
  emulator.clearCaptures();
  const mayNeedLength = body !== undefined || method === "PUT" || method === "POST";
  const needsLength = mayNeedLength && asked.hasNoLength !== true;
  const framing = needsLength ? ["Content-Length", String(Buffer.byteLength(body ?? "", "latin1"))] : [];
  const connection = await RawConnection.open(gateway.port);
  try {
    connection.send(head(method, target, ["Host", host, "User-Agent", mark, ...headers, ...framing]) + (body ?? ""));
    const answer = await finalAnswer(connection, method);
    const entry = await gateway.logged(({ userAgent }) => userAgent === mark);
    return { ...describe(answer), entry, captures: emulator.captures };
  } finally {
    connection.close();
  }
}

async function finalAnswer(connection: RawConnection, method: string): Promise<RawAnswer> {
  for (;;) {
    const answer = await connection.answer(method);
    if (answer.status >= 200) return answer;
  }
}

function describe(answer: RawAnswer): RawAnswer & Pick<Answered, "header" | "text"> {
  const header = (lowerName: string): string => {
    const at = answer.rawHeaders.findIndex((name, i) => i % 2 === 0 && name.toLowerCase() === lowerName);
    return at === -1 ? "" : (answer.rawHeaders[at + 1] as string);
  };
  return { ...answer, header, text: answer.body.toString() };
}

/** The gateway's own code of a refusal, or the status. */
export function outcome({ status, header }: Pick<Answered, "status" | "header">): string {
  return header("x-ossgate-error") || String(status);
}

/** Everything of an answer that a client sees, the document of a HEAD decoded. */
export function everythingOf({ rawHeaders, text, header }: Answered): string {
  return [...rawHeaders, Buffer.from(header("x-oss-err"), "base64").toString(), text].join("\n");
}

/** Sends a GET from an address of this machine and gives the status. */
export function statusFrom(world: SignWorld, localAddress: string, host: string, target: string): Promise<number> {
  const address = localAddress.includes(":") ? "::1" : "127.0.0.1";
  return new Promise((resolve, reject) => {
    const options = { host: address, port: world.gateway.port, localAddress, path: target, agent: false };
    const sent = request({ ...options, headers: { host } }, (answer) => {
      answer.resume();
      answer.on("end", () => resolve(answer.statusCode ?? 0));
    });
    sent.on("error", reject);
    sent.end();
  });
}

/** Unix seconds, so many from now. */
export const inSeconds = (seconds: number): number => Math.floor(Date.now() / 1_000) + seconds;

const PLAIN: Omit<LinkClaims, "route" | "path"> = {
  isPrefix: false,
  expiresSeconds: 0,
  scope: null,
  client: null,
  method: "GET",
  parameters: [],
};

/** A link's parameters, good for an hour unless said. */
export function linkOf(route: string, path: string, claims: Partial<LinkClaims> = {}, secret = LINK_SECRET): string {
  const signer = new LinkSigner(new Secret(secret), route);
  return signer.sign({ ...PLAIN, expiresSeconds: inSeconds(3_600), path, ...claims });
}

/** The decoded query of what arrived upstream. */
export function queryOf({ rawTarget }: CapturedRequest): QueryPairs {
  return parseQuery(rawTarget.split("?")[1] ?? "");
}

/** A header of what arrived upstream, by its lower-case name. */
export function sentHeader({ rawHeaders }: CapturedRequest, lowerName: string): string | undefined {
  const at = rawHeaders.findIndex((name, i) => i % 2 === 0 && name.toLowerCase() === lowerName);
  return at === -1 ? undefined : rawHeaders[at + 1];
}
