import type { OssCredentials } from "../core/secret.js";

/** Where credentials come from, asked anew each time: it keeps no set and runs no timers. */
export interface CredentialsProvider {
  /**
   * Asks once.
   * @throws CredentialsError when there are none; `signal` ends the question early
   */
  fetch(signal: AbortSignal): Promise<OssCredentials>;
  /**
   * Calls back when another set may be there before the last one expires.
   * @returns ends the watch
   */
  watch?(onChange: () => void): () => void;
}

/**
 * Why there are no credentials: one sentence for an operator. Whoever throws it vouches that the message holds no secret and
 * nothing of an answer's body; the message of any other error is never printed.
 */
export class CredentialsError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "CredentialsError";
  }
}

/** What may be printed of an error that this program did not write: its code (`ECONNREFUSED`), never its message. */
export function errorCode(error: unknown): string {
  const code = (error as { readonly code?: unknown } | null)?.code;
  return typeof code === "string" && /^[A-Z][A-Z0-9_]{1,63}$/.test(code) ? code : "unexpected error";
}
