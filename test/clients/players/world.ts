import { Secret } from "../../../src/core/secret.js";
import type { Emulator } from "../../../src/emulator/index.js";
import { LinkSigner } from "../../../src/policy/link-token.js";
import { startEmulator, startGateway, type Teardown, type TestGateway } from "../../support/gateway.js";
import { type Media, upload } from "./media.js";
import { startWireTap, type WireTap } from "./wire-tap.js";

export const BUCKET = "examplebucket";
export const REGION = "cn-beijing";
const ROUTE = "vod";
const LINK_SECRET = "0123456789abcdef0123456789abcdef";

/** What signs for the gateway; temporary credentials, so that there is a token to look for. */
export const KEYS = {
  accessKeyId: "STS.NViewersMustNotSeeThisId",
  accessKeySecret: "ViewersMustNotSeeThisSecret",
  securityToken: "CAISViewersMustNotSeeThisToken+/8=",
} as const;

// None needs escaping, so that none can hide behind an escape.
const TELLING = [
  KEYS.accessKeyId,
  KEYS.accessKeySecret,
  "ViewersMustNotSeeThisToken",
  "OSSAccessKeyId",
  "security-token",
  "x-oss-credential",
  LINK_SECRET,
] as const;

/** What no viewer may know: which of the {@link TELLING} texts passed the wire, in either direction and any case. */
export function revealed(wire: WireTap): readonly string[] {
  const seen = [...wire.received(), ...wire.sent()].join("\n").toLowerCase();
  return TELLING.filter((text) => seen.includes(text.toLowerCase()));
}

/** How answers on the wire were coded, so that a text could be there and not be found; must be empty. */
export function codings(wire: WireTap): readonly string[] {
  return wire
    .received()
    .flatMap((bytes) => bytes.match(/^(?:transfer-encoding|content-encoding): [\x20-\x7e]*\r$/gim) ?? []);
}

/** A clock that a test can put forward: the gateway and the emulator run in this process, and ask `Date.now`. */
export interface TestClock {
  forward(milliseconds: number): void;
}

export interface LinkOptions {
  readonly expiresSeconds?: number;
  readonly isPrefix?: boolean;
  readonly scope?: string;
}

/** A gateway before a private bucket that holds HLS sets, with a wire in between that keeps what players got. */
export interface PlayersWorld {
  readonly emulator: Emulator;
  readonly gateway: TestGateway;
  readonly wire: WireTap;
  readonly clock: TestClock;
  /** The query of a link; it lasts ten minutes unless said. */
  link(path: string, options?: LinkOptions): string;
  /** The URL of a set's file on the wire, with a link for it. */
  linked(path: string, options?: LinkOptions): string;
}

export interface PlayersWorldOptions {
  /** Absent: playlists are files like others. */
  readonly mode?: "rewrite" | "ossSign";
  /** Of segment links; an hour when absent. */
  readonly ttl?: string;
  /** Besides links, the address of this machine admits. */
  readonly admitsThisMachine?: boolean;
  /** As on the route's `sign`. */
  readonly plusInPath?: "space" | "literal";
  /** The origin of the page that plays. */
  readonly pageOrigin?: string;
}

function routeYaml({ mode, ttl = "1h", admitsThisMachine = false, plusInPath = "space" }: PlayersWorldOptions): string {
  const links = "links: { secret: { env: LINK_SECRET } }";
  const lines = [
    `- name: ${ROUTE}`,
    "  match: { hosts: [127.0.0.1] }",
    "  bucket: media",
    "  auth: sign",
    `  sign: { credentials: reader, plusInPath: ${plusInPath} }`,
    `  allow: { ${admitsThisMachine ? "clients: [127.0.0.0/8], " : ""}${links} }`,
  ];
  if (admitsThisMachine) lines.push("  satisfy: any");
  if (mode !== undefined) lines.push(`  hls: { mode: ${mode}, ttl: ${ttl} }`);
  return lines.join("\n");
}

/** Starts a gateway before a private bucket with all sets below `/vod/`; everything ends with the test. */
export async function startPlayersWorld(
  t: Teardown,
  media: Media,
  options: PlayersWorldOptions,
): Promise<PlayersWorld> {
  setEnvironment(t);
  const clock = installClock(t);
  const emulator = await startEmulator(t, { nowMs: () => Date.now() });
  emulator.addCredentials({ ...KEYS, accessKeySecret: new Secret(KEYS.accessKeySecret) });
  emulator.addBucket({ name: BUCKET, region: REGION, acl: "private", corsRules: corsRulesFor(options.pageOrigin) });
  for (const [path, body] of media.files) upload(emulator, BUCKET, `vod/${path}`, body);
  const gateway = await startGateway(
    t,
    `
listeners: [{ name: web, address: "127.0.0.1:0" }]
admin: { address: "127.0.0.1:0" }
credentials: { reader: { type: env } }
buckets:
  media: { bucket: ${BUCKET}, region: ${REGION}, endpoint: "${emulator.url}" }
routes:
${routeYaml(options)}
`,
  );
  const wire = await startWireTap(t, gateway.port);
  const signer = new LinkSigner(new Secret(LINK_SECRET), ROUTE);
  const link: PlayersWorld["link"] = (path, { expiresSeconds = secondsFromNow(600), isPrefix = false, scope } = {}) =>
    signer.sign({ path, isPrefix, expiresSeconds, scope: scope ?? null, client: null, method: "GET", parameters: [] });
  const linked: PlayersWorld["linked"] = (path, options) => `${wire.url}${encodeURI(path)}?${link(path, options)}`;
  return { emulator, gateway, wire, clock, link, linked };
}

/** Whole Unix seconds by the clock of this process. */
export const secondsFromNow = (seconds: number): number => Math.floor(Date.now() / 1000) + seconds;

function corsRulesFor(pageOrigin: string | undefined) {
  if (pageOrigin === undefined) return [];
  const allowedMethods = ["GET", "HEAD"];
  return [
    { allowedOrigins: [pageOrigin], allowedMethods, allowedHeaders: ["*"], exposeHeaders: [], maxAgeSeconds: 60 },
  ];
}

function setEnvironment(t: Teardown): void {
  const set: Readonly<Record<string, string>> = {
    OSS_ACCESS_KEY_ID: KEYS.accessKeyId,
    OSS_ACCESS_KEY_SECRET: KEYS.accessKeySecret,
    OSS_SESSION_TOKEN: KEYS.securityToken,
    LINK_SECRET,
  };
  for (const [name, value] of Object.entries(set)) {
    const before = process.env[name];
    process.env[name] = value;
    t.teardown(() => {
      if (before === undefined) delete process.env[name];
      else process.env[name] = before;
    });
  }
}

function installClock(t: Teardown): TestClock {
  const realNow = Date.now;
  let offsetMs = 0;
  Date.now = () => realNow() + offsetMs;
  t.teardown(() => {
    Date.now = realNow;
  });
  return {
    forward: (milliseconds) => {
      offsetMs += milliseconds;
    },
  };
}
