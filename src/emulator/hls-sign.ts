import { encodePath, splitTarget } from "../core/target.js";
import { parseQuery as parsePairs } from "../signing/canonical.js";
import { presignV1Url } from "../signing/sign.js";
import type { KnownCredentials, QueryPairs } from "../signing/types.js";
import { bytesAnswer, isRefusal, type Outcome } from "./answer.js";
import { readAll } from "./body.js";
import { notEmulated, type Refusal, refuse } from "./errors.js";
import { type Exchange, requestHeader } from "./exchange.js";
import type { HlsSignLimits } from "./hls-limits.js";
import { keyOfPath } from "./key.js";
import { describeProcessed, noSuchKey } from "./object-read.js";
import type { Query } from "./query.js";
import type { StoredObject } from "./store.js";

/** The value of `x-oss-process` that asks for a signed playlist (GetSignedPlaylist, oss-semantics §4). */
export const HLS_SIGN = "hls/sign";

/**
 * What must be said before the signature is looked at, because it fails for the same reason: a URL signature whose
 * security token is in a header (oss-semantics §4.1).
 */
export function hlsTokenProblem(query: Query, headerNames: ReadonlySet<string>): Refusal | null {
  const isMisplaced =
    query.get("x-oss-process") === HLS_SIGN &&
    query.has("OSSAccessKeyId") &&
    !query.has("security-token") &&
    headerNames.has("x-oss-security-token");
  const message = "Security-token must be provided by query string parameter.";
  return isMisplaced ? refuse("InvalidRequest", { message }) : null;
}

/** GetSignedPlaylist: every TS line, or every playlist line, gets a URL signature (oss-semantics §4.2). */
export function signPlaylist(exchange: Exchange): Outcome {
  const { query, key, bucket, world, accessKeyId } = exchange;
  const credentials = world.credentials.get(accessKeyId ?? "");
  const problem = requestProblem(exchange);
  if (problem !== null) return problem;
  if (credentials === undefined) return unsignedUrl();
  const object = bucket.objects.get(key);
  if (object === undefined) return noSuchKey(key);
  const lines = readLines(object, world.hlsSignLimits);
  if (isRefusal(lines)) return lines;
  const signer = { bucket: bucket.name, credentials, expiresSeconds: Number(query.get("Expires")) };
  const headers = describeProcessed(exchange, object, []);
  if (isRefusal(headers)) return headers;
  return bytesAnswer(200, headers, Buffer.from(lines.map((line) => signLine(line, signer)).join("\n"), "latin1"));
}

function requestProblem(exchange: Exchange): Refusal | null {
  const { signatureClass } = exchange;
  if (!signatureClass.endsWith("-url")) return unsignedUrl();
  // What OSS writes into a playlist that was asked for with another version is not documented (oss-semantics §13.1).
  if (signatureClass !== "v1-url") return notEmulated("hls/sign with a URL signature other than V1");
  if (!exchange.key.endsWith(".m3u8")) {
    return refuse("InvalidRequest", { message: "The object name must end with .m3u8." });
  }
  return signTokenProblem(requestHeader(exchange, "x-oss-hls-sign-token"));
}

const unsignedUrl = (): Refusal => refused("410", "The signature must be provided by query string parameters.");

function readLines(object: StoredObject, limits: HlsSignLimits): readonly PlaylistLine[] | Refusal {
  if (object.body === null) return notEmulated("reading an object whose bytes were dropped");
  if (object.size > limits.playlistBytes) return refused("404", "Size of playlist is too big.");
  const text = readAll(object.body).toString("latin1");
  const lines = text.split("\n").map((line) => readLine(line, object.key));
  return linesProblem(lines, limits) ?? lines;
}

// The codes are known by their EC alone; status and code are those of 410, and 406 and 407 have no known text.
function refused(ec: "401" | "402" | "404" | "406" | "407" | "408" | "409" | "410", message: string): Refusal {
  return refuse("InvalidArgument", { message, ec: `0044-00000${ec}` });
}

/** The header means something only to OSS; its form is known (oss-semantics §4.1). */
function signTokenProblem(token: string | undefined): Refusal | null {
  if (token === undefined) return null;
  if (token.length > 100) return refused("401", "The length of x-oss-hls-sign-token is invalid.");
  return /^[\w.-]*$/.test(token) ? null : refused("402", "x-oss-hls-sign-token has an invalid character.");
}

/** A line of a playlist; `key` is what it leads to in the bucket when it is to be signed. */
type PlaylistLine =
  | { readonly kind: "other"; readonly raw: string }
  | { readonly kind: "segment" | "variant"; readonly raw: string; readonly key: string };

const PLACE = "http://bucket.invalid";

/** @param raw bytes as latin1, with the CR of a CRLF */
function readLine(raw: string, playlistKey: string): PlaylistLine {
  const uri = uriOf(raw);
  if (uri === "" || uri.includes("#") || !URL.canParse(uri, PLACE)) return { kind: "other", raw };
  const url = new URL(uri, `${PLACE}/${encodePath(playlistKey)}`);
  const kind = url.pathname.endsWith(".ts") ? "segment" : "variant";
  const key = keyOfPath(url.pathname);
  const isSigned = url.origin === PLACE && typeof key === "string" && /\.(?:ts|m3u8)$/.test(url.pathname);
  return isSigned ? { kind, raw, key } : { kind: "other", raw };
}

function uriOf(raw: string): string {
  return Buffer.from(withoutEnd(raw), "latin1").toString();
}

const withoutEnd = (raw: string): string => raw.replace(/[ \t\r]+$/, "");

function linesProblem(lines: readonly PlaylistLine[], limits: HlsSignLimits): Refusal | null {
  const segments = lines.filter(({ kind }) => kind === "segment").length;
  const variants = lines.filter(({ kind }) => kind === "variant").length;
  if (segments > 0 && variants > 0) return refused("409", "Master playlist has ts file.");
  if (segments + variants === 0) return refused("408", "No ts found in the playlist.");
  if (segments > limits.segments) return refused("406", "The playlist has too many ts files.");
  return variants > limits.variants ? refused("407", "The master playlist has too many m3u8 files.") : null;
}

interface LineSigner {
  readonly bucket: string;
  readonly credentials: KnownCredentials;
  /** That of the playlist's own URL. */
  readonly expiresSeconds: number;
}

// That a child playlist asks for hls/sign again is not documented (oss-semantics §4.2).
const AGAIN: QueryPairs = [["x-oss-process", HLS_SIGN]];

function signLine(line: PlaylistLine, { bucket, credentials, expiresSeconds }: LineSigner): string {
  if (line.kind === "other") return line.raw;
  const uri = withoutEnd(line.raw);
  const { rawQuery } = splitTarget(uri);
  const query = [...parsePairs(rawQuery), ...(line.kind === "variant" ? AGAIN : [])];
  const input = { method: "GET", bucket, key: line.key, query, headers: [] };
  const process = line.kind === "variant" ? "x-oss-process=hls%2Fsign&" : "";
  const signature = presignV1Url(input, credentials, expiresSeconds);
  return `${uri}${rawQuery === "" ? "?" : "&"}${process}${signature}${line.raw.slice(uri.length)}`;
}
