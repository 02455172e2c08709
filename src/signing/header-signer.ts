import { createSecretKey, type KeyObject } from "node:crypto";
import type { HeaderList } from "../core/headers.js";
import { HmacSha256 } from "../core/hmac.js";
import type { OssCredentials } from "../core/secret.js";
import { encodePath } from "../core/target.js";
import { canonicalHeaders, canonicalQuery } from "./canonical.js";
import { deriveDayKey } from "./day-key.js";
import { httpDate, isoBasic } from "./time.js";
import type { QueryPairs, Scope } from "./types.js";
import * as v1 from "./v1.js";
import * as v4 from "./v4.js";

/** What all requests of one signer have in common. */
export interface SignerTarget {
  /** The name at OSS. */
  readonly bucket: string;
  /** Bare region id of the bucket, `cn-hangzhou`; V1 has no use for it. */
  readonly region: string;
  /** `oss` unless it is a CloudBox. */
  readonly product: string;
  readonly version: "v4" | "v1";
}

/** One request to be signed in its headers. */
export interface RequestToSign {
  readonly method: string;
  /** Decoded, without leading slash; `""` for the bucket itself. */
  readonly key: string;
  readonly query: QueryPairs;
  /**
   * Those that are sent, as they are on the wire: bytes as characters. Without `x-oss-date`, `x-oss-content-sha256`,
   * `x-oss-security-token` and `Authorization`.
   */
  readonly headers: HeaderList;
  /** What a signer derives from them it keeps for the same object: pass the same one until the credentials change. */
  readonly credentials: OssCredentials;
  /** Unix milliseconds. */
  readonly nowMs: number;
}

/**
 * Signs requests to one bucket in their headers (oss-semantics §2.1, §2.4), the same as `signV1Header` and
 * `signV4Header` do. What is the same for a second, a day or a pair of keys is computed once, since the gateway signs
 * every request. A clock that goes back costs time and nothing else.
 */
export class HeaderSigner {
  readonly #signer: V4Signer | V1Signer;

  constructor(target: SignerTarget) {
    this.#signer = target.version === "v4" ? new V4Signer(target) : new V1Signer(target);
  }

  /** The headers to append to those of the request. */
  sign(request: RequestToSign): string[] {
    return this.#signer.sign(request);
  }
}

/** What holds for the requests of one second. */
interface V4Second {
  readonly second: number;
  readonly date8: string;
  readonly timestamp: string;
  /** The lines of the canonical headers that every request has. */
  readonly headerLines: string;
  /** The string to sign up to the hash. */
  readonly stringToSignStart: string;
}

/** What holds for one pair of keys on one day. */
interface V4Keys {
  readonly date8: string;
  readonly signingKey: HmacSha256;
  /** `x-oss-security-token:…\n`, or nothing. */
  readonly tokenLine: string;
  /** The Authorization header up to the signature. */
  readonly authorizationStart: string;
}

class V4Signer {
  readonly #target: SignerTarget;
  readonly #uriStart: string;
  /** Keyed by the object, so that what was derived goes with the credentials. */
  readonly #keys = new WeakMap<OssCredentials, V4Keys>();
  #second: V4Second;

  constructor(target: SignerTarget) {
    this.#target = target;
    this.#uriStart = `/${target.bucket}/`;
    this.#second = this.#secondAt(0);
  }

  sign({ method, key, query, headers, credentials, nowMs }: RequestToSign): string[] {
    const second = Math.floor(nowMs / 1_000);
    if (second !== this.#second.second) this.#second = this.#secondAt(second);
    const { date8, timestamp, headerLines, stringToSignStart } = this.#second;
    let keys = this.#keys.get(credentials);
    if (keys === undefined || keys.date8 !== date8) keys = this.#keysOf(credentials, date8);

    const added = ["x-oss-content-sha256", v4.UNSIGNED_PAYLOAD, "x-oss-date", timestamp];
    if (credentials.securityToken !== undefined) added.push("x-oss-security-token", credentials.securityToken);
    const lines = hasSignedHeader(headers)
      ? canonicalHeaders([...headers, ...added], v4.isSignedByDefault)
      : headerLines + keys.tokenLine;
    const uri = this.#uriStart + encodePath(key);
    const canonicalRequest = `${method}\n${uri}\n${canonicalQuery(query)}\n${lines}\n\n${v4.UNSIGNED_PAYLOAD}`;
    const stringToSign = stringToSignStart + v4.hashHex(canonicalRequest);
    added.push("Authorization", keys.authorizationStart + keys.signingKey.digest(stringToSign, "hex"));
    return added;
  }

  #scopeOn(date8: string): Scope {
    const { region, product } = this.#target;
    return { date8, region, product };
  }

  #secondAt(second: number): V4Second {
    const timestamp = isoBasic(second * 1_000);
    const date8 = timestamp.slice(0, 8);
    const headers = ["x-oss-content-sha256", v4.UNSIGNED_PAYLOAD, "x-oss-date", timestamp];
    const headerLines = canonicalHeaders(headers, v4.isSignedByDefault);
    const stringToSignStart = v4.stringToSignStart(timestamp, this.#scopeOn(date8));
    return { second, date8, timestamp, headerLines, stringToSignStart };
  }

  #keysOf(credentials: OssCredentials, date8: string): V4Keys {
    const { accessKeyId, accessKeySecret, securityToken } = credentials;
    const scope = this.#scopeOn(date8);
    const token = securityToken === undefined ? [] : ["x-oss-security-token", securityToken];
    const keys = {
      date8,
      signingKey: new HmacSha256(deriveDayKey(accessKeySecret, scope)),
      tokenLine: canonicalHeaders(token, v4.isSignedByDefault),
      authorizationStart: `${v4.ALGORITHM} Credential=${accessKeyId}/${v4.scopeText(scope)},Signature=`,
    };
    this.#keys.set(credentials, keys);
    return keys;
  }
}

class V1Signer {
  readonly #bucket: string;
  readonly #keys = new WeakMap<OssCredentials, KeyObject>();
  #second = 0;
  #date = httpDate(0);

  constructor({ bucket }: SignerTarget) {
    this.#bucket = bucket;
  }

  sign({ method, key, query, headers, credentials, nowMs }: RequestToSign): string[] {
    const second = Math.floor(nowMs / 1_000);
    if (second !== this.#second) {
      this.#second = second;
      this.#date = httpDate(second * 1_000);
    }
    const { accessKeyId, securityToken } = credentials;
    const added = ["x-oss-date", this.#date];
    if (securityToken !== undefined) added.push("x-oss-security-token", securityToken);
    const input = { method, bucket: this.#bucket, key, query, headers: [...headers, ...added] };
    const signature = v1.signature(this.#keyOf(credentials), v1.stringToSign(input, this.#date));
    added.push("Authorization", `OSS ${accessKeyId}:${signature}`);
    return added;
  }

  #keyOf(credentials: OssCredentials): KeyObject {
    const held = this.#keys.get(credentials);
    if (held !== undefined) return held;
    const key = createSecretKey(credentials.accessKeySecret.reveal(), "utf8");
    this.#keys.set(credentials, key);
    return key;
  }
}

/** Whether a request has headers of its own that V4 signs; a plain download has none. */
function hasSignedHeader(headers: HeaderList): boolean {
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] as string;
    // X or C, in either case: most names are settled by their first character.
    const first = name.charCodeAt(0) | 0x20;
    if ((first === 0x78 || first === 0x63) && v4.isSignedByDefault(name.toLowerCase())) return true;
  }
  return false;
}
