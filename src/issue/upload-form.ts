import type { OssCredentials } from "../core/secret.js";
import { encodePath, hasDotSegment } from "../core/target.js";
import { type PostFormVersion, signPostForm, type ValueRule } from "../signing/post-form.js";
import { capByCredentials, type Expiry, type ExpiryRequest, settleExpiry } from "./expiry.js";
import type { Located } from "./issue-routes.js";
import type { PlacedObject } from "./placed-object.js";
import type { SignatureVersion } from "./presign.js";
import { IssueRefusal } from "./refusal.js";
import { isPlainText } from "./text.js";
import type { CallbackFields, CallbackRequest } from "./upload-callback.js";

export interface UploadFormRequest extends ExpiryRequest {
  /** What every key begins with; ends at `/`. */
  readonly dir: string;
  /** An empty `dir` lets the form write any key of the bucket, so it must be said. */
  readonly allowEmptyDir?: boolean | undefined;
  /** The only key; `${filename}` in it stands for the file's name. Absent: any key below `dir`. */
  readonly key?: string | undefined;
  readonly minBytes?: number | undefined;
  /** The route's own limit when absent, and at most 5 GiB. */
  readonly maxBytes?: number | undefined;
  /** One type, several to choose from, or a kind, such as `image/*`. */
  readonly contentTypes?: readonly string[] | undefined;
  /** `v4` when absent. */
  readonly version?: SignatureVersion | undefined;
  readonly callback?: CallbackRequest | undefined;
  /** What OSS answers where no callback does; 200 when absent. */
  readonly successActionStatus?: 200 | 201 | 204 | undefined;
  /** The name of credentials in the configuration. */
  readonly credentials?: string | undefined;
}

/** The answer, in the shape of the vendor's samples of an application server, and `fields` (oss-semantics §9.1). */
export interface UploadForm {
  readonly accessid: string;
  /** Where to post: the route's public address. */
  readonly host: string;
  /** Base64 of the policy. */
  readonly policy: string;
  readonly signature: string;
  /** Unix seconds. */
  readonly expire: number;
  readonly dir: string;
  /** Base64 of the callback parameter; `""` without one. */
  readonly callback: string;
  /** Every field to post, in this order, before `file`. */
  readonly fields: Readonly<Record<string, string>>;
  /** Fields that the page must set itself: see `contentTypes`. */
  readonly choose: Readonly<Record<string, readonly string[]>>;
  /** The credentials end before what was asked for, and the form with them. */
  readonly isCappedByCredentials: boolean;
}

const DEFAULT_SECONDS = 600;
/** A form is good for at most seven days (oss-semantics §9.1); V1 is held to that too. */
const MAX_SECONDS = 604_800;
/** What PostObject takes (oss-semantics §9.1). */
const MAX_BYTES = 5 * 2 ** 30;

/** When the form ends: not after its credentials. */
export function formExpiry(request: ExpiryRequest, credentials: OssCredentials, nowMs: number): Expiry | IssueRefusal {
  const limits = { defaultSeconds: DEFAULT_SECONDS, maxSeconds: MAX_SECONDS, limitName: "a form upload" };
  const atSeconds = settleExpiry(request, limits, nowMs);
  return atSeconds instanceof IssueRefusal ? atSeconds : capByCredentials(atSeconds, credentials, nowMs);
}

interface FormParts {
  readonly located: Located;
  readonly object: PlacedObject;
  readonly credentials: OssCredentials;
  readonly expiry: Expiry;
  readonly callback: CallbackFields | null;
}

/** Makes a form upload: its policy, signature and fields. Every field is covered by a condition of the policy. */
export function makeUploadForm(request: UploadFormRequest, parts: FormParts, nowMs: number): UploadForm | IssueRefusal {
  const { located, object, credentials, expiry, callback } = parts;
  const key = readKey(request);
  if (key instanceof IssueRefusal) return key;
  const size = readSize(request, located);
  if (size instanceof IssueRefusal) return size;
  const contentType = readContentTypes(request.contentTypes ?? []);
  if (contentType instanceof IssueRefusal) return contentType;
  const version = formVersion(request.version ?? "v4", object, nowMs);
  if (version instanceof IssueRefusal) return version;
  const status = ["success_action_status", String(request.successActionStatus ?? 200)] as const;
  const fields = [status, ...(callback?.fields ?? [])];
  const tooPlain = fields.find(([, value]) => !isPlainText(value));
  if (tooPlain !== undefined) return bad(`The value of ${tooPlain[0]} may not have line breaks or control characters.`);
  const input = {
    bucket: object.bucket.bucket,
    ...key,
    ...size,
    contentType,
    fields,
    expiresAtMs: expiry.atSeconds * 1_000,
  };
  const form = signPostForm(input, credentials, version);
  return {
    accessid: credentials.accessKeyId,
    host: located.url.origin + encodePath(located.url.path).replace(/\/$/, ""),
    policy: form.policy,
    signature: form.signature,
    expire: expiry.atSeconds,
    dir: request.dir,
    callback: callback?.callback ?? "",
    fields: form.fields,
    choose: contentType === null || contentType.kind === "eq" ? {} : { "Content-Type": request.contentTypes ?? [] },
    isCappedByCredentials: expiry.isCapped,
  };
}

