import type { OssCredentials } from "../core/secret.js";
import { presignV1Url, presignV4Url } from "../signing/sign.js";
import type { SigningInput } from "../signing/types.js";
import { capByCredentials, type Expiry, type ExpiryRequest, settleExpiry } from "./expiry.js";
import { filterProblem } from "./honoured.js";
import type { IssueRoute, Located } from "./issue-routes.js";
import { collectParameters, type ParameterFields, type Parameters, queryText } from "./parameters.js";
import type { PlacedObject } from "./placed-object.js";
import { IssueRefusal } from "./refusal.js";

export type SignatureVersion = "v4" | "v1";

export const PRESIGN_METHODS = ["GET", "HEAD", "PUT"] as const;
export type PresignMethod = (typeof PRESIGN_METHODS)[number];

export interface PresignRequest extends ExpiryRequest, ParameterFields {
  /** `GET` when absent. */
  readonly method?: PresignMethod | undefined;
  /** `v4` when absent. */
  readonly version?: SignatureVersion | undefined;
  /** What the client will send and OSS signs: Content-Type, Content-MD5, `x-oss-*`. */
  readonly headers?: Parameters | undefined;
  /** The name of credentials in the configuration. */
  readonly credentials?: string | undefined;
}

export interface PresignedUrl {
  readonly kind: "presigned";
  readonly url: string;
  readonly route: string;
  readonly method: PresignMethod;
  readonly version: SignatureVersion;
  /** Unix seconds. */
  readonly expiresSeconds: number;
  /** The credentials end before what was asked for, and the URL with them. */
  readonly isCappedByCredentials: boolean;
  /** What the client must send as it stands here; lower-case names. */
  readonly headers: Parameters;
  /** What was signed: see `explain.ts`. */
  readonly signed: SigningInput;
}

const DEFAULT_SECONDS = 3_600;
/** Of V4 (oss-semantics §2.4). */
const MAX_V4_SECONDS = 604_800;
/** V1 has no limit of its own; a URL for ever is a mistake all the same. */
const MAX_V1_SECONDS = 10 * 366 * 86_400;

interface PresignParts {
  readonly located: Located;
  readonly object: PlacedObject;
  readonly credentials: OssCredentials;
}

/** Signs a URL for OSS (oss-semantics §2.2, §2.4) whose host is the gateway's. */
export function presign(request: PresignRequest, parts: PresignParts, nowMs: number): PresignedUrl | IssueRefusal {
  const { route, url } = parts.located;
  const { method = "GET", version = "v4" } = request;
  const refused = objectProblem(version, parts.object);
  if (refused !== null) return refused;
  const expiry = presignExpiry(request, version, parts.credentials, nowMs);
  if (expiry instanceof IssueRefusal) return expiry;
  const query = collectParameters(url.query, request);
  if (query instanceof IssueRefusal) return query;
  const headers = readHeaders(request.headers ?? {});
  if (headers instanceof IssueRefusal) return headers;
  const { bucket, key } = parts.object;
  const signed = { method, bucket: bucket.bucket, key, query, headers: Object.entries(headers).flat() };
  const rawQuery = version === "v1" ? v1Query(signed, parts, expiry) : v4Query(signed, parts, { expiry, nowMs });
  const unsignable = verifiedProblem(route, signed, rawQuery);
  if (unsignable !== null) return unsignable;
  return {
    kind: "presigned",
    url: `${url.origin}${pathText(url.path)}?${rawQuery}`,
    route: route.config.name,
    method,
    version,
    expiresSeconds: expiry.atSeconds,
    isCappedByCredentials: expiry.isCapped,
    headers,
    signed,
  };
}

function objectProblem(version: SignatureVersion, { bucket, key }: PlacedObject): IssueRefusal | null {
  if (key === "") return new IssueRefusal(400, "The URL names no object: its path ends before the key.");
  if (version === "v1" || bucket.region !== null) return null;
  return new IssueRefusal(422, `Bucket ${bucket.alias} has no region in the configuration, and V4 needs it.`);
}

/** Where the gateway verifies and signs anew, whether it would sign this. */
function verifiedProblem(route: IssueRoute, signed: SigningInput, rawQuery: string): IssueRefusal | null {
  const { auth, clientSignatures } = route.config;
  if (auth !== "sign" || clientSignatures !== "verify") return null;
  const { method, key, headers } = signed;
  return filterProblem(route, { method, key, rawQuery, headers, carriesVerifiedSignature: true });
}

function presignExpiry(
  request: ExpiryRequest,
  version: SignatureVersion,
  credentials: OssCredentials,
  nowMs: number,
): Expiry | IssueRefusal {
  const maxSeconds = version === "v4" ? MAX_V4_SECONDS : MAX_V1_SECONDS;
  const limitName = version === "v4" ? "a V4 signature" : "ossgate";
  const atSeconds = settleExpiry(request, { defaultSeconds: DEFAULT_SECONDS, maxSeconds, limitName }, nowMs);
  return atSeconds instanceof IssueRefusal ? atSeconds : capByCredentials(atSeconds, credentials, nowMs);
}

/** Parameters in the order of the vendor's SDK for JavaScript, so that the URLs are the same byte for byte. */
function v1Query(signed: SigningInput, { credentials }: PresignParts, { atSeconds }: Expiry): string {
  const made = new Map(
    presignV1Url(signed, credentials, atSeconds)
      .split("&")
      .map((pair) => [pair.slice(0, pair.indexOf("=")), pair]),
  );
  const own = queryText(signed.query);
  const parts = [
    made.get("OSSAccessKeyId"),
    made.get("Expires"),
    made.get("Signature"),
    own,
    made.get("security-token"),
  ];
  return parts.filter((part) => part !== undefined && part !== "").join("&");
}

function v4Query(
  signed: SigningInput,
  { credentials, object }: PresignParts,
  { expiry, nowMs }: { readonly expiry: Expiry; readonly nowMs: number },
): string {
  const expiresSeconds = expiry.atSeconds - Math.floor(nowMs / 1_000);
  const made = presignV4Url(signed, credentials, { nowMs, region: object.bucket.region ?? "", expiresSeconds });
  return signed.query.length === 0 ? made : `${queryText(signed.query)}&${made}`;
}

/** As the vendor's SDK for JavaScript writes a path: the URL is the same byte for byte. */
function pathText(path: string): string {
  return encodeURIComponent(path).replaceAll("%2F", "/").replaceAll("'", "%27");
}

const HEADER_VALUE = /^[\x20-\x7e]*$/;
/** They belong to signatures in the header. */
const OF_HEADER_SIGNATURES: readonly string[] = ["x-oss-date", "x-oss-security-token", "x-oss-content-sha256"];

function readHeaders(headers: Parameters): Parameters | IssueRefusal {
  const read: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    const lowerName = name.toLowerCase();
    if (!isSigned(lowerName) || Object.hasOwn(read, lowerName)) {
      return new IssueRefusal(
        400,
        `${name} cannot be signed: headers are Content-Type, Content-MD5 and x-oss-*, each once.`,
      );
    }
    if (!HEADER_VALUE.test(value)) return new IssueRefusal(400, `The value of ${name} must be printable ASCII.`);
    read[lowerName] = value.trim();
  }
  return read;
}

function isSigned(lowerName: string): boolean {
  if (lowerName === "content-type" || lowerName === "content-md5") return true;
  return /^x-oss-[a-z0-9-]+$/.test(lowerName) && !OF_HEADER_SIGNATURES.includes(lowerName);
}
