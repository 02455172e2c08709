import type { HeaderList } from "../core/headers.js";
import type { Secret } from "../core/secret.js";

/** Decoded name and value pairs in their order; a value is `null` when the parameter came without `=`. */
export type QueryPairs = readonly (readonly [name: string, value: string | null])[];

/** What every signature version is computed from (oss-semantics §2). */
export interface SigningInput {
  readonly method: string;
  /** The name at OSS; `""` for service-level requests (ListBuckets). */
  readonly bucket: string;
  /** The decoded key without leading slash; `""` for bucket-level requests. */
  readonly key: string;
  /** Without the parameters that carry the signature itself. */
  readonly query: QueryPairs;
  readonly headers: HeaderList;
}

/** How a request proves who it is from; a closed set, so it can be a metric label and a log field. */
export const SIGNATURE_CLASSES = [
  "anonymous",
  "v1-header",
  "v1-url",
  "v2-header",
  "v2-url",
  "v4-header",
  "v4-url",
  "aws-sigv4",
  "post-form",
] as const;

export type SignatureClass = (typeof SIGNATURE_CLASSES)[number];

/** A key pair as a verifier knows it. */
export interface KnownCredentials {
  readonly accessKeyId: string;
  readonly accessKeySecret: Secret;
  /** Present for STS credentials: the request must carry exactly this token. */
  readonly securityToken?: string;
  readonly expiresAtMs?: number;
}

/** What a V4 signature is good for: one day, one region, one product (oss-semantics §2.4). */
export interface Scope {
  /** `YYYYMMDD` of the signing time, UTC. */
  readonly date8: string;
  /** Bare region id, `cn-hangzhou`; the CloudBox id for a CloudBox. */
  readonly region: string;
  /** `oss`, or `oss-cloudbox`. */
  readonly product: string;
}

/** Where V4 signing keys come from: see `DayKeyCache`. */
export interface DayKeys {
  get(accessKeyId: string, accessKeySecret: Secret, scope: Scope): Uint8Array;
}

export interface VerifyContext {
  readonly nowMs: number;
  /** Bare region id of the addressed host, `cn-hangzhou`; `null` when the host tells none (acceleration). */
  readonly region: string | null;
  /** `oss` unless the host is a CloudBox. */
  readonly product: string;
  readonly findCredentials: (accessKeyId: string) => KnownCredentials | null;
  /** Keeps derived V4 keys from one verification to the next. */
  readonly dayKeys?: DayKeys;
}

/** The outcome of a verification; a failure is ready to be written as OSS's error XML. */
export type Verdict =
  | { readonly ok: true; readonly signatureClass: SignatureClass; readonly accessKeyId: string | null }
  | {
      readonly ok: false;
      readonly status: number;
      readonly code: string;
      readonly message: string;
      /** `x-oss-ec`, or `null` where neither oss-semantics nor a page of the vendor names one. */
      readonly ec: string | null;
      /** Extra XML elements in order, `StringToSign` say. */
      readonly extra: readonly (readonly [element: string, text: string])[];
    };
