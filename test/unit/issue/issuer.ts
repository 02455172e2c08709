import type { GatewayConfig } from "../../../src/config/gateway-config.js";
import { readConfig } from "../../../src/config/read-config.js";
import { type OssCredentials, Secret } from "../../../src/core/secret.js";
import { Issuer } from "../../../src/issue/issuer.js";
import { IssueRefusal } from "../../../src/issue/refusal.js";
import { staticSource } from "../../support/static-source.js";

export const NOW_MS = Date.parse("2025-01-01T00:00:00.700Z");
export const NOW_SECONDS = Math.floor(NOW_MS / 1_000);
export const LINK_SECRET = new Secret("a secret of links");
export const CALLBACK_SECRET = new Secret("a secret of callbacks");
export const KEYS: OssCredentials = { accessKeyId: "LTAIexampleKeyId0", accessKeySecret: new Secret("sk-of-reader") };
export const STS: OssCredentials = {
  accessKeyId: "STS.exampleKeyId0",
  accessKeySecret: new Secret("sk-of-sts"),
  securityToken: "CAIS+token/with=specials==",
  expiresAtMs: NOW_MS + 20 * 60_000,
};

const SECRETS: Readonly<Record<string, Secret>> = { LINKS: LINK_SECRET, CALLBACKS: CALLBACK_SECRET };

/** What the tests' routes are beside those that they add. */
export const TOP = `
listeners:
  - { name: web, address: "0.0.0.0:80" }
  - { name: alt, address: "0.0.0.0:8080" }
credentials:
  reader: { type: env }
  writer: { type: env }
buckets:
  media: { bucket: examplebucket, region: cn-beijing, domains: [img.example.com] }
  other: { bucket: otherbucket, region: cn-hangzhou }
  nowhere: { bucket: nowherebucket, endpoint: "http://127.0.0.1:9" }
routes:
`;

export const ROUTES = `
  - { name: img, match: { hosts: [img.example.com, "*.wild.example.com"] }, bucket: media, methods: [GET, HEAD, PUT, POST] }
  - { name: sdk, match: { hosts: [47.0.2.73, "2001:db8::1"] }, buckets: [media, other, nowhere], methods: [GET, HEAD, PUT, POST, DELETE] }
  - { name: read, match: { hosts: [47.0.2.74] }, bucket: media }
  - { name: up, match: { hosts: [47.0.2.75], pathPrefix: /up }, bucket: media, stripPrefix: true, methods: [GET, POST] }
  - { name: deep, match: { hosts: [47.0.2.75], pathPrefix: /deep }, bucket: media, methods: [GET, POST] }
  - { name: site, match: { hosts: [47.0.2.76] }, bucket: media, keyPrefix: site/, methods: [GET, POST] }
  - { name: linked, match: { hosts: [47.0.2.77] }, bucket: media, methods: [GET, POST], allow: { links: { secret: { env: LINKS } } } }
  - name: vod
    match: { hosts: [vod.example.com] }
    bucket: media
    methods: [GET, HEAD, PUT, POST]
    auth: sign
    sign: { credentials: reader, process: ["image/resize,w_*"], responseOverrides: [response-content-type] }
    allow: { links: { secret: { env: LINKS }, maxAge: 12h } }
  - name: relayed
    match: { hosts: [47.0.2.78] }
    limits: { bodySize: 1MiB }
    bucket: media
    methods: [GET, POST]
    auth: sign
    sign: { credentials: reader }
    clientSignatures: relay
    allow: { anyone: true }
  - name: verified
    match: { hosts: [47.0.2.79] }
    bucket: media
    keyPrefix: site/
    methods: [GET, POST, PUT]
    auth: sign
    sign: { credentials: reader, process: [style/thumb] }
    clientSignatures: verify
    allow: { signatures: true }
  - name: calls
    match: { hosts: [img.example.com], pathPrefix: /oss-callback }
    callback: { forward: "http://127.0.0.1:9/hook", buckets: [media], secret: { env: CALLBACKS } }
`;

export function readTestConfig(yaml = TOP + ROUTES): GatewayConfig {
  const result = readConfig(yaml, "test.yaml");
  if (!result.ok) throw new Error(JSON.stringify(result.problems, null, 1));
  return result.config;
}

/** An issuer for the routes above, or those given; credentials that are not given are not to be had. */
export function makeIssuer(
  credentials: Readonly<Record<string, OssCredentials>> = { reader: KEYS, writer: STS },
  yaml = TOP + ROUTES,
): Issuer {
  return new Issuer({
    config: readTestConfig(yaml),
    credentials: new Map(Object.entries(credentials).map(([name, keys]) => [name, staticSource(name, keys)])),
    readSecret: (ref, where) => {
      const secret = ref.kind === "env" ? SECRETS[ref.name] : undefined;
      if (secret === undefined) throw new Error(`${where}: there is no secret`);
      return secret;
    },
  });
}

/** What was issued; a refusal fails the test with its own words. */
export function issued<T>(outcome: T | IssueRefusal): T {
  if (outcome instanceof IssueRefusal) throw new Error(`${outcome.status} ${outcome.message}`);
  return outcome;
}

/** Status and message of a refusal; `null` when there was none. */
export function refusal(outcome: unknown): { readonly status: number; readonly message: string } | null {
  return outcome instanceof IssueRefusal ? { status: outcome.status, message: outcome.message } : null;
}
