import { type HeaderList, headerValue } from "../core/headers.js";
import { invalidArgument, notEmulated, type Refusal } from "./errors.js";
import { OBJECT_ACLS, type ObjectAcl } from "./store.js";

const STORED_HEADERS = [
  "Cache-Control",
  "Content-Disposition",
  "Content-Encoding",
  "Content-Language",
  "Expires",
] as const;
const META_PREFIX = "x-oss-meta-";
const MAX_META_BYTES = 8 * 1024;
const STORAGE_CLASSES = ["Standard", "IA"];

const SETTING_NAMES: ReadonlySet<string> = new Set([
  "content-type",
  ...STORED_HEADERS.map((name) => name.toLowerCase()),
]);

/** Whether a header of that name, in lower case, can be a setting of an upload. */
export function isSettingName(lowerName: string): boolean {
  return lowerName.startsWith("x-oss-") || SETTING_NAMES.has(lowerName);
}

/** What an upload says about the object besides its bytes. */
export interface ObjectSettings {
  readonly metadata: HeaderList;
  readonly acl: ObjectAcl;
  readonly storageClass: string;
  readonly mayOverwrite: boolean;
}

/** Reads settings from upload headers (oss-semantics §11.6, §11.7); the content type defaults to octet-stream. */
export function readSettings(headers: HeaderList): ObjectSettings | Refusal {
  const acl = readObjectAcl(headerValue(headers, "x-oss-object-acl"));
  if (typeof acl !== "string") return acl;
  const storageClass = headerValue(headers, "x-oss-storage-class") ?? "Standard";
  if (!STORAGE_CLASSES.includes(storageClass)) return notEmulated(`storage class ${storageClass}`);
  const metadata = storedMetadata(headers);
  if (metaBytes(metadata) > MAX_META_BYTES) return invalidArgument("x-oss-meta-", "", "Your metadata is too large.");
  return { metadata, acl, storageClass, mayOverwrite: headerValue(headers, "x-oss-forbid-overwrite") !== "true" };
}

/** An object ACL from its header; `default` when there is none. */
export function readObjectAcl(value: string | undefined): ObjectAcl | Refusal {
  const known = OBJECT_ACLS.find((acl) => acl === (value ?? "default"));
  return known ?? invalidArgument("x-oss-object-acl", value ?? "", "no such object access control exists");
}

function storedMetadata(headers: HeaderList): HeaderList {
  const stored = ["Content-Type", headerValue(headers, "content-type") ?? "application/octet-stream"];
  for (const name of STORED_HEADERS) {
    const value = headerValue(headers, name.toLowerCase());
    if (value !== undefined) stored.push(name, value);
  }
  for (let i = 0; i < headers.length; i += 2) {
    const name = (headers[i] as string).toLowerCase();
    if (name.startsWith(META_PREFIX)) stored.push(name, headers[i + 1] as string);
  }
  return stored;
}

function metaBytes(metadata: HeaderList): number {
  let bytes = 0;
  for (let i = 0; i < metadata.length; i += 2) {
    const name = metadata[i] as string;
    if (name.startsWith(META_PREFIX)) bytes += name.length - META_PREFIX.length + (metadata[i + 1] as string).length;
  }
  return bytes;
}

/**
 * Text that came decoded (a form field, a query value) as a header value: its UTF-8 bytes, one character each.
 * @returns `null` for text with control characters, which no header can have
 */
export function headerText(text: string): string | null {
  return /[^\P{Cc}\t]/u.test(text) ? null : Buffer.from(text).toString("latin1");
}

/** A flat list without the headers of that name. */
export function withoutHeader(headers: HeaderList, lowerName: string): string[] {
  const kept: string[] = [];
  for (let i = 0; i < headers.length; i += 2) {
    if ((headers[i] as string).toLowerCase() !== lowerName) kept.push(headers[i] as string, headers[i + 1] as string);
  }
  return kept;
}
