import type { CallbackConfig } from "../config/gateway-config.js";
import type { Secret } from "../core/secret.js";
import type { Application } from "../transport/application.js";
import type { PublicKeys } from "../transport/public-keys.js";
import type { CompiledBucket } from "./compiled-bucket.js";

/** OSS gives up after 5 s; what is left is for the way there and back. */
const ANSWER_WITHIN_MS = 4_800;
/** Callbacks hold a few hundred bytes; the parameter that makes them is of at most 5 KB (oss-semantics §9.2). */
const MAX_BODY_BYTES = 64 * 1024;

/** What `gateway/serve-callback.ts` needs of a route for upload callbacks. */
export interface CompiledCallback {
  readonly application: Application;
  /** Whose uploads may call, by their names at OSS. */
  readonly buckets: ReadonlyMap<string, CompiledBucket>;
  /** Signs the tokens. */
  readonly secret: Secret;
  readonly keys: PublicKeys;
  readonly maxBodyBytes: number;
  /** From the request's head to the answer's. */
  readonly answerWithinMs: number;
}

export interface CallbackInput {
  readonly config: CallbackConfig;
  /** What `config.secret` refers to. */
  readonly secret: Secret;
  /** The route's `limits.bodySize`. */
  readonly bodySizeBytes: number;
  /** By alias; those of the configuration are there. */
  readonly buckets: ReadonlyMap<string, CompiledBucket>;
  /** One for the whole program. */
  readonly keys: PublicKeys;
}

/** Joins the configuration of a callback route with what it refers to. */
export function compileCallback({ config, secret, bodySizeBytes, buckets, keys }: CallbackInput): CompiledCallback {
  const own = [...buckets.values()].filter(({ alias }) => config.buckets.includes(alias));
  return Object.freeze({
    application: { url: config.forward, timeoutMs: config.timeoutMs, ca: null },
    buckets: new Map(own.map((bucket) => [bucket.ossName, bucket])),
    secret,
    keys,
    maxBodyBytes: Math.min(bodySizeBytes, MAX_BODY_BYTES),
    answerWithinMs: ANSWER_WITHIN_MS,
  });
}
