import { createHash } from "node:crypto";
import type { EventEmitter } from "node:events";
import type { CorsRule } from "../policy/cors.js";
import type { KnownCredentials } from "../signing/types.js";
import { isRefusal } from "./answer.js";
import { bytesSource, generatedSource, readAll } from "./body.js";
import type { CapturedRequest } from "./capture.js";
import { makeCors } from "./cors-configuration.js";
import { crc64 } from "./crc64.js";
import type { World } from "./exchange.js";
import type { Faults } from "./faults.js";
import { handleRequest } from "./handle.js";
import { DEFAULT_HLS_SIGN_LIMITS, type HlsSignLimits } from "./hls-limits.js";
import { readSettings } from "./metadata.js";
import { normalObject } from "./object-write.js";
import { makeReferer, type RefererRules } from "./referer-configuration.js";
import { EmulatorServer } from "./server.js";
import { type Bucket, type BucketOptions, Store, type StoredObject } from "./store.js";

export interface EmulatorOptions {
  /** Serves TLS, HTTP/1.1 only. */
  readonly tls?: { readonly key: string | Buffer; readonly cert: string | Buffer };
  /** Unix milliseconds; the real clock when absent. */
  readonly nowMs?: () => number;
  /** How long an idle connection is kept; 60 s when absent. */
  readonly keepAliveTimeoutMs?: number;
  /** How many requests are remembered; 1000 when absent. */
  readonly captureLimit?: number;
  /** The account that owns everything, as ACL and list documents name it. */
  readonly ownerId?: string;
  /** Limits of `x-oss-process=hls/sign`, whose numbers OSS does not publish. */
  readonly hlsSignLimits?: Partial<HlsSignLimits>;
}

/** An OSS in memory, on real sockets. Whoever signs with a known key is the owner of all buckets. */
export interface Emulator {
  /** @returns the URL, see `url` */
  listen(port?: number, host?: string): Promise<string>;
  /** Ends everything, requests in work included. */
  close(): Promise<void>;
  /** `http://127.0.0.1:port` or `https://…`: for the TCP address; the Host header decides on the bucket. */
  readonly url: string;
  readonly port: number;

  addCredentials(credentials: KnownCredentials): void;
  addBucket(options: BucketOptions): void;
  /** Replaces the CORS configuration of a bucket; `null` takes it away. @throws Error for a rule that OSS would refuse */
  setCors(bucket: string, rules: readonly CorsRule[] | null, responseVary?: boolean): void;
  /** Replaces the Referer configuration of a bucket; `null` takes it away. */
  setReferer(bucket: string, rules: RefererRules | null): void;
  /** Stores an object as an upload with these headers would. */
  putObject(
    bucket: string,
    key: string,
    body: string | Buffer,
    headers?: Readonly<Record<string, string>>,
  ): StoredObject;
  /** Stores an object whose bytes are made when they are read; it is of type Multipart and has no CRC. */
  putGenerated(bucket: string, key: string, size: number, headers?: Readonly<Record<string, string>>): StoredObject;
  getObject(bucket: string, key: string): StoredObject | undefined;
  /** The bytes of an object. @throws Error when there is none or its bytes were dropped */
  readObject(bucket: string, key: string): Buffer;
  deleteObject(bucket: string, key: string): void;
  keys(bucket: string): readonly string[];

  nowMs(): number;
  /** Stops the clock at this time; `null` lets it run again. */
  setNowMs(nowMs: number | null): void;

  /** The last requests, oldest first. */
  readonly captures: readonly CapturedRequest[];
  clearCaptures(): void;
  readonly faults: Faults;

  openSockets(): number;
  requestsInFlight(): number;
  readonly acceptedConnections: number;
  /** Connections on which something arrived that is not HTTP, or that ended in the middle of a request. */
  readonly clientErrors: number;
  closeIdleSockets(): void;
  /** Resolves when the condition holds; it is looked at whenever something happened here, never on a timer. */
  until(condition: () => boolean): Promise<void>;
}

