import { type HeaderList, headerValue } from "../core/headers.js";

/** An error of OSS's, taken out of its document (oss-semantics §7.1). */
export interface OssError {
  readonly code: string;
  readonly message: string;
  /** All elements of the document by name, `Code` and `Message` included; of repeated ones the first. */
  readonly elements: ReadonlyMap<string, string>;
}

const ELEMENT = /<([A-Za-z]+)>([^<]*)<\/\1>/g;
const MAX_ELEMENTS = 40;

/** Reads an error document; `null` when it is none, compressed say. */
export function readOssError(headers: HeaderList, body: Buffer): OssError | null {
  const text = documentText(headers, body);
  const start = text.indexOf("<Error>");
  if (start === -1) return null;
  const elements = new Map<string, string>();
  for (const [, name = "", value = ""] of text.slice(start + "<Error>".length).matchAll(ELEMENT)) {
    if (!elements.has(name)) elements.set(name, unescapeXml(value));
    if (elements.size === MAX_ELEMENTS) break;
  }
  const code = elements.get("Code");
  return code === undefined ? null : { code, message: elements.get("Message") ?? "", elements };
}

/**
 * Whether the root of a document is an error, whatever stands before it: OSS may send blanks to keep a slow call's
 * connection. By hand, since an expression for it takes ages over a document that is made for that.
 */
export function isErrorDocument(text: string): boolean {
  for (let at = 0; at < text.length; ) {
    if (text.startsWith("<?", at)) at = behind(text, "?>", at);
    else if (text.startsWith("<!--", at)) at = behind(text, "-->", at + "<!--".length);
    else if (text.charCodeAt(at) > SPACE && text.charCodeAt(at) !== BYTE_ORDER_MARK)
      return text.startsWith("<Error>", at);
    else at += 1;
  }
  return false;
}

const SPACE = 0x20;
const BYTE_ORDER_MARK = 0xfeff;

function behind(text: string, end: string, from: number): number {
  const at = text.indexOf(end, from);
  return at === -1 ? text.length : at + end.length;
}

/** The answer to a HEAD has its document in a header, in base64. */
function documentText(headers: HeaderList, body: Buffer): string {
  if (body.length > 0) return body.toString("utf8");
  return Buffer.from(headerValue(headers, "x-oss-err") ?? "", "base64").toString("utf8");
}

const ENTITIES: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };

/** Text of an element as characters. */
export function unescapeXml(text: string): string {
  return text.replace(/&(?:#x([0-9A-Fa-f]{1,6})|#(\d{1,7})|([a-z]{2,4}));/g, (whole, hex, decimal, name) => {
    if (name !== undefined) return ENTITIES[name] ?? whole;
    const code = hex === undefined ? Number(decimal) : Number.parseInt(hex, 16);
    return isCharacter(code) ? String.fromCodePoint(code) : whole;
  });
}

/** A surrogate alone is none, and nothing could be made of it that is UTF-8. */
const isCharacter = (code: number): boolean => code <= 0x10ffff && (code < 0xd800 || code > 0xdfff);

/** OSS did not accept who asks, or how it was signed (oss-semantics §2.6, §7.2). */
const AUTH_CODES: ReadonlySet<string> = new Set([
  "SignatureDoesNotMatch",
  "InvalidAccessKeyId",
  "SecurityTokenExpired",
  "InvalidSecurityToken",
  "RequestTimeTooSkewed",
  "UserDisable",
]);

// A wrong region, product or date of the scope comes as InvalidArgument, an outlived URL as AccessDenied; their ECs may
// change (oss-semantics §7.1), so the argument and the messages tell them from a client's own mistakes.
const AUTH_MESSAGE =
  /Authorization header|signing (?:region|product|date)|requires a valid Date|Request has expired|not valid yet/i;

/** Whether the error says that the signature or the credentials of this request were refused. */
export function isAuthFailure({ code, message, elements }: OssError): boolean {
  // A code may say more after a dot: InvalidAccessKeyId.Inactive.
  const [family = ""] = code.split(".");
  if (AUTH_CODES.has(family)) return true;
  if (code !== "InvalidArgument" && code !== "AccessDenied") return false;
  return elements.get("ArgumentName") === "Authorization" || AUTH_MESSAGE.test(message);
}

/** Whether other credentials would help. */
export function isCredentialFailure({ code }: OssError): boolean {
  return code.startsWith("InvalidAccessKeyId") || code === "SecurityTokenExpired" || code === "InvalidSecurityToken";
}

/** What a client may see of an error document, besides code, message and request id; all else could name our side. */
const TOLD: readonly string[] = [
  "Method",
  "ResourceType",
  "Header",
  "ArgumentName",
  "ArgumentValue",
  "RangeRequested",
  "ActualObjectSize",
  "PartNumber",
  "UploadId",
  "Condition",
  "MinSizeAllowed",
  "ProposedSize",
  "EC",
  "RecommendDoc",
];

/** The elements that a client may see, in the document's order of {@link TOLD}. */
export function toldElements({ elements }: OssError): (readonly [element: string, text: string])[] {
  return TOLD.flatMap((name) => {
    const text = elements.get(name);
    return text === undefined ? [] : [[name, text] as const];
  });
}
