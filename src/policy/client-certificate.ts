import { parseSubjectText, type SubjectPart } from "../core/certificate-subject.js";

/** Who a client is, by a certificate that an authority of the listener vouches for. */
export interface ClientCertificate {
  /** RFC 4514, the most specific first: `CN=partner.example.com,O=Example Ltd`. */
  readonly subject: string;
  /** Attribute type in lower case → its values, as they stand in the certificate. */
  readonly attributes: ReadonlyMap<string, readonly string[]>;
}

/**
 * Makes the check of `allow.certificates`: a certificate matches a text when all that is written stands in its subject,
 * each value whole and in its own case. Of common names, which say who somebody is, a certificate may have no others
 * than those that are written: one of an authority that lets its clients add a second name is not somebody else's.
 * @param texts `"*"` takes every certificate
 * @throws Error for a text that is no subject
 */
export function compileCertificates(texts: readonly string[]): (certificate: ClientCertificate | null) => boolean {
  const wanted = texts.map((text) => (text === "*" ? [] : parseOrThrow(text)));
  return (certificate) => certificate !== null && wanted.some((parts) => hasAll(certificate, parts));
}

function parseOrThrow(text: string): readonly SubjectPart[] {
  const parts = parseSubjectText(text);
  if (parts === null) throw new Error(`${JSON.stringify(text)} is no subject of a certificate`);
  return parts;
}

function hasAll({ attributes }: ClientCertificate, parts: readonly SubjectPart[]): boolean {
  if (!parts.every(({ type, value }) => attributes.get(type)?.includes(value) === true)) return false;
  const named = parts.filter(({ type }) => type === "cn").map(({ value }) => value);
  return named.length === 0 || attributes.get("cn")?.every((name) => named.includes(name)) === true;
}

/** Of a subject, in the log. */
const MAX_SHOWN = 512;

/** Reads a subject as Node gives it: type → value, or values where it is there several times. */
export function readSubject(subject: Readonly<Record<string, string | readonly string[]>>): ClientCertificate {
  const attributes = new Map<string, string[]>();
  const shown: string[] = [];
  for (const [type, written] of Object.entries(subject)) {
    const values = typeof written === "string" ? [written] : [...written];
    attributes.set(type.toLowerCase(), values);
    for (const value of values) shown.unshift(`${type}=${escapeValue(value)}`);
  }
  return { subject: shown.join(",").slice(0, MAX_SHOWN), attributes };
}

/** RFC 4514 §2.4. */
function escapeValue(value: string): string {
  return value
    .replace(/[",+;<>\\]/g, "\\$&")
    .replace(/^[# ]| $/g, "\\$&")
    .replace(/\p{Cc}/gu, (c) => [...Buffer.from(c)].map((byte) => `\\${byte.toString(16).padStart(2, "0")}`).join(""));
}
