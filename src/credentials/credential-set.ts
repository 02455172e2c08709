import { inspect } from "node:util";
import { type OssCredentials, Secret } from "../core/secret.js";
import { CredentialsError } from "./provider.js";

/** The longest that is taken: it travels in a header, of which OSS takes 8 KiB and more. */
const LONGEST_TOKEN_CHARACTERS = 16 * 1024;
const LONGEST_KEY_CHARACTERS = 1024;

/** Values as they were read, not checked yet. */
export interface CredentialFields {
  readonly accessKeyId: unknown;
  readonly accessKeySecret: unknown;
  /** `undefined`, `null` and the empty text: none. */
  readonly securityToken?: unknown;
  /** ISO 8601 in UTC, as the vendor's services write it; `undefined`, `null` and the empty text: none. */
  readonly expiration?: unknown;
}

/** What each field is called where it was read, for messages: `OSS_ACCESS_KEY_ID`, or `AccessKeyId in oss.json`. */
export type FieldNames = Readonly<Record<keyof CredentialFields, string>>;

/** One immutable set of credentials that every usual way of printing masks, the security token too. */
export class CredentialSet implements OssCredentials {
  readonly accessKeyId: string;
  readonly accessKeySecret: Secret;
  declare readonly securityToken?: string;
  declare readonly expiresAtMs?: number;

  constructor({ accessKeyId, accessKeySecret, securityToken, expiresAtMs }: OssCredentials) {
    this.accessKeyId = accessKeyId;
    this.accessKeySecret = accessKeySecret;
    // An own accessor: a copy made with `...` has the token, but `inspect` without custom functions prints [Getter].
    if (securityToken !== undefined)
      Object.defineProperty(this, "securityToken", { enumerable: true, get: () => securityToken });
    if (expiresAtMs !== undefined) this.expiresAtMs = expiresAtMs;
    Object.freeze(this);
  }

  toJSON(): Readonly<Record<string, unknown>> {
    const { accessKeyId, expiresAtMs } = this;
    return { accessKeyId, accessKeySecret: "***", securityToken: this.#maskedToken(), expiresAtMs };
  }

  [inspect.custom](): string {
    return `CredentialSet ${JSON.stringify(this)}`;
  }

  #maskedToken(): string | undefined {
    return this.securityToken === undefined ? undefined : "***";
  }
}

/**
 * Checks what was read and makes a set of it.
 * @throws CredentialsError naming the field that is missing or is none
 */
export function credentialSet(fields: CredentialFields, names: FieldNames): CredentialSet {
  const securityToken = isAbsent(fields.securityToken)
    ? undefined
    : keyText(fields.securityToken, names.securityToken, LONGEST_TOKEN_CHARACTERS);
  const expiresAtMs = isAbsent(fields.expiration) ? undefined : expirationMs(fields.expiration, names.expiration);
  return new CredentialSet({
    accessKeyId: keyText(fields.accessKeyId, names.accessKeyId, LONGEST_KEY_CHARACTERS),
    accessKeySecret: new Secret(keyText(fields.accessKeySecret, names.accessKeySecret, LONGEST_KEY_CHARACTERS)),
    ...(securityToken !== undefined && { securityToken }),
    ...(expiresAtMs !== undefined && { expiresAtMs }),
  });
}

/** Whether a field that may be left out was left out. */
function isAbsent(value: unknown): boolean {
  return value === undefined || value === null || value === "";
}

/** What may stand in a header line and in a signature: visible ASCII. A line end in it would break every request. */
function keyText(value: unknown, name: string, longestCharacters: number): string {
  if (typeof value !== "string" || value === "") throw new CredentialsError(`${name} is missing`);
  if (value.length > longestCharacters)
    throw new CredentialsError(`${name} is longer than ${longestCharacters} characters`);
  if (!/^[\x21-\x7e]+$/.test(value))
    throw new CredentialsError(`${name} has a space, a line end or a foreign character in it`);
  return value;
}

/** `Date.parse` alone takes far too much, "1" for example. */
const UTC_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d)$/;

function expirationMs(value: unknown, name: string): number {
  const timeMs = typeof value === "string" && UTC_TIME.test(value) ? Date.parse(value) : Number.NaN;
  if (Number.isNaN(timeMs)) throw new CredentialsError(`${name} is not a time like 2025-01-01T01:00:00Z`);
  return timeMs;
}
