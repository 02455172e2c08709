import { V1_SIGNED_PARAMETERS } from "./canonical.js";
import type { CompiledRules } from "./request-rules.js";
import type { RequestShape } from "./request-shapes.js";

/** What OSS reads besides the parameters that V1 signs: the lists' (oss-semantics §2.1, §11.8) and of service hosts. */
const UNSIGNED_PARAMETERS: ReadonlySet<string> = new Set(
  `prefix marker max-keys delimiter list-type start-after encoding-type key-marker version-id-marker upload-id-marker
  max-uploads max-parts part-number-marker fetch-owner regions x-id OSSAccessKeyId Expires Signature
  AWSAccessKeyId`.split(/\s+/),
);

/** Whether OSS gives a query parameter of this name a meaning: then it is allowed or refused, and never dropped. */
export function isKnownParameter(name: string): boolean {
  return V1_SIGNED_PARAMETERS.has(name) || UNSIGNED_PARAMETERS.has(name) || FAMILY.test(name);
}

// Names by their beginnings. OSS is particular about case; a name that differs in nothing else is no client's own.
const FAMILY = /^(?:x-oss-|response-|x-amz-)/i;

const SIGNATURE_PARAMETERS: ReadonlySet<string> = new Set([
  "OSSAccessKeyId",
  "Expires",
  "Signature",
  "security-token",
  "x-oss-signature-version",
  "x-oss-credential",
  "x-oss-date",
  "x-oss-expires",
  "x-oss-additional-headers",
  "x-oss-security-token",
  "x-oss-signature",
  "x-oss-access-key-id",
]);

/** Whether a parameter belongs to a signature in the URL, of any version (oss-semantics §2.2–§2.4). */
export function isSignatureParameter(name: string): boolean {
  return SIGNATURE_PARAMETERS.has(name);
}

const isOverride = (name: string): boolean => name.startsWith("response-");

/** Whether the shape has room for the parameter, whatever its value, on some route. */
export function hasRoomFor({ optional, marks, hasReadOptions }: RequestShape, name: string): boolean {
  if (optional.has(name) || marks.includes(name)) return true;
  if (!hasReadOptions) return false;
  return isOverride(name) ? V1_SIGNED_PARAMETERS.has(name) : name === "x-oss-process";
}

/** Whether the route has nothing against the name of a parameter that its shape has room for. */
export function admitsName(name: string, { responseOverrides }: CompiledRules): boolean {
  return !isOverride(name) || responseOverrides.has(name);
}

const isFlag = (value: string): boolean => value === "";
const UPLOAD_ID = /^[\w.~-]{1,256}$/;
const PART_NUMBER = /^[1-9]\d{0,4}$/;
const NUMBER = /^\d{1,19}$/;
const VERSION_ID = /^[\w.~+/=-]{1,1024}$/;

/**
 * What a value must be for OSS to read the request as the operation that was found: where it read another one, an empty
 * `uploadId` say, a DELETE would delete the object itself.
 */
const VALUES: ReadonlyMap<string, (value: string) => boolean> = new Map([
  ...["acl", "append", "bucketInfo", "delete", "location", "objectMeta", "restore"].map(flag),
  ...["stat", "symlink", "tagging", "uploads", "versions"].map(flag),
  ["uploadId", (value: string) => UPLOAD_ID.test(value)],
  ["partNumber", (value: string) => PART_NUMBER.test(value) && Number(value) <= 10_000],
  ["position", (value: string) => NUMBER.test(value)],
  ["versionId", (value: string) => VERSION_ID.test(value)],
  ["list-type", (value: string) => value === "2"],
  ["encoding-type", (value: string) => value === "url"],
]);

function flag(name: string): [string, (value: string) => boolean] {
  return [name, isFlag];
}

/** Whether the value of an admitted parameter may go to OSS. */
export function admitsValue(name: string, value: string, rules: CompiledRules): boolean {
  if (name === "x-oss-process") return admitsProcess(value, rules);
  if (isOverride(name)) return !hasControls(value);
  return VALUES.get(name)?.(value) ?? true;
}

// What follows a `*` has no slash, so that nothing can be chained to an allowed style.
const REST_OF_PROCESS = /^[A-Za-z0-9_,.-]*$/;

function admitsProcess(value: string, { processValues, processPrefixes }: CompiledRules): boolean {
  if (processValues.has(value)) return true;
  return processPrefixes.some((prefix) => value.startsWith(prefix) && REST_OF_PROCESS.test(value.slice(prefix.length)));
}

/** OSS writes the value into a header of its answer: no line may end inside it. */
function hasControls(value: string): boolean {
  for (let i = 0; i < value.length; i += 1) {
    const code = value.charCodeAt(i);
    if (code < 0x20 || code === 0x7f) return true;
  }
  return false;
}

/**
 * Whether a name or value is percent-encoded UTF-8. What is not stays as it is when a query is taken apart, and would be
 * encoded once more on its way: OSS would read another text than the client wrote.
 */
export function isWellEncoded(rawText: string): boolean {
  if (!rawText.includes("%")) return true;
  try {
    decodeURIComponent(rawText);
    return true;
  } catch {
    return false;
  }
}
