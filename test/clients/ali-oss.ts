import { Agent } from "node:http";
import type { Agent as HttpsAgent } from "node:https";
import { createRequire } from "node:module";
import type { Readable } from "node:stream";
import type { Teardown } from "../support/gateway.js";

// ali-oss has no types of its own; these are the parts that the tests use.
export type Values = Readonly<Record<string, string>>;

export interface OssResult {
  readonly res: { readonly status: number; readonly headers: Readonly<Record<string, string | undefined>> };
}

export interface PutOptions {
  readonly headers?: Values;
  readonly meta?: Values;
  readonly mime?: string;
  readonly contentLength?: number;
  readonly position?: number | string;
  readonly timeout?: number;
}

export interface ListResult extends OssResult {
  readonly objects: readonly { readonly name: string; readonly size: number; readonly etag: string }[];
  readonly prefixes: readonly string[] | null;
  readonly isTruncated: boolean;
  readonly nextMarker?: string | null;
  readonly nextContinuationToken?: string | null;
  readonly keyCount?: number;
}

export interface OssClient {
  readonly options: { readonly headerEncoding: string };
  put(name: string, body: Buffer | Readable | string, options?: PutOptions): Promise<OssResult & { name: string }>;
  putMeta(name: string, meta: Values): Promise<OssResult>;
  append(
    name: string,
    body: Buffer | Readable,
    options?: PutOptions,
  ): Promise<OssResult & { nextAppendPosition: string }>;
  get(name: string, options?: { headers?: Values; process?: string }): Promise<OssResult & { content: Buffer }>;
  getStream(name: string, options?: { headers?: Values }): Promise<OssResult & { stream: Readable }>;
  head(name: string, options?: { headers?: Values }): Promise<OssResult & { status: number; meta: Values | null }>;
  getObjectMeta(name: string): Promise<OssResult & { status: number }>;
  list(query: Record<string, string | number>): Promise<ListResult>;
  listV2(query: Record<string, string | number>): Promise<ListResult>;
  multipartUpload(
    name: string,
    body: Buffer | string,
    options?: { partSize?: number; parallel?: number; meta?: Values; mime?: string },
  ): Promise<OssResult & { etag: string }>;
  copy(name: string, source: string, sourceBucket?: string): Promise<OssResult & { data: { etag: string } }>;
  delete(name: string): Promise<OssResult>;
  deleteMulti(
    names: readonly string[],
    options?: { quiet?: boolean },
  ): Promise<OssResult & { deleted?: readonly { Key: string }[] }>;
  putACL(name: string, acl: string): Promise<OssResult>;
  getACL(name: string): Promise<OssResult & { acl: string }>;
  signatureUrl(name: string, options?: Record<string, unknown>): string;
  signatureUrlV4(
    method: string,
    expiresSeconds: number,
    request: { headers?: Values; queries?: Values },
    objectName: string,
    additionalHeaders?: readonly string[],
  ): Promise<string>;
}

/** What ali-oss rejects with. */
export interface OssError extends Error {
  readonly status: number;
  readonly code?: string;
  readonly requestId?: string;
  readonly hostId?: string;
}

export interface OssClientOptions {
  readonly endpoint: string;
  readonly bucket?: string;
  readonly region?: string;
  readonly cname?: boolean;
  readonly sldEnable?: boolean;
  readonly authorizationV4?: boolean;
  readonly accessKeyId?: string;
  readonly accessKeySecret?: string;
  readonly stsToken?: string;
  readonly refreshSTSTokenInterval?: number;
  readonly headerEncoding?: string;
  readonly retryMax?: number;
  readonly agent?: Agent;
  readonly httpsAgent?: HttpsAgent;
  /** Of an endpoint without a scheme, and of those that ali-oss knows itself. */
  readonly secure?: boolean;
  readonly timeout?: number;
}

const load = createRequire(import.meta.url);
const Client = load("ali-oss") as new (options: Readonly<Record<string, unknown>>) => OssClient;

export const BUCKET = "examplebucket";
export const OTHER_BUCKET = "otherbucket";
export const REGION = "cn-hangzhou";
export const KEYS = { accessKeyId: "ak-clients", accessKeySecret: "sk-clients" } as const;
export const STS = { accessKeyId: "STS.clients", accessKeySecret: "sk-sts", securityToken: "CAIS+tok/en==" } as const;

/** An agent that keeps its connections, and to which every name is this machine; it ends with the test. */
export function loopbackAgent(t: Teardown, maxSockets = Number.POSITIVE_INFINITY): Agent {
  const agent = new Agent({
    keepAlive: true,
    maxSockets,
    lookup: (_name, { all }, found) =>
      all === true ? found(null, [{ address: "127.0.0.1", family: 4 }]) : found(null, "127.0.0.1", 4),
  });
  t.teardown(() => agent.destroy());
  return agent;
}

/** An ali-oss client that reaches every endpoint on this machine. */
export function ossClient(t: Teardown, options: OssClientOptions): OssClient {
  return new Client({
    ...KEYS,
    bucket: BUCKET,
    region: `oss-${REGION}`,
    agent: options.agent ?? loopbackAgent(t),
    ...options,
  });
}

/** The error that a call ends with. @throws Error when it does not fail */
export async function errorOf(call: Promise<unknown>): Promise<OssError> {
  try {
    await call;
  } catch (error) {
    return error as OssError;
  }
  throw new Error("the call was expected to fail");
}
