import { type CredentialFields, type CredentialSet, credentialSet, type FieldNames } from "./credential-set.js";
import { CredentialsError } from "./provider.js";

export interface CredentialsJsonOptions {
  /** Where the text is from, for messages: `the metadata service at http://100.100.100.200`. */
  readonly where: string;
  /** Whether a security token and an expiry have to be there: every service gives both, a file may hold a permanent key. */
  readonly isTemporary: boolean;
}

/**
 * Reads `{AccessKeyId, AccessKeySecret, SecurityToken, Expiration}`, or the same inside `Credentials`; the names in upper or
 * in lower camel case (oss-semantics §8.1). A `Code` other than `Success` is a failure.
 * @throws CredentialsError whose message holds nothing of the text
 */
export function readCredentialsJson(text: string, { where, isTemporary }: CredentialsJsonOptions): CredentialSet {
  const record = recordIn(text, where);
  const fields: CredentialFields = {
    accessKeyId: pick(record, "AccessKeyId"),
    accessKeySecret: pick(record, "AccessKeySecret"),
    securityToken: pick(record, "SecurityToken"),
    expiration: pick(record, "Expiration"),
  };
  const names = fieldNames(where);
  const set = credentialSet(fields, names);
  if (isTemporary && set.securityToken === undefined) throw new CredentialsError(`${names.securityToken} is missing`);
  if (isTemporary && set.expiresAtMs === undefined) throw new CredentialsError(`${names.expiration} is missing`);
  return set;
}

function recordIn(text: string, where: string): Readonly<Record<string, unknown>> {
  const whole = asRecord(parseJson(text));
  if (whole === null) throw new CredentialsError(`what ${where} gave is not a JSON object`);
  const code = pick(whole, "Code");
  if (code !== undefined && code !== "Success") {
    throw new CredentialsError(`${where} gave an error instead of credentials (${printableCode(code) || "unnamed"})`);
  }
  return asRecord(pick(whole, "Credentials")) ?? whole;
}

/** The message of `JSON.parse` quotes the text, so it must not be handed on. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function asRecord(value: unknown): Readonly<Record<string, unknown>> | null {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : null;
}

function pick(record: Readonly<Record<string, unknown>>, name: string): unknown {
  return record[name] ?? record[`${name.charAt(0).toLowerCase()}${name.slice(1)}`];
}

function fieldNames(where: string): FieldNames {
  return {
    accessKeyId: `AccessKeyId from ${where}`,
    accessKeySecret: `AccessKeySecret from ${where}`,
    securityToken: `SecurityToken from ${where}`,
    expiration: `Expiration from ${where}`,
  };
}

/** The vendor's error codes are words with dots (`NoPermission`, `EntityNotExist.Role`); anything else is not printed. */
const ERROR_CODE = /^[A-Z][A-Za-z]{1,31}(\.[A-Z][A-Za-z]{0,31}){0,3}$/;

function printableCode(code: unknown): string {
  return typeof code === "string" && ERROR_CODE.test(code) ? code : "";
}

/** The error code in a vendor's error answer (`NoPermission`), fit to be printed; empty when there is none. */
export function errorCodeIn(text: string): string {
  return printableCode(asRecord(parseJson(text))?.Code);
}
