import { isoExtended } from "../signing/time.js";
import { explain } from "./explain.js";
import { FieldReader } from "./field-reader.js";
import type { Issuer, Place } from "./issuer.js";
import type { LinkRequest } from "./link.js";
import { PRESIGN_METHODS, type PresignRequest } from "./presign.js";
import { IssueRefusal } from "./refusal.js";
import { CALLBACK_BODY_TYPES, type CallbackRequest } from "./upload-callback.js";
import type { UploadForm, UploadFormRequest } from "./upload-form.js";

/** What `POST /sign` answers. */
export interface SignAnswer {
  readonly kind: "link" | "presigned";
  readonly url: string;
  readonly route: string;
  readonly method: string;
  /** ISO 8601. */
  readonly expiresAt: string;
  /** Of a presigned URL: the credentials end before what was asked for. */
  readonly isCappedByCredentials?: boolean;
  /** Of a presigned URL: what the client must send as it stands here. */
  readonly headers?: Readonly<Record<string, string>>;
  /** When asked for: what was signed, secrets masked. */
  readonly explanation?: string;
}

/** `POST /sign`: a link, or a presigned URL, from a JSON body. */
export function answerSign(issuer: Issuer, body: unknown, nowMs: number): SignAnswer | IssueRefusal {
  const reader = new FieldReader(body);
  const place = readPlace(reader);
  const asked = reader.oneOf("kind", ["link", "presigned"] as const);
  const kind = asked ?? (issuer.prefersLink(place) ? "link" : "presigned");
  return kind === "link" ? answerLink(issuer, place, reader, nowMs) : answerPresign(issuer, place, reader, nowMs);
}

function answerLink(issuer: Issuer, place: Place, reader: FieldReader, nowMs: number): SignAnswer | IssueRefusal {
  const request: LinkRequest = {
    ...readCommon(reader),
    isPrefix: reader.flag("prefix"),
    client: reader.text("client"),
    method: reader.text("method"),
  };
  const wantsExplanation = reader.flag("explain") === true;
  const problem = reader.problem();
  if (problem !== null) return problem;
  const issued = issuer.link({ ...place, ...request }, nowMs);
  if (issued instanceof IssueRefusal) return issued;
  const { kind, url, route, method, expiresSeconds } = issued;
  const expiresAt = isoExtended(expiresSeconds * 1_000);
  return { kind, url, route, method, expiresAt, ...(wantsExplanation && { explanation: explain(issued) }) };
}

function answerPresign(issuer: Issuer, place: Place, reader: FieldReader, nowMs: number): SignAnswer | IssueRefusal {
  const request: PresignRequest = {
    ...readCommon(reader),
    method: reader.oneOf("method", PRESIGN_METHODS),
    version: reader.oneOf("version", ["v4", "v1"] as const),
    headers: reader.textMap("headers"),
    credentials: reader.text("credentials"),
  };
  const wantsExplanation = reader.flag("explain") === true;
  const problem = reader.problem();
  if (problem !== null) return problem;
  const issued = issuer.presign({ ...place, ...request }, nowMs);
  if (issued instanceof IssueRefusal) return issued;
  const { kind, url, route, method, expiresSeconds, headers, isCappedByCredentials } = issued;
  const expiresAt = isoExtended(expiresSeconds * 1_000);
  const answer = { kind, url, route, method, expiresAt, headers, isCappedByCredentials };
  return { ...answer, ...(wantsExplanation && { explanation: explain(issued) }) };
}

/** `POST /policy`: a form upload from a JSON body. */
export function answerPolicy(issuer: Issuer, body: unknown, nowMs: number): UploadForm | IssueRefusal {
  const reader = new FieldReader(body);
  const place = readPlace(reader);
  const request = readUploadForm(reader);
  const problem = reader.problem();
  if (problem !== null) return problem;
  const callback = readCallback(reader.any("callback"));
  if (callback instanceof IssueRefusal) return callback;
  return issuer.uploadForm({ ...place, ...request, callback }, nowMs);
}

function readUploadForm(reader: FieldReader): UploadFormRequest {
  const single = reader.text("contentType");
  const several = reader.texts("contentTypes");
  reader.any("callback");
  return {
    // An empty one is refused like one that is not there, unless allowEmptyDir is said.
    dir: reader.text("dir") ?? "",
    allowEmptyDir: reader.flag("allowEmptyDir"),
    key: reader.text("key"),
    minBytes: reader.sizeBytes("minSize"),
    maxBytes: reader.sizeBytes("maxSize"),
    contentTypes: single === undefined ? several : [single, ...(several ?? [])],
    expiresInSeconds: reader.durationSeconds("expires"),
    expiresAtSeconds: reader.timeSeconds("expiresAt"),
    version: reader.oneOf("version", ["v4", "v1"] as const),
    successActionStatus: reader.oneOf("successActionStatus", [200, 201, 204] as const),
    credentials: reader.text("credentials"),
  };
}

function readCallback(value: unknown): CallbackRequest | undefined | IssueRefusal {
  if (value === undefined) return undefined;
  const reader = new FieldReader(value, "callback.");
  const callback = {
    url: reader.text("url"),
    route: reader.text("route"),
    body: reader.text("body"),
    bodyType: reader.oneOf("bodyType", CALLBACK_BODY_TYPES),
    vars: reader.textMap("vars"),
  };
  return reader.problem() ?? callback;
}

function readPlace(reader: FieldReader): Place {
  return { url: reader.text("url"), route: reader.text("route"), path: reader.text("path") };
}

function readCommon(reader: FieldReader) {
  return {
    expiresInSeconds: reader.durationSeconds("expires"),
    expiresAtSeconds: reader.timeSeconds("expiresAt"),
    parameters: reader.textMap("parameters"),
    process: reader.text("process"),
    response: reader.textMap("response"),
  };
}
