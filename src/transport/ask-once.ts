import { rootCertificates } from "node:tls";
import { buildConnector, Client } from "undici";
import type { HeaderList } from "../core/headers.js";

const MAX_RESPONSE_HEADER_BYTES = 16 * 1024;

/** A small question to a server that is not OSS, and what its answer may cost. */
export interface Question {
  readonly url: URL;
  readonly method: "GET" | "POST";
  readonly headers: HeaderList;
  /** `null` for none. */
  readonly body: Buffer | null;
  readonly maxAnswerBytes: number;
  /** From the name's look-up to the last byte. */
  readonly timeoutMs: number;
  /** PEM text of an extra authority, or `null`. */
  readonly ca: string | null;
  /** Where to connect in place of the URL's host, whose name the certificate must still have; `null`: to that host. */
  readonly connectTo: { readonly host: string; readonly port: number } | null;
  /** Ends it early; `null` for nothing that could. */
  readonly signal: AbortSignal | null;
}

export interface WholeAnswer {
  readonly status: number;
  /** Empty unless the status is 200: nobody reads another. */
  readonly body: Buffer;
}

/**
 * Asks on a connection of its own, which ends with the answer: such questions are rare, a POST must not meet a
 * connection that has just been closed, and nothing stays open behind it. Redirects are not followed, and the server's
 * certificate is verified.
 * @throws whatever broke, an Error: no answer in time, a longer one, a refused or cut connection, TLS
 */
export async function askOnce(question: Question): Promise<WholeAnswer> {
  const { url, signal, timeoutMs } = question;
  signal?.throwIfAborted();
  const client = new Client(url.origin, {
    // Says Connection: close.
    pipelining: 0,
    maxResponseSize: question.maxAnswerBytes,
    maxHeaderSize: MAX_RESPONSE_HEADER_BYTES,
    // The timer below is for all of it.
    headersTimeout: 0,
    bodyTimeout: 0,
    allowH2: false,
    connect: verifiedConnector(question),
  });
  // Not undici's `signal`, which ends nothing while the connection is not there.
  const stop = (reason: Error): void => void client.destroy(reason).catch(() => {});
  const onAbort = (): void => stop(new Error("nobody waits for the answer any more"));
  const timer = setTimeout(() => stop(new Error(`no whole answer within ${Math.round(timeoutMs)} ms`)), timeoutMs);
  signal?.addEventListener("abort", onAbort, { once: true });
  try {
    return await readAnswer(client, question);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", onAbort);
    stop(new Error("the answer is complete"));
  }
}

async function readAnswer(client: Client, { url, method, headers, body }: Question): Promise<WholeAnswer> {
  const path = `${url.pathname}${url.search}`;
  const answer = await client.request({ path, method, headers: [...headers], body });
  if (answer.statusCode === 200) return { status: 200, body: Buffer.from(await answer.body.arrayBuffer()) };
  answer.body.on("error", () => {}).destroy();
  return { status: answer.statusCode, body: Buffer.alloc(0) };
}

/** How to connect, the name's look-up and TLS included; the server's certificate is verified. */
export function verifiedConnector({
  timeoutMs,
  ca,
  connectTo = null,
}: Pick<Question, "timeoutMs" | "ca"> & Partial<Pick<Question, "connectTo">>): buildConnector.connector {
  const connect = buildConnector({
    // A connection that is not there yet ends by this alone.
    timeout: Math.ceil(timeoutMs),
    ...(ca === null ? {} : { ca: [...rootCertificates, ca] }),
  });
  if (connectTo === null) return connect;
  return (target, callback) =>
    connect(
      { ...target, hostname: connectTo.host, port: String(connectTo.port), servername: target.hostname },
      callback,
    );
}
