import { ERRORS, type ErrorCode, type OssAnswer } from "../core/errors.js";

/** An error in OSS's own shape (oss-semantics §7.1), so that SDKs can parse it. */
export interface ErrorDocument {
  /** The `Code` element: OSS's name for the case. */
  readonly code: string;
  readonly message: string;
  readonly requestId: string;
  /** What the client addressed; echoed as OSS does. */
  readonly hostId: string;
  /** Further elements in order. */
  readonly elements: readonly (readonly [element: string, text: string])[];
}

/** A local answer. */
export interface LocalAnswer {
  readonly code: ErrorCode;
  readonly message: string;
  readonly requestId: string;
  readonly hostId: string;
  readonly oss?: OssAnswer | undefined;
}

/** The XML document of a local error. */
export function errorXml({ code, message, requestId, hostId, oss }: LocalAnswer): string {
  return ossErrorXml({
    code: oss?.code ?? ERRORS[code].ossCode,
    message,
    requestId,
    hostId,
    elements: [...(oss?.elements ?? []), ...ecElements(oss?.ec ?? null), ["Gateway", `ossgate: ${code}`]],
  });
}

/** The elements that an error code of the vendor's adds. */
export function ecElements(ec: string | null): readonly (readonly [element: string, text: string])[] {
  return ec === null ? [] : [["EC", ec]];
}

/** The XML document of an error. */
export function ossErrorXml({ code, message, requestId, hostId, elements }: ErrorDocument): string {
  const all = [
    ["Code", code],
    ["Message", message],
    ["RequestId", requestId],
    ["HostId", hostId],
    ...elements,
  ] as const;
  const lines = all.map(([name, text]) => `  <${name}>${escapeXml(text)}</${name}>`);
  return `<?xml version="1.0" encoding="UTF-8"?>\n<Error>\n${lines.join("\n")}\n</Error>\n`;
}

/** Text as it stands in an element. */
export function escapeXml(text: string): string {
  // XML 1.0 §2.2 has no way to write control characters, escaped or not.
  return text
    .replace(/[^\t\n\r\x20-\uffff]/g, "?")
    .replace(/&/g, "&amp;")
    .replace(/</g, "&lt;")
    .replace(/>/g, "&gt;");
}

/** The header lines of a local error but Content-Length; the code is there in words for HEAD and for people with curl. */
export function errorHeaders({ code, message, requestId }: LocalAnswer): string[] {
  return [
    "Server",
    "ossgate",
    "Content-Type",
    "application/xml",
    "Cache-Control",
    "no-store",
    "x-oss-request-id",
    requestId,
    "x-ossgate-error",
    code,
    "x-ossgate-message",
    message.replace(/[^\x20-\x7e]/g, "?"),
  ];
}