/** Makes an emulator; it serves nothing until `listen`. */
export function createEmulator(options: EmulatorOptions = {}): Emulator {
  const clock = makeClock(options.nowMs ?? Date.now);
  const store = new Store();
  const credentials = new Map<string, KnownCredentials>();
  const world: World = {
    store,
    credentials,
    ownerId: options.ownerId ?? "1000000000000001",
    hlsSignLimits: { ...DEFAULT_HLS_SIGN_LIMITS, ...options.hlsSignLimits },
    nowMs: clock.nowMs,
  };
  const server = new EmulatorServer({
    ...options,
    nowMs: clock.nowMs,
    answer: (arrival) => handleRequest(arrival, world),
  });
  const scheme = options.tls === undefined ? "http" : "https";
  const url = (): string => `${scheme}://${hostOf(server.address().address)}:${server.address().port}`;
  return {
    listen: async (port = 0, host = "127.0.0.1") => {
      await server.listen(port, host);
      return url();
    },
    close: () => server.close(),
    get url() {
      return url();
    },
    get port() {
      return server.address().port;
    },
    addCredentials: (added) => void credentials.set(added.accessKeyId, added),
    addBucket: (bucket) => void store.addBucket(bucket, clock.nowMs()),
    setCors: (name, rules, responseVary = false) => {
      bucketNamed(world, name).cors = rules === null ? null : makeCors(rules, responseVary);
    },
    setReferer: (name, rules) => {
      const bucket = bucketNamed(world, name);
      bucket.referer = rules === null ? null : makeReferer(rules);
      bucket.refererRules = rules;
    },
    ...objectAccess(world),
    ...clock,
    get captures() {
      return server.captures.all();
    },
    clearCaptures: () => server.captures.clear(),
    faults: server.faults,
    openSockets: () => server.openSockets(),
    requestsInFlight: () => server.requestsInFlight(),
    get acceptedConnections() {
      return server.acceptedConnections;
    },
    get clientErrors() {
      return server.clientErrors;
    },
    closeIdleSockets: () => server.closeIdleSockets(),
    until: (condition) => until(server.changes, condition),
  };
}

function makeClock(realNowMs: () => number): Pick<Emulator, "nowMs" | "setNowMs"> {
  let stoppedMs: number | null = null;
  return {
    nowMs: () => stoppedMs ?? realNowMs(),
    setNowMs: (nowMs) => {
      stoppedMs = nowMs;
    },
  };
}

function until(changes: EventEmitter<{ change: [] }>, condition: () => boolean): Promise<void> {
  return new Promise((resolve) => {
    const look = (): void => {
      if (!condition()) return;
      changes.off("change", look);
      resolve();
    };
    changes.on("change", look);
    look();
  });
}

function hostOf(address: string): string {
  return address.includes(":") ? `[${address}]` : address;
}

function bucketNamed(world: World, name: string): Bucket {
  const bucket = world.store.findBucket(name);
  if (bucket === undefined) throw new Error(`no bucket ${name}`);
  return bucket;
}

type ObjectAccess = Pick<Emulator, "putObject" | "putGenerated" | "getObject" | "readObject" | "deleteObject" | "keys">;

function objectAccess(world: World): ObjectAccess {
  const bucketOf = (name: string): Bucket => bucketNamed(world, name);
  const getObject: ObjectAccess["getObject"] = (bucket, key) => bucketOf(bucket).objects.get(key);
  return {
    putObject: (bucket, key, body, headers = {}) => {
      const object = makeObject(key, Buffer.from(body), headers, world.nowMs());
      bucketOf(bucket).objects.set(key, object);
      return object;
    },
    putGenerated: (bucket, key, size, headers = {}) => {
      const object = makeGenerated(key, size, headers, world.nowMs());
      bucketOf(bucket).objects.set(key, object);
      return object;
    },
    getObject,
    readObject: (bucket, key) => {
      const body = getObject(bucket, key)?.body ?? null;
      if (body === null) throw new Error(`no bytes of ${bucket}/${key}`);
      return readAll(body);
    },
    deleteObject: (bucket, key) => void bucketOf(bucket).objects.delete(key),
    keys: (bucket) => [...bucketOf(bucket).objects.keys()],
  };
}

type Headers = Readonly<Record<string, string>>;

function makeObject(key: string, bytes: Buffer, headers: Headers, nowMs: number): StoredObject {
  const received = { body: bytesSource(bytes), size: bytes.length, md5: md5Of(bytes), crc64: crc64(bytes) };
  return normalObject(key, settingsOf(headers), received, nowMs);
}

function makeGenerated(key: string, size: number, headers: Headers, nowMs: number): StoredObject {
  const { metadata, acl, storageClass } = settingsOf(headers);
  const etag = `"${md5Of(`${key}:${size}`).toString("hex").toUpperCase()}-1"`;
  const body = generatedSource(key, size);
  return { key, body, size, etag, type: "Multipart", crc64: null, lastModifiedMs: nowMs, metadata, acl, storageClass };
}

function settingsOf(headers: Headers): Exclude<ReturnType<typeof readSettings>, { readonly kind: "refusal" }> {
  const settings = readSettings(Object.entries(headers).flat());
  if (isRefusal(settings)) throw new Error(`${settings.code}: ${settings.message}`);
  return settings;
}

function md5Of(data: string | Buffer): Buffer {
  return createHash("md5").update(data).digest();
}
