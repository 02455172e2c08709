import { GatewayError } from "../core/errors.js";
import { decodePath } from "../core/target.js";
import { type Refusal, refuse } from "./errors.js";

const MAX_KEY_BYTES = 1023;

/**
 * The key that a raw path addresses: what follows the first slash, percent-decoded exactly once (oss-semantics §11.6).
 * `""` is the bucket itself.
 */
export function keyOfPath(rawPath: string): string | Refusal {
  try {
    const key = decodePath(rawPath).slice(1);
    return key === "" ? key : (keyProblem(key) ?? key);
  } catch (error) {
    if (error instanceof GatewayError && error.code === "INVALID_OBJECT_NAME") return invalidName("0016-00000004");
    if (error instanceof GatewayError) return refuse("InvalidURI");
    throw error;
  }
}

/** Why OSS would not have this key (oss-semantics §7.2, §11.6), or `null`. */
export function keyProblem(key: string): Refusal | null {
  if (key === "") return invalidName("0016-00000001");
  if (Buffer.byteLength(key) > MAX_KEY_BYTES) return invalidName("0016-00000002");
  if (key.startsWith("/") || key.startsWith("\\")) return invalidName("0016-00000005");
  return null;
}

function invalidName(ec: string): Refusal {
  return refuse("InvalidObjectName", { ec });
}
