import { randomBytes } from "node:crypto";
import bcrypt from "bcrypt";
import { Secret } from "../core/secret.js";

/**
 * What bcrypt takes of a password. The rest would count for nothing, so that a longer password is never right here:
 * any other that begins like it would be too.
 */
export const MAX_PASSWORD_BYTES = 72;

/**
 * Hashes a password as a hash says and compares: 1 ms at cost 4, twice that for each one more, on a thread of libuv's pool.
 * @param password without NUL, at most {@link MAX_PASSWORD_BYTES}
 * @param hash `$2b$…`; the library takes no `$2y$`
 */
export function matchesHash(password: string, hash: Secret): Promise<boolean> {
  return bcrypt.compare(password, hash.reveal());
}

/** A hash of no known password, which takes as long to compare as any of that cost. */
export function nobodysHash(cost: number): Secret {
  const salted = randomBytes(40).toString("base64").replaceAll("+", ".").slice(0, 53);
  return new Secret(`$2b$${String(cost).padStart(2, "0")}$${salted}`);
}
