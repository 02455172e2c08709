import { createHash } from "node:crypto";
import type { HeaderList } from "../core/headers.js";
import { anonymousRefusal, hasAccess } from "./access.js";
import { type Answer, bodilessAnswer, emptyAnswer, isRefusal, type Outcome, xmlAnswer } from "./answer.js";
import { bytesSource, readAll } from "./body.js";
import { crc64 } from "./crc64.js";
import { invalidArgument, notEmulated, type Refusal, refuse } from "./errors.js";
import { type Exchange, requestHeader, requestOrigin } from "./exchange.js";
import { type FormFile, formBoundary, type ParsedForm, parseForm } from "./form-data.js";
import { lengthProblem } from "./ingest.js";
import { keyProblem } from "./key.js";
import { headerText, isSettingName, readSettings } from "./metadata.js";
import { headerProblem } from "./not-emulated.js";
import { normalObject, overwriteProblem } from "./object-write.js";
import { authenticateForm } from "./post-auth.js";
import { refererRefusal } from "./referer.js";
import { discardsBody, type StoredObject } from "./store.js";
import { element, xmlDocument } from "./xml.js";

/**
 * PostObject: a form to the bucket's root, authenticated by its fields alone (oss-semantics §9.1).
 * @param region of the addressed host, for the scope of V4; `null` where the host tells none
 */
export async function postObject(exchange: Exchange, region: string | null): Promise<Outcome> {
  const boundary = formBoundary(requestHeader(exchange, "content-type") ?? "");
  if (boundary === null) return refuse("RequestIsNotMultiPartContent");
  const length = lengthProblem(exchange.headers);
  if (length !== null) return length;
  const received = await exchange.arrival.receiveBody();
  if (isRefusal(received)) return received;
  const form = parseForm(received.body === null ? Buffer.alloc(0) : readAll(received.body), boundary);
  if (isRefusal(form)) return form;
  const { file } = form;
  if (file === null || !form.fields.has("key")) return refuse("IncorrectNumberOfFilesInPOSTRequest");
  if (form.fields.has("callback")) return notEmulated("callbacks");
  return storeForm(exchange, form, file, region);
}

function storeForm(exchange: Exchange, form: ParsedForm, file: FormFile, region: string | null): Outcome {
  const { bucket, world, nowMs } = exchange;
  const subject = { bucket: bucket.name, fields: form.fields, fileBytes: file.bytes.length };
  const signer = authenticateForm({ subject, region, world, nowMs });
  if (isRefusal(signer)) return signer;
  // A form is signed by its fields: no Authorization header exempts it (oss-semantics §5.2 R0).
  const refused = refererRefusal(exchange);
  if (refused !== null) return refused;
  const key = (form.fields.get("key") ?? "").replace(/\$\{filename\}/g, () => file.name);
  const invalid = keyProblem(key);
  if (invalid !== null) return invalid;
  const isAllowed = hasAccess("write-object", bucket, bucket.objects.get(key), signer.accessKeyId);
  if (!isAllowed) return anonymousRefusal("write-object");
  const unknown = headerProblem(form.fields.keys());
  if (unknown !== null) return unknown;
  const stored = storeFile({ ...exchange, key }, form, file);
  return isRefusal(stored) ? stored : formAnswer({ ...exchange, key }, form, stored);
}

function storeFile(exchange: Exchange, form: ParsedForm, file: FormFile): StoredObject | Refusal {
  const headers = formHeaders(form, file);
  if (isRefusal(headers)) return headers;
  const settings = readSettings(headers);
  if (isRefusal(settings)) return settings;
  const overwrite = overwriteProblem(exchange, settings.mayOverwrite);
  if (overwrite !== null) return overwrite;
  const received = {
    body: discardsBody(exchange.bucket, exchange.key) ? null : bytesSource(Buffer.from(file.bytes)),
    size: file.bytes.length,
    md5: createHash("md5").update(file.bytes).digest(),
    crc64: crc64(file.bytes),
  };
  const object = normalObject(exchange.key, settings, received, exchange.nowMs);
  exchange.bucket.objects.set(object.key, object);
  return object;
}

const HEADER_NAME = /^[a-z0-9!#$%&'*+.^_`|~-]+$/;

/**
 * The form's fields that PutObject has as headers. Content type: x-oss-content-type, then
 * Content-Type, then the file's own.
 */
function formHeaders(form: ParsedForm, file: FormFile): HeaderList | Refusal {
  const headers: string[] = [];
  const type = form.fields.get("x-oss-content-type") ?? form.fields.get("content-type") ?? file.contentType;
  const fields = new Map(form.fields).set("content-type", type ?? "application/octet-stream");
  for (const [name, value] of fields) {
    if (!isSettingName(name)) continue;
    const text = headerText(value);
    if (text === null || !HEADER_NAME.test(name)) return invalidArgument(name, value);
    headers.push(name, text);
  }
  return headers;
}

function formAnswer(exchange: Exchange, form: ParsedForm, object: StoredObject): Answer {
  const digests = ["ETag", object.etag, "x-oss-hash-crc64ecma", String(object.crc64)];
  const redirect = form.fields.get("success_action_redirect") ?? "";
  if (redirect !== "") return emptyAnswer(303, ["Location", redirectTarget(redirect, exchange, object), ...digests]);
  const status = form.fields.get("success_action_status");
  if (status === "200") return emptyAnswer(200, digests);
  if (status !== "201") return bodilessAnswer(204, digests);
  const xml = xmlDocument(
    "PostResponse",
    element("Bucket", exchange.bucket.name),
    element("ETag", object.etag),
    element("Key", object.key),
    element("Location", `${requestOrigin(exchange)}/${encodeURIComponent(object.key)}`),
  );
  return xmlAnswer(xml, digests, 201);
}

function redirectTarget(redirect: string, exchange: Exchange, object: StoredObject): string {
  const parameters = new URLSearchParams({ bucket: exchange.bucket.name, etag: object.etag, key: object.key });
  return `${Buffer.from(redirect).toString("latin1")}${redirect.includes("?") ? "&" : "?"}${parameters}`;
}
