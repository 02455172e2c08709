import { toUSVString } from "node:util";
import { hasDotSegment } from "../core/target.js";

/** What an upload callback says was uploaded; or why nobody can tell, one constant sentence for the operator's log. */
export type CallbackReport =
  | { readonly ok: true; readonly bucket: string; readonly object: string }
  | { readonly ok: false; readonly reason: string };

type Field = "bucket" | "object";

const MISSING =
  "The body does not say which object was uploaded. The upload's callbackBody must contain bucket and object once each, as text.";
const AMBIGUOUS = "The body can be read in more than one way, and the application might see another object.";
const WRONG_TYPE = "The Content-Type is not what the body is, or none that OSS sends.";
const NOT_TEXT = "The body is not the text that its Content-Type says: a form or a JSON object, in UTF-8.";
const BAD_KEY =
  "The reported object is no key that the gateway vouches for: empty, too long, or with a '.' or '..' segment.";

const CONTENT_TYPE = /^application\/(json|x-www-form-urlencoded)[ \t]*(?:;[ \t]*charset="?utf-8"?[ \t]*)?$/i;
const MAX_KEY_BYTES = 1_023;

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * Reads the fields `bucket` and `object` out of a callback's body, a form or JSON as `callbackBodyType` said
 * (oss-semantics §9.2). They count because the signature covers the body; headers it does not cover, Content-Type
 * included. The application reads the same bytes with a parser of its own, so a body that another parser could read
 * differently is refused: a field twice, in another case, as `object[]`, behind a `;`, or a form inside JSON.
 */
export function readCallbackReport(contentType: string | undefined, body: Buffer): CallbackReport {
  const kind = CONTENT_TYPE.exec(contentType ?? "")?.[1]?.toLowerCase();
  if (kind === undefined) return refuse(WRONG_TYPE);
  const text = decodeText(body);
  if (text === null) return refuse(NOT_TEXT);
  const isJson = /^\s*[{[]/.test(text);
  if (isJson !== (kind === "json")) return refuse(WRONG_TYPE);
  return isJson ? readJson(text) : readForm(text);
}

function refuse(reason: string): CallbackReport {
  return { ok: false, reason };
}

function decodeText(body: Buffer): string | null {
  try {
    return utf8.decode(body);
  } catch {
    return null;
  }
}

function readForm(text: string): CallbackReport {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: OSS percent-encodes them in a form.
  if (/[\x00-\x1f\x7f]/.test(text)) return refuse(NOT_TEXT);
  const pairs = formPairs(text, "&");
  const otherPairs = formPairs(text, /[&;]/);
  if (pairs === null || otherPairs === null) return refuse(NOT_TEXT);
  const report = reportOf(pairs);
  const other = reportOf(otherPairs);
  if (report.ok && (!other.ok || other.object !== report.object || other.bucket !== report.bucket)) {
    return refuse(AMBIGUOUS);
  }
  return report;
}

/** @returns `null` for a malformed escape, or one that is not UTF-8 */
function formPairs(text: string, separator: string | RegExp): [name: string, value: string][] | null {
  try {
    return text.split(separator).map((pair) => {
      const equals = pair.indexOf("=");
      const name = equals === -1 ? pair : pair.slice(0, equals);
      return [decodeForm(name), equals === -1 ? "" : decodeForm(pair.slice(equals + 1))];
    });
  } catch {
    return null;
  }
}

function decodeForm(text: string): string {
  return decodeURIComponent(text.replaceAll("+", " "));
}

function readJson(text: string): CallbackReport {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return refuse(NOT_TEXT);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) return refuse(NOT_TEXT);
  const fields = new Map(Object.entries(value));
  const report = reportOf(topLevelKeys(text).map((name) => [name, fields.get(name)]));
  if (report.ok && hasFormField(text)) return refuse(AMBIGUOUS);
  return report;
}

/** All of them, those that JSON.parse would overwrite too. @param json what JSON.parse has taken */
function topLevelKeys(json: string): string[] {
  const keys: string[] = [];
  let depth = 0;
  let lastString = "";
  for (const [token] of json.matchAll(/"[^"\\]*(?:\\.[^"\\]*)*"|[{}[\]:]/g)) {
    if (token === "{" || token === "[") depth += 1;
    else if (token === "}" || token === "]") depth -= 1;
    else if (token !== ":") lastString = token;
    else if (depth === 1) keys.push(JSON.parse(lastString) as string);
  }
  return keys;
}

/** Whether an application that takes every body for a form would find a field in it. */
function hasFormField(text: string): boolean {
  return text.split(/[&;]/).some((pair) => {
    const name = pair.split("=", 1)[0] as string;
    return pair.includes("=") && fieldOf(lenientDecode(name)) !== null;
  });
}

function lenientDecode(name: string): string {
  return name.replace(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}

function reportOf(pairs: readonly (readonly [name: string, value: unknown])[]): CallbackReport {
  const found: Record<Field, unknown> = { bucket: undefined, object: undefined };
  for (const [name, value] of pairs) {
    const field = fieldOf(name);
    if (field === null) continue;
    if (name !== field || found[field] !== undefined) return refuse(AMBIGUOUS);
    // A value that is null is there too, so that a second one is one too many.
    found[field] = value ?? null;
  }
  const { bucket, object } = found;
  if (typeof bucket !== "string" || typeof object !== "string") return refuse(MISSING);
  return isKey(object) ? { ok: true, bucket, object } : refuse(BAD_KEY);
}

/**
 * The field that some application would take this name for: Go's JSON ignores the case, PHP leading blanks and what
 * follows a NUL, and `[]` makes a list of it in many.
 */
function fieldOf(name: string): Field | null {
  const plain = name.split(/[[\0]/, 1)[0]?.trim().toLowerCase();
  return plain === "bucket" || plain === "object" ? plain : null;
}

function isKey(object: string): boolean {
  if (object === "" || Buffer.byteLength(object) > MAX_KEY_BYTES) return false;
  return toUSVString(object) === object && !hasDotSegment(`/${object}`);
}
