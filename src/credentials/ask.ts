import { type ClientRequest, type IncomingMessage, request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import { CredentialsError, errorCode } from "./provider.js";

/** The longest answer that is read. */
const LONGEST_ANSWER_BYTES = 64 * 1024;

export interface Question {
  readonly method: "GET" | "PUT" | "POST";
  readonly url: URL;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Who is asked, for messages: `the metadata service at http://100.100.100.200`. */
  readonly who: string;
  readonly timeouts: Timeouts;
  readonly signal: AbortSignal;
}

export interface Timeouts {
  /** Until the connection stands, TLS included. */
  readonly connectMs: number;
  /** From then until the last byte of the answer. */
  readonly answerMs: number;
}

export interface Answer {
  readonly status: number;
  readonly body: string;
}

/**
 * One HTTP exchange on a connection of its own.
 *
 * Node's client and not its `fetch`, which has no time-out for connecting and takes a dispatcher that anybody in the
 * process may set. An agent of its own: no proxy of the environment, no socket that stays. Redirects are not followed: a
 * question carries secrets.
 * @throws CredentialsError that holds nothing of the answer
 */
export function ask(question: Question): Promise<Answer> {
  const { url, method, headers, body, who, timeouts, signal } = question;
  return new Promise((resolve, reject) => {
    const start = url.protocol === "https:" ? requestHttps : requestHttp;
    const request = start(url, { method, agent: false, signal, headers: { accept: "application/json", ...headers } });
    const endTimeouts = limitTime(request, who, timeouts);
    const fail = (error: unknown): void => {
      endTimeouts();
      const known = error instanceof CredentialsError;
      reject(known ? error : new CredentialsError(`${who} did not answer (${errorCode(error)})`));
    };
    request.on("error", fail);
    request.on("response", (response) => {
      readAnswer(response, who).then((answer) => {
        endTimeouts();
        resolve(answer);
      }, fail);
    });
    request.end(body);
  });
}

/** @returns ends the time-outs */
function limitTime(request: ClientRequest, who: string, { connectMs, answerMs }: Timeouts): () => void {
  const giveUp = (message: string) => () => request.destroy(new CredentialsError(message));
  let timer = setTimeout(giveUp(`no connection to ${who} within ${connectMs} ms`), connectMs);
  request.once("socket", (socket) => {
    socket.once("encrypted" in socket ? "secureConnect" : "connect", () => {
      clearTimeout(timer);
      timer = setTimeout(giveUp(`no whole answer of ${who} within ${answerMs} ms`), answerMs);
    });
  });
  return () => clearTimeout(timer);
}

async function readAnswer(response: IncomingMessage, who: string): Promise<Answer> {
  const chunks: Buffer[] = [];
  let lengthBytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    lengthBytes += chunk.length;
    if (lengthBytes > LONGEST_ANSWER_BYTES) throw new CredentialsError(`the answer of ${who} is longer than 64 KiB`);
    chunks.push(chunk);
  }
  return { status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString("utf8") };
}
