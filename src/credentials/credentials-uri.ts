import { ask, type Timeouts } from "./ask.js";
import { readCredentialsJson } from "./credentials-json.js";
import { CredentialsError, type CredentialsProvider } from "./provider.js";

export interface CredentialsUriOptions {
  /** Its path and query may hold a secret: messages name the origin alone. */
  readonly url: string;
  readonly timeouts?: Timeouts;
}

/** As the vendor's library. */
const TIMEOUTS: Timeouts = { connectMs: 5_000, answerMs: 10_000 };

/**
 * A service that answers a GET with 200 and `{AccessKeyId, AccessKeySecret, SecurityToken, Expiration}` (oss-semantics §8.1).
 *
 * Not the vendor's provider: it puts answers into messages, and does not bound what it reads.
 * @throws CredentialsError when `url` is none
 */
export function credentialsUriProvider({ url: text, timeouts = TIMEOUTS }: CredentialsUriOptions): CredentialsProvider {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || !/^https?:$/.test(url.protocol))
    throw new CredentialsError("the credentials URI is not an http URL");
  const who = `the credentials URI at ${url.origin}`;
  return {
    fetch: async (signal) => {
      const { status, body } = await ask({ method: "GET", url, who, timeouts, signal });
      if (status !== 200) throw new CredentialsError(`${who} answered ${status}`);
      return readCredentialsJson(body, { where: who, isTemporary: true });
    },
  };
}
