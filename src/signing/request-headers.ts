import type { Denial } from "../core/errors.js";
import { connectionNamed, type HeaderList } from "../core/headers.js";
import type { Operation } from "../core/operations.js";
import { isOssAuthorization } from "./classify.js";
import {
  headerNeedsOperation,
  headerRefused,
  headerRepeated,
  ossHeaderRefused,
  signatureUnexpected,
} from "./request-denials.js";
import type { CompiledRules } from "./request-rules.js";
import type { RequestShape } from "./request-shapes.js";

/**
 * What a header means here. `always` goes to OSS with every request, `read` with GET and HEAD, `document` with a body
 * that OSS interprets, `upload` with one that it stores; what is not a request's to say is `dropped`. A `condition` of
 * a write, which OSS would not heed, is refused rather than dropped: the client means to overwrite nothing.
 */
type Kind =
  | "always"
  | "read"
  | "condition"
  | "document"
  | "upload"
  | "dropped"
  | "oss"
  | "authorization"
  | "connection";

const NAMES: Readonly<Record<Exclude<Kind, "oss">, string>> = {
  always: `Accept Accept-Encoding Accept-Language User-Agent Referer Origin Access-Control-Request-Method
    Access-Control-Request-Headers`,
  read: "Range If-Match If-None-Match If-Modified-Since If-Unmodified-Since If-Range",
  condition: "Content-Range X-Amz-Copy-Source",
  document: "Content-Type Content-MD5",
  upload: "Content-Encoding Content-Disposition Content-Language Cache-Control Expires",
  dropped: `Host Cookie Date Pragma Content-Length Transfer-Encoding Expect Keep-Alive Upgrade TE Trailer DNT Via
    Upgrade-Insecure-Requests X-Forwarded-For X-Forwarded-Proto X-Forwarded-Host X-Real-IP X-Requested-With Forwarded
    Sec-Fetch-Site Sec-Fetch-Mode Sec-Fetch-Dest Sec-Fetch-User Sec-CH-UA Sec-CH-UA-Mobile Sec-CH-UA-Platform Priority`,
  authorization: "Authorization",
  connection: "Connection",
};

// In the two spellings that clients use, so that the usual name is found as it came, without a copy in lower case.
const KIND_OF: ReadonlyMap<string, Kind> = new Map(
  Object.entries(NAMES).flatMap(([kind, names]) =>
    names.split(/\s+/).flatMap((name): [string, Kind][] => [
      [name, kind as Kind],
      [name.toLowerCase(), kind as Kind],
    ]),
  ),
);

function kindOf(name: string): Kind {
  const lowerName = name.toLowerCase();
  return KIND_OF.get(lowerName) ?? (lowerName.startsWith("x-oss-") ? "oss" : "dropped");
}

const SIGNATURE_HEADERS: ReadonlySet<string> = new Set(["x-oss-date", "x-oss-security-token", "x-oss-content-sha256"]);

/** `x-oss-*` headers that do what an operation of their own does. */
const NEEDED_OPERATION: ReadonlyMap<string, Operation> = new Map([
  ["x-oss-object-acl", "PutObjectACL"],
  ["x-oss-tagging", "PutObjectTagging"],
  ["x-oss-tagging-directive", "PutObjectTagging"],
]);

/** A client's own gives way to the route's: see {@link setsTraffic}. */
export const TRAFFIC_LIMIT = "x-oss-traffic-limit";

/** Whether the gateway says how fast the bytes may pass, instead of the client. */
export function setsTraffic({ isTransfer }: RequestShape, { trafficLimit }: CompiledRules): boolean {
  return isTransfer && trafficLimit !== null;
}

interface HeaderQuestion {
  readonly headers: HeaderList;
  readonly shape: RequestShape;
  readonly rules: CompiledRules;
  readonly carriesVerifiedSignature: boolean;
}

/**
 * Takes from a client's header lines those that go to OSS, in their order and case, or says which one may not.
 * Nothing but what is listed is taken, so hop-by-hop headers stay behind; so does what `Connection` names.
 */
export function filterHeaders(question: HeaderQuestion): string[] | Denial {
  const { headers, shape } = question;
  const isRead = shape.headerUse === "read";
  const kept: string[] = [];
  let connection: string | null = null;
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] as string;
    const value = headers[i + 1] as string;
    const kind = KIND_OF.get(name) ?? kindOf(name);
    if (kind === "dropped") continue;
    if (kind === "always" || (isRead && kind === "read")) kept.push(name, value);
    else if (kind === "connection") connection = connection === null ? value : `${connection},${value}`;
    else {
      const verdict = judge(kind, name, value, question);
      if (verdict === true) kept.push(name, value);
      else if (verdict !== false) return verdict;
    }
  }
  if (!isRead) {
    const repeated = repeatedSigned(kept);
    if (repeated !== null) return headerRepeated(repeated);
  }
  return connection === null ? kept : withoutNamed(kept, connection);
}

/** Whether a header that is not plainly to be kept or dropped goes to OSS. */
function judge(kind: Kind, name: string, value: string, question: HeaderQuestion): boolean | Denial {
  const { headerUse } = question.shape;
  switch (kind) {
    case "read":
    case "condition":
      return headerUse === "read" ? false : headerRefused(name, question.shape);
    case "document":
      return headerUse === "document" || headerUse === "upload";
    case "upload":
      return headerUse === "upload";
    case "authorization":
      return isOssAuthorization(value) && !question.carriesVerifiedSignature ? signatureUnexpected(name) : false;
    default:
      return judgeOssHeader(name, question);
  }
}

function judgeOssHeader(name: string, { shape, rules, carriesVerifiedSignature }: HeaderQuestion): boolean | Denial {
  const lowerName = name.toLowerCase();
  if (carriesVerifiedSignature && SIGNATURE_HEADERS.has(lowerName)) return false;
  if (lowerName === TRAFFIC_LIMIT && setsTraffic(shape, rules)) return false;
  const listed = lowerName.startsWith("x-oss-meta-") ? "x-oss-meta-" : lowerName;
  if (!shape.ossHeaders.has(listed)) return ossHeaderRefused(name, shape);
  const operation = NEEDED_OPERATION.get(lowerName);
  return operation === undefined || rules.operations.has(operation) ? true : headerNeedsOperation(name, operation);
}

/** The first name of a second line that a signature covers: signer and reader might take another one of the two. */
function repeatedSigned(kept: readonly string[]): string | null {
  const seen = new Set<string>();
  for (let i = 0; i < kept.length; i += 2) {
    const name = (kept[i] as string).toLowerCase();
    if (!name.startsWith("x-oss-") && !name.startsWith("content-")) continue;
    if (seen.has(name)) return kept[i] as string;
    seen.add(name);
  }
  return null;
}

function withoutNamed(kept: string[], connection: string): string[] {
  const named = connectionNamed(connection);
  if (named === null) return kept;
  const rest: string[] = [];
  for (let i = 0; i < kept.length; i += 2) {
    if (!named.has((kept[i] as string).toLowerCase())) rest.push(kept[i] as string, kept[i + 1] as string);
  }
  return rest;
}
