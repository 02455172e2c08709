import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { setImmediate as nextTurn, setTimeout as sleep } from "node:timers/promises";
import { type HeaderList, headerValue } from "../core/headers.js";
import { type Answer, bodilessAnswer, bytesAnswer, type Outcome } from "./answer.js";
import { type Refusal, renderErrorXml } from "./errors.js";
import type { Fault } from "./faults.js";

const CHUNK_BYTES = 64 * 1024;
const TURNS_BEFORE_RESET = 4;

/** What is needed to answer one request besides the answer. */
export interface Reply {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly requestId: string;
  readonly hostHeader: string;
  readonly startedMs: number;
  readonly nowMs: number;
  /** Ends the connection after the answer. */
  readonly closes: boolean;
  /** Ends the connection with RST. */
  readonly reset: () => void;
  readonly stall: () => Promise<void>;
}

/** Writes an outcome with OSS's headers (oss-semantics §7.1), broken as the fault says. */
export async function sendOutcome(outcome: Outcome, reply: Reply, fault: Fault | null): Promise<void> {
  const answer = outcome.kind === "refusal" ? errorAnswer(outcome, reply) : outcome;
  const closes = reply.closes || fault?.kind === "wrongLength" || fault?.kind === "shortBody";
  reply.response.sendDate = false;
  reply.response.writeHead(answer.status, completeHeaders(answer, reply, { closes, fault }));
  if (answer.body === null || reply.request.method === "HEAD") reply.response.end();
  else await sendBody(answer.body, reply, fault);
}

/** An error as a document, or for HEAD in `x-oss-err` (oss-semantics §7.1). */
function errorAnswer(refusal: Refusal, reply: Reply): Answer {
  const xml = renderErrorXml(refusal, reply.requestId, reply.hostHeader);
  const headers = [...refusal.headers, ...(refusal.ec === null ? [] : ["x-oss-ec", refusal.ec])];
  if (reply.request.method !== "HEAD") {
    return bytesAnswer(refusal.status, ["Content-Type", "application/xml", ...headers], Buffer.from(xml));
  }
  return bodilessAnswer(refusal.status, [...headers, "x-oss-err", Buffer.from(xml).toString("base64")]);
}

interface HeadOptions {
  readonly closes: boolean;
  readonly fault: Fault | null;
}

function completeHeaders(answer: Answer, reply: Reply, { closes, fault }: HeadOptions): string[] {
  const headers: string[] = [];
  const addMissing = (name: string, value: string): void => {
    if (headerValue(answer.headers, name.toLowerCase()) === undefined) headers.push(name, value);
  };
  addMissing("Server", "AliyunOSS");
  addMissing("Date", new Date(reply.nowMs).toUTCString());
  const declaredLength = headerValue(answer.headers, "content-length");
  for (let i = 0; i < answer.headers.length; i += 2) {
    const name = answer.headers[i] as string;
    if (name.toLowerCase() !== "content-length") headers.push(name, answer.headers[i + 1] as string);
  }
  const length = answer.body === null ? null : String(answer.body.end - answer.body.start);
  // Said outright, so that Node adds no Keep-Alive hint that OSS does not send.
  addMissing("Connection", closes || !wantsKeepAlive(reply.request) ? "close" : "keep-alive");
  addMissing("x-oss-request-id", reply.requestId);
  addMissing("x-oss-server-time", String(Math.max(0, reply.nowMs - reply.startedMs)));
  const contentLength = fault?.kind === "wrongLength" ? fault.contentLength : (declaredLength ?? length);
  // Last, because Node refuses a Content-Disposition with bytes above 0x7f that comes after it.
  if (contentLength !== null) headers.push("Content-Length", contentLength);
  return headers;
}

function wantsKeepAlive(request: IncomingMessage): boolean {
  const connection = request.headers.connection?.toLowerCase() ?? "";
  if (connection.includes("close")) return false;
  return request.httpVersion !== "1.0" || connection.includes("keep-alive");
}

async function sendBody(body: NonNullable<Answer["body"]>, reply: Reply, fault: Fault | null): Promise<void> {
  const { source, start, end } = body;
  const { response } = reply;
  const cut = Math.min(end, start + bytesBeforeFault(fault, end - start));
  const [chunkBytes, tickMs] = fault?.kind === "slowBytes" ? [fault.bytesPerTick, fault.tickMs] : [CHUNK_BYTES, 0];
  const isThere = await writeChunks(response, source.chunks(start, cut, chunkBytes), tickMs);
  if (!isThere) return;
  if (fault?.kind === "resetMidBody") return resetWhenFlushed(reply);
  if (fault?.kind === "shortBody") return endSocket(response);
  if (fault?.kind === "stallMidBody") {
    flushHead(response);
    await reply.stall();
    if (!(await writeChunks(response, source.chunks(cut, end, CHUNK_BYTES), 0))) return;
  }
  if (fault?.kind === "longBody") response.write(Buffer.alloc(fault.extraBytes, "x"));
  response.end();
}

/** Sends the head now; Node's own flushHeaders() would write latin1 as UTF-8. */
function flushHead(response: ServerResponse): void {
  response.write("", "latin1");
}

/** How much of the body goes out before the fault; all of it for faults that are none of the body. */
function bytesBeforeFault(fault: Fault | null, size: number): number {
  if (fault?.kind === "resetMidBody" || fault?.kind === "stallMidBody") return fault.afterBytes;
  return fault?.kind === "shortBody" ? Math.max(0, size - fault.missingBytes) : size;
}

/** Writes with back-pressure; `false` when the client went away. */
async function writeChunks(response: ServerResponse, chunks: Iterable<Buffer>, tickMs: number): Promise<boolean> {
  for (const chunk of chunks) {
    if (response.destroyed) return false;
    if (!response.write(chunk)) await drained(response);
    if (tickMs > 0) await sleep(tickMs);
  }
  return !response.destroyed;
}

async function drained(response: ServerResponse): Promise<void> {
  const stop = new AbortController();
  const { signal } = stop;
  await Promise.race([once(response, "drain", { signal }), once(response, "close", { signal })]).finally(() =>
    stop.abort(),
  );
}

async function resetWhenFlushed(reply: Reply): Promise<void> {
  flushHead(reply.response);
  await new Promise<void>((resolve) => {
    if (reply.response.socket === null) resolve();
    else reply.response.socket.write("", () => resolve());
  });
  // libuv reports a reset that arrives together with data as an end. A peer in this process reads in the next turn.
  for (let turn = 0; turn < TURNS_BEFORE_RESET; turn += 1) await nextTurn();
  reply.reset();
}

function endSocket(response: ServerResponse): void {
  flushHead(response);
  response.socket?.destroySoon();
}

/** An interim answer, written before anything else of the response (RFC 9110 §15.2). */
export function sendInformational(response: ServerResponse, status: number, headers: HeaderList): void {
  let head = `HTTP/1.1 ${status} ${status === 103 ? "Early Hints" : "Processing"}\r\n`;
  for (let i = 0; i < headers.length; i += 2) head += `${headers[i]}: ${headers[i + 1]}\r\n`;
  response.socket?.write(`${head}\r\n`, "latin1");
}
