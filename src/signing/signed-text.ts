import { type HeaderList, headerValue } from "../core/headers.js";
import type { OssCredentials } from "../core/secret.js";
import { afterScheme, parseFields, splitHeaderNames } from "./authorization.js";
import { queryValue } from "./canonical.js";
import { deriveDayKey } from "./day-key.js";
import type { QueryPairs, Scope, SignatureClass, SigningInput } from "./types.js";
import * as v1 from "./v1.js";
import * as v2 from "./v2.js";
import * as v4 from "./v4.js";

/** The classes whose string to sign is known here. */
export type OssSignatureClass = Exclude<SignatureClass, "anonymous" | "aws-sigv4" | "post-form">;

/** One reading of a signed request: as somebody saw it on its way. The query has all parameters, the signature's too. */
export type Reading = SigningInput;

/** What a request says of its own signature; nothing of it is verified. */
export interface StatedSignature {
  readonly signatureClass: OssSignatureClass;
  readonly accessKeyId: string;
  readonly signature: string;
  /** Lower case, as they are signed. */
  readonly additionalHeaders: readonly string[];
  /** The line of V1 and V2 in the date's place, the timestamp of V4. */
  readonly date: string;
  /** Of V4. */
  readonly scope: Scope | null;
  readonly hasSecurityToken: boolean;
}

/** The signature of a request as it says itself; `null` when it cannot be read. */
export function statedSignature(reading: Reading, signatureClass: SignatureClass): StatedSignature | null {
  switch (signatureClass) {
    case "v1-header":
    case "v2-header":
    case "v4-header":
      return fromHeader(reading, signatureClass);
    case "v1-url":
    case "v2-url":
    case "v4-url":
      return fromUrl(reading, signatureClass);
    default:
      return null;
  }
}

function fromHeader(
  { headers }: Reading,
  signatureClass: "v1-header" | "v2-header" | "v4-header",
): StatedSignature | null {
  const authorization = headerValue(headers, "authorization") ?? "";
  const hasSecurityToken = headerValue(headers, "x-oss-security-token") !== undefined;
  if (signatureClass === "v1-header") {
    const text = afterScheme(authorization, "OSS");
    const colon = text?.indexOf(":") ?? -1;
    if (text === null || colon < 1) return null;
    const [accessKeyId, signature] = [text.slice(0, colon), text.slice(colon + 1)];
    const date = v1.dateLine(headers);
    return { signatureClass, accessKeyId, signature, additionalHeaders: [], date, scope: null, hasSecurityToken };
  }
  const isV2 = signatureClass === "v2-header";
  const text = afterScheme(authorization, isV2 ? "OSS2" : v4.ALGORITHM);
  if (text === null) return null;
  const fields = parseFields(text, isV2 ? ":" : "=", [
    isV2 ? "AccessKeyId" : "Credential",
    "AdditionalHeaders",
    "Signature",
  ]);
  const signature = fields?.get("Signature");
  const id = fields?.get(isV2 ? "AccessKeyId" : "Credential");
  if (signature === undefined || id === undefined) return null;
  const names = splitHeaderNames(fields?.get("AdditionalHeaders") ?? "").filter((name) => name !== "");
  if (isV2) {
    const [additionalHeaders, date] = [v2.additionalHeaderNames(names), v1.dateLine(headers)];
    return { signatureClass, accessKeyId: id, signature, additionalHeaders, date, scope: null, hasSecurityToken };
  }
  return ofV4({ signatureClass, credential: id, signature, names, date: v1.dateLine(headers), hasSecurityToken });
}

