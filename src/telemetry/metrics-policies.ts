import { ERROR_CODES, type ErrorCode } from "../core/errors.js";

/** Which policy a refusal comes from, as a closed set of labels. */
export const POLICY_LABELS = [
  "request",
  "host",
  "address",
  "path",
  "method",
  "rate",
  "connections",
  "shed",
  "body",
  "referer",
  "cors",
  "link",
  "login",
  "forwardAuth",
  "certificate",
  "signature",
  "operation",
  "callback",
] as const;
export type PolicyLabel = (typeof POLICY_LABELS)[number];

/**
 * By the code of the refusal; of faults, and of clients that left or were too slow, there is none. `request` is what no
 * policy wants: requests that are malformed or too large.
 */
export const POLICY_OF: Readonly<Partial<Record<ErrorCode, PolicyLabel>>> = {
  MALFORMED_REQUEST: "request",
  MALFORMED_TARGET: "request",
  INVALID_OBJECT_NAME: "request",
  DOT_SEGMENT: "request",
  INVALID_HOST: "request",
  UNSUPPORTED_ENCODING: "request",
  LENGTH_REQUIRED: "request",
  TARGET_TOO_LONG: "request",
  EXPECTATION_FAILED: "request",
  HEADERS_TOO_LARGE: "request",
  NO_ROUTE: "host",
  NO_SUCH_BUCKET: "host",
  CLIENT_NOT_ALLOWED: "address",
  PATH_NOT_ALLOWED: "path",
  METHOD_NOT_ALLOWED: "method",
  RATE_LIMITED: "rate",
  TOO_MANY_CONNECTIONS: "connections",
  SHED: "shed",
  BODY_TOO_LARGE: "body",
  REFERER_DENIED: "referer",
  PREFLIGHT_INCOMPLETE: "cors",
  CORS_DENIED: "cors",
  LINK_REQUIRED: "link",
  LINK_INVALID: "link",
  LINK_EXPIRED: "link",
  LOGIN_REQUIRED: "login",
  FORWARD_AUTH_DENIED: "forwardAuth",
  CLIENT_SIGNATURE_NOT_ALLOWED: "signature",
  CLIENT_SIGNATURE_INVALID: "signature",
  SIGNATURE_WOULD_BREAK: "signature",
  HEADER_NOT_ALLOWED: "operation",
  PARAMETER_NOT_ALLOWED: "operation",
  OPERATION_NOT_ALLOWED: "operation",
  CALLBACK_NOT_GENUINE: "callback",
};

const PLACES: readonly number[] = ERROR_CODES.map((code) => {
  const policy = POLICY_OF[code];
  return policy === undefined ? -1 : POLICY_LABELS.indexOf(policy);
});

/**
 * @param errors by the place in `ERROR_CODES`
 * @returns by the place in {@link POLICY_LABELS}
 */
export function refusalsByPolicy(errors: Float64Array): Float64Array {
  const counts = new Float64Array(POLICY_LABELS.length);
  PLACES.forEach((place, index) => {
    if (place !== -1) counts[place] = (counts[place] as number) + (errors[index] as number);
  });
  return counts;
}
