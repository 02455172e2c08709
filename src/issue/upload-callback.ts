import type { CallbackConfig } from "../config/gateway-config.js";
import type { Secret } from "../core/secret.js";
import { encodePath } from "../core/target.js";
import { signCallbackToken } from "../policy/callback-token.js";
import type { IssueRoute, Located } from "./issue-routes.js";
import type { Parameters } from "./parameters.js";
import type { PlacedObject } from "./placed-object.js";
import { IssueRefusal } from "./refusal.js";

/** Who is to be told of an upload: a callback route of this gateway, by its URL or its name. */
export interface CallbackRequest {
  readonly url?: string | undefined;
  readonly route?: string | undefined;
  /** The template of what OSS posts, with `${bucket}` and `${object}`. */
  readonly body?: string | undefined;
  readonly bodyType?: CallbackBodyType | undefined;
  /** Custom variables: OSS puts `${x:name}` in for them. Names are lower case, without `x:`. */
  readonly vars?: Parameters | undefined;
}

export const CALLBACK_BODY_TYPES = ["application/x-www-form-urlencoded", "application/json"] as const;
type CallbackBodyType = (typeof CALLBACK_BODY_TYPES)[number];

/** What a form with a callback has besides. */
export interface CallbackFields {
  /** Base64 of OSS's JSON. */
  readonly callback: string;
  /** The form's fields: `callback`, and `x:…` for the variables. */
  readonly fields: readonly (readonly [name: string, value: string])[];
}

/** OSS takes no longer callback parameter (oss-semantics §9.2). */
const MAX_CALLBACK_BYTES = 5 * 1024;

/** OSS calls when the upload has ended, which may be long after the form was checked. */
const TOKEN_SLACK_SECONDS = 6 * 3_600;

export interface CallbackPlace {
  readonly object: PlacedObject;
  /** What the keys of these uploads begin with. */
  readonly dir: string;
  /** Unix seconds of the form's end. */
  readonly expiresSeconds: number;
}

/** The configuration of a callback route that takes the bucket's callbacks. */
export function callbackConfig(route: IssueRoute, { bucket }: PlacedObject): CallbackConfig | IssueRefusal {
  const { name, target } = route.config;
  if (target.kind !== "callback") return new IssueRefusal(422, `Route ${name} is none for upload callbacks.`);
  if (target.buckets.includes(bucket.alias)) return target;
  return new IssueRefusal(
    422,
    `Route ${name} takes no callbacks of bucket ${bucket.alias}. Add it to callback.buckets.`,
  );
}

/** The callback parameter, with a token in its URL that holds for this bucket and this prefix only (oss-semantics §9.2). */
export function makeCallback(
  request: CallbackRequest,
  { url }: Located,
  { object, dir, expiresSeconds }: CallbackPlace,
  secret: Secret,
): CallbackFields | IssueRefusal {
  const { vars = {}, bodyType = CALLBACK_BODY_TYPES[0] } = request;
  const wrongName = Object.keys(vars).find((name) => !/^[a-z0-9_-]{1,64}$/.test(name));
  if (wrongName !== undefined) {
    return new IssueRefusal(
      400,
      `The callback's variable ${wrongName} must be of lower-case letters, digits, _ and -.`,
    );
  }
  const body = request.body ?? defaultBody(Object.keys(vars), bodyType);
  if (!REQUIRED.every((name) => body.includes(name))) {
    return new IssueRefusal(400, `The callback's body must have ${REQUIRED.join(" and ")}: they are checked.`);
  }
  const claims = {
    bucket: object.bucket.bucket,
    keyPrefix: dir,
    expiresSeconds: expiresSeconds + TOKEN_SLACK_SECONDS,
  };
  const callbackUrl = `${url.origin}${encodePath(url.path)}?${signCallbackToken(claims, secret)}`;
  const json = JSON.stringify({ callbackUrl, callbackBody: body, callbackBodyType: bodyType });
  const callback = Buffer.from(json).toString("base64");
  if (callback.length > MAX_CALLBACK_BYTES) {
    return new IssueRefusal(400, `The callback is ${callback.length} bytes long; OSS takes ${MAX_CALLBACK_BYTES}.`);
  }
  const variables = Object.entries(vars).map(([name, value]) => [`x:${name}`, value] as const);
  return { callback, fields: [["callback", callback], ...variables] };
}

const REPORTED = ["bucket", "object", "etag", "size", "mimeType"];

/** OSS itself quotes what it puts into JSON. */
function defaultBody(vars: readonly string[], bodyType: CallbackBodyType): string {
  const pairs = [
    ...REPORTED.map((name) => [name, variable(name)] as const),
    ...vars.map((name) => [name, variable(`x:${name}`)] as const),
  ];
  if (bodyType === "application/json") {
    return `{${pairs.map(([name, value]) => `${JSON.stringify(name)}:${value}`).join(",")}}`;
  }
  return pairs.map(([name, value]) => `${name}=${value}`).join("&");
}

const REQUIRED = [variable("bucket"), variable("object")];

function variable(name: string): string {
  return `\${${name}}`;
}