function fromUrl({ query }: Reading, signatureClass: "v1-url" | "v2-url" | "v4-url"): StatedSignature | null {
  const value = (name: string): string | undefined => queryValue(query, name);
  const isV1 = signatureClass === "v1-url";
  const signature = value(isV1 ? "Signature" : "x-oss-signature");
  if (signature === undefined) return null;
  if (signatureClass === "v4-url") {
    const credential = value("x-oss-credential");
    if (credential === undefined) return null;
    const names = splitHeaderNames(value("x-oss-additional-headers") ?? "").filter((name) => name !== "");
    const hasSecurityToken = value("x-oss-security-token") !== undefined;
    return ofV4({ signatureClass, credential, signature, names, date: value("x-oss-date") ?? "", hasSecurityToken });
  }
  const accessKeyId = value(isV1 ? "OSSAccessKeyId" : "x-oss-access-key-id");
  if (accessKeyId === undefined) return null;
  const names = splitHeaderNames(value("x-oss-additional-headers") ?? "").filter((name) => name !== "");
  return {
    signatureClass,
    accessKeyId,
    signature,
    additionalHeaders: isV1 ? [] : v2.additionalHeaderNames(names),
    date: value(isV1 ? "Expires" : "x-oss-expires") ?? "",
    scope: null,
    hasSecurityToken: value("security-token") !== undefined,
  };
}

interface StatedV4 extends Pick<StatedSignature, "signatureClass" | "signature" | "date" | "hasSecurityToken"> {
  readonly credential: string;
  readonly names: readonly string[];
}

function ofV4({ credential, names, ...rest }: StatedV4): StatedSignature | null {
  // Ids have no slash.
  const [accessKeyId = "", date8, region, product, terminator] = credential.split("/");
  if (date8 === undefined || region === undefined || product === undefined || terminator === undefined) return null;
  return {
    ...rest,
    accessKeyId,
    additionalHeaders: v4.additionalHeaderNames(names),
    scope: { date8, region, product },
  };
}

/** What is signed of a reading: V1 and V2 the string to sign, V4 the canonical request, whose hash is signed. */
export function signedText(reading: Reading, stated: StatedSignature): string {
  switch (stated.signatureClass) {
    case "v1-header":
    case "v1-url":
      return v1.stringToSign(reading, stated.date);
    case "v2-header":
    case "v2-url":
      return v2.stringToSign(withoutSignature(reading), stated.date, stated.additionalHeaders);
    case "v4-header":
    case "v4-url":
      return v4.canonicalRequest(withoutSignature(reading), stated.additionalHeaders);
  }
}

/** The StringToSign of {@link signedText}: itself, and for V4 what holds its hash. */
export function stringToSign(text: string, { scope, date }: StatedSignature): string {
  return scope === null ? text : v4.stringToSign(date, scope, text);
}

/** The signature that this secret gives a signed text; compare it with the one that is stated. */
export function signatureOf(text: string, stated: StatedSignature, { accessKeySecret }: OssCredentials): string {
  if (stated.scope !== null) {
    return v4.signature(deriveDayKey(accessKeySecret, stated.scope), stringToSign(text, stated));
  }
  const isV1 = stated.signatureClass === "v1-header" || stated.signatureClass === "v1-url";
  return isV1 ? v1.signature(accessKeySecret, text) : v2.signature(accessKeySecret, text);
}

function withoutSignature(reading: Reading): Reading {
  const query: QueryPairs = reading.query.filter(([name]) => name !== "x-oss-signature");
  return { ...reading, query };
}

/** A reading with other values of some headers; `null` takes one away. Names in lower case. */
export function withHeaders(reading: Reading, changes: Readonly<Record<string, string | null>>): Reading {
  const headers: string[] = [];
  const { headers: before }: { headers: HeaderList } = reading;
  const seen = new Set<string>();
  for (let i = 0; i < before.length; i += 2) {
    const lowerName = (before[i] as string).toLowerCase();
    const change = changes[lowerName];
    if (change === undefined) headers.push(before[i] as string, before[i + 1] as string);
    else if (change !== null && !seen.has(lowerName)) headers.push(before[i] as string, change);
    seen.add(lowerName);
  }
  for (const [name, value] of Object.entries(changes)) if (value !== null && !seen.has(name)) headers.push(name, value);
  return { ...reading, headers };
}
