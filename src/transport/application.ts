import { GatewayError } from "../core/errors.js";
import type { HeaderList } from "../core/headers.js";
import { askOnce } from "./ask-once.js";

/** OSS takes no more from an application (oss-semantics §9.2). */
const MAX_ANSWER_BYTES = 1024 * 1024;

/** The application that upload callbacks are for. */
export interface Application {
  /** http or https; path and query are used as they are. */
  readonly url: URL;
  /** From the name's look-up to the last byte of the answer. */
  readonly timeoutMs: number;
  /** PEM text of an extra authority, or `null`. */
  readonly ca: string | null;
}

export interface CallbackPost {
  /** Without Host and framing. */
  readonly headers: HeaderList;
  readonly body: Buffer;
  /** Counts where it is less than the application's own time. */
  readonly withinMs: number;
  /** Aborted when OSS has gone. */
  readonly signal: AbortSignal;
}

/**
 * Posts a callback, once.
 * @returns the body of the application's answer, which is JSON
 * @throws GatewayError `CALLBACK_FORWARD_FAILED`; its detail names addresses and is for the log alone
 */
export async function postCallback(application: Application, post: CallbackPost): Promise<Buffer> {
  try {
    return await ask(application, post);
  } catch (cause) {
    throw new GatewayError("CALLBACK_FORWARD_FAILED", (cause as Error).message, { cause });
  }
}

async function ask({ url, timeoutMs, ca }: Application, post: CallbackPost): Promise<Buffer> {
  const { status, body } = await askOnce({
    url,
    method: "POST",
    headers: post.headers,
    body: post.body,
    maxAnswerBytes: MAX_ANSWER_BYTES,
    timeoutMs: Math.max(1, Math.min(timeoutMs, post.withinMs)),
    ca,
    connectTo: null,
    signal: post.signal,
  });
  if (status !== 200) throw new Error(`the application answered ${status}`);
  if (!isJson(body)) throw new Error("the application's answer is not JSON in UTF-8");
  return body;
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function isJson(body: Buffer): boolean {
  try {
    JSON.parse(utf8.decode(body));
    return true;
  } catch {
    return false;
  }
}
