import { type Refusal, refuse } from "./errors.js";

/** One part of a form before the file. */
export interface FormField {
  /** Lower case: names are compared without regard to case (oss-semantics §9.1). */
  readonly name: string;
  readonly value: string;
}

/** The file part of a form; `contentType` as its own header says. */
export interface FormFile {
  readonly name: string;
  readonly contentType: string | undefined;
  readonly bytes: Buffer;
}

export interface ParsedForm {
  readonly fields: ReadonlyMap<string, string>;
  /** `null` when no `file` part came. What follows it is ignored. */
  readonly file: FormFile | null;
}

const MAX_NAME_BYTES = 8 * 1024;
const MAX_VALUE_BYTES = 2 * 2 ** 20;
const CRLF = "\r\n";

/** The boundary of a `multipart/form-data` content type, or `null`. */
export function formBoundary(contentType: string): string | null {
  const match = /^\s*multipart\/form-data\s*;(?:.*;)?\s*boundary=(?:"([^"]+)"|([^\s;"]+))/i.exec(contentType);
  return match?.[1] ?? match?.[2] ?? null;
}

/** Parses a form up to its `file` part (oss-semantics §9.1). */
export function parseForm(body: Buffer, boundary: string): ParsedForm | Refusal {
  const fields = new Map<string, string>();
  const delimiter = Buffer.from(`${CRLF}--${boundary}`);
  const padded = Buffer.concat([Buffer.from(CRLF), body]);
  let at = padded.indexOf(delimiter);
  if (at !== 0) return refuse("MalformedPOSTRequest");
  for (;;) {
    at += delimiter.length;
    if (padded.subarray(at, at + 2).toString() === "--") return { fields, file: null };
    const next = padded.indexOf(delimiter, at);
    if (next === -1 || padded.subarray(at, at + 2).toString() !== CRLF) return refuse("MalformedPOSTRequest");
    const part = parsePart(padded.subarray(at + 2, next));
    if (part === null) return refuse("MalformedPOSTRequest");
    if (part.name.toLowerCase() === "file") return { fields, file: asFile(part) };
    if (part.name.length > MAX_NAME_BYTES || part.body.length > MAX_VALUE_BYTES) return refuse("FieldItemTooLong");
    fields.set(part.name.toLowerCase(), part.body.toString());
    at = next;
  }
}

interface Part {
  readonly name: string;
  readonly fileName: string;
  readonly contentType: string | undefined;
  readonly body: Buffer;
}

function parsePart(bytes: Buffer): Part | null {
  const headEnd = bytes.indexOf(`${CRLF}${CRLF}`);
  if (headEnd === -1) return null;
  const headers = new Map<string, string>();
  for (const line of bytes.subarray(0, headEnd).toString().split(CRLF)) {
    const colon = line.indexOf(":");
    if (colon < 1) return null;
    headers.set(line.slice(0, colon).trim().toLowerCase(), line.slice(colon + 1).trim());
  }
  const disposition = headers.get("content-disposition") ?? "";
  const name = /^form-data\s*;.*?\bname="([^"]*)"/i.exec(disposition)?.[1];
  if (name === undefined) return null;
  const fileName = /\bfilename="([^"]*)"/i.exec(disposition)?.[1] ?? "";
  return { name, fileName, contentType: headers.get("content-type"), body: bytes.subarray(headEnd + 4) };
}

function asFile(part: Part): FormFile {
  // Some browsers send a whole path; the key takes the last segment (oss-semantics §9.1).
  const name = part.fileName.replace(/^.*[/\\]/, "");
  return { name, contentType: part.contentType, bytes: part.body };
}