/** Why this cannot be where keys are confined to; `null` when it can. */
export function dirProblem({ dir, allowEmptyDir, key }: UploadFormRequest): IssueRefusal | null {
  if (dir === "" && allowEmptyDir !== true) {
    return bad(
      "An empty dir lets the form write any key of the bucket. Set a dir, or allowEmptyDir: true if that is meant.",
    );
  }
  // `user` would cover user2/ as well.
  if (dir !== "" && !dir.endsWith("/"))
    return bad("dir must end with '/', so that it covers one directory and no other.");
  return keyProblem("dir", dir) ?? (key === undefined ? null : keyProblem("key", key));
}

function keyProblem(name: string, text: string): IssueRefusal | null {
  if (/^[/\\]/.test(text)) return bad(`${name} must not begin with a slash: keys of OSS do not.`);
  if (hasDotSegment(`/${text}`)) return bad(`${name} must not have a '.' or '..' segment.`);
  if (Buffer.byteLength(text) > 1_023) return bad(`${name} is longer than the 1023 bytes of a key.`);
  return isPlainText(text) ? null : bad(`${name} must be text without control characters.`);
}

// biome-ignore lint/suspicious/noTemplateCurlyInString: OSS puts the name in
const FILE_NAME = "${filename}";

function readKey({
  dir,
  key,
}: UploadFormRequest): { readonly key: string; readonly keyRule: ValueRule } | IssueRefusal {
  if (key === undefined) return { key: dir + FILE_NAME, keyRule: { kind: "starts-with", prefix: dir } };
  if (key.startsWith(dir) && key !== dir) return { key, keyRule: { kind: "eq", value: key } };
  return bad("key must begin with dir, and be longer.");
}

interface SizeRange {
  readonly minBytes: number;
  readonly maxBytes: number;
}

function readSize({ minBytes = 0, maxBytes }: UploadFormRequest, { route }: Located): SizeRange | IssueRefusal {
  const { name, limits } = route.config;
  const most = Math.min(limits.bodySizeBytes, MAX_BYTES);
  if (maxBytes !== undefined && maxBytes > most) {
    return bad(`maxSize is more than the ${most} bytes that limits.bodySize of route ${name} and OSS allow.`);
  }
  const range = { minBytes, maxBytes: maxBytes ?? most };
  if (range.minBytes <= range.maxBytes) return range;
  return bad("minSize is more than maxSize.");
}

const TYPE = /^[A-Za-z0-9!#&^_.+-]+\/[A-Za-z0-9!#&^_.+-]+(?:; ?[A-Za-z0-9-]+=[A-Za-z0-9._-]+)*$/;
const KIND = /^[A-Za-z0-9!#&^_.+-]+\/\*$/;

function readContentTypes(types: readonly string[]): ValueRule | null | IssueRefusal {
  const [first, ...others] = types;
  if (first === undefined) return null;
  if (others.length === 0 && KIND.test(first)) return { kind: "starts-with", prefix: first.slice(0, -1) };
  const wrong = types.find((type) => !TYPE.test(type));
  if (wrong !== undefined) {
    return bad("contentType must be types such as image/png, or one kind such as image/*, which a policy can check.");
  }
  return others.length === 0 ? { kind: "eq", value: first } : { kind: "in", values: types };
}

function formVersion(
  version: SignatureVersion,
  { bucket }: PlacedObject,
  nowMs: number,
): PostFormVersion | IssueRefusal {
  if (version === "v1") return { version };
  if (bucket.region !== null) return { version, nowMs, region: bucket.region };
  return new IssueRefusal(422, `Bucket ${bucket.alias} has no region in the configuration, and V4 needs it.`);
}

function bad(message: string): IssueRefusal {
  return new IssueRefusal(400, message);
}
