import { EventEmitter } from "node:events";
import { constants, type OutgoingHttpHeaders, type ServerHttp2Stream } from "node:http2";
import { breakOff, type Http2StreamSocket } from "./http2-socket.js";

/** RFC 9113 §8.2.2: they are about a connection of HTTP/1.1's. */
const OF_CONNECTIONS: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "transfer-encoding",
  "upgrade",
  "http2-settings",
]);

/** Node sends none of these twice; of what an upstream says twice the first counts. */
const SINGLE: ReadonlySet<string> = new Set([
  "access-control-allow-credentials",
  "access-control-max-age",
  "access-control-request-method",
  "age",
  "authorization",
  "content-length",
  "content-location",
  "content-md5",
  "content-range",
  "content-type",
  "date",
  "dnt",
  "etag",
  "expires",
  "from",
  "host",
  "if-match",
  "if-modified-since",
  "if-none-match",
  "if-range",
  "if-unmodified-since",
  "last-modified",
  "location",
  "max-forwards",
  "proxy-authorization",
  "range",
  "referer",
  "retry-after",
  "tk",
  "upgrade-insecure-requests",
  "user-agent",
  "x-content-type-options",
]);

/** Nor these, which may be lists (RFC 9110 §5.3). */
const LISTS: ReadonlySet<string> = new Set(["content-encoding", "content-language"]);

/** What is to be known of the request. */
interface AnsweredRequest {
  readonly method: string;
  /** Whether all of it has come. */
  readonly complete: boolean;
  /** Nobody reads what is left of it. */
  discard(): void;
}

/** A stream's answer, with what the gateway does to a `ServerResponse`. Emits `drain` and, once, `close`. */
export class Http2Response extends EventEmitter {
  /** Has no meaning here: other streams go on. */
  shouldKeepAlive = true;
  /** A stream that is reset shows that its answer is cut off, as a missing last chunk does. */
  readonly chunkedEncoding = true;
  readonly socket: Http2StreamSocket;
  headersSent = false;
  /** All has been handed over. */
  writableEnded = false;
  /** This side has broken the stream off. */
  isBrokenOff = false;
  readonly #stream: ServerHttp2Stream;
  readonly #request: AnsweredRequest;
  readonly #holdEnd: (end: () => void) => boolean;
  #hasBody = true;
  /** Writes that have not gone out; counted where the request has a body. */
  #pendingWrites = 0;
  /** The stream is to end once they have. */
  #endsWhenWritten = false;
  /** They all have. */
  #isWritten = false;

  /** @param holdEnd handed what ends the stream; `true`: it is called later by whom it was handed to */
  constructor(
    stream: ServerHttp2Stream,
    request: AnsweredRequest,
    socket: Http2StreamSocket,
    holdEnd: (end: () => void) => boolean,
  ) {
    super();
    this.#holdEnd = holdEnd;
    this.#stream = stream;
    this.#request = request;
    this.socket = socket;
    stream.on("drain", () => this.emit("drain"));
    stream.on("close", () => this.emit("close"));
    // What breaks a stream is told by its close.
    stream.on("error", () => {});
  }

  /** All of the answer has gone out to the connection. */
  get writableFinished(): boolean {
    return this.writableEnded && (!this.#hasBody || this.#isWritten || this.#stream.writableFinished);
  }

  get finished(): boolean {
    return this.writableEnded;
  }

  /** @throws TypeError for a head that HTTP/2 has no way to say */
  writeHead(status: number, textOrLines: string | readonly string[], lines: readonly string[] = []): this {
    const stream = this.#stream;
    const headers = headersOf(status, typeof textOrLines === "string" ? lines : textOrLines);
    this.#hasBody = this.#request.method !== "HEAD" && status !== 204 && status !== 205 && status !== 304;
    if (!stream.destroyed && !stream.closed) stream.respond(headers, { endStream: !this.#hasBody });
    this.headersSent = true;
    return this;
  }

  write(chunk: Buffer | string): boolean {
    if (chunk.length === 0 || !this.#hasBody || this.#stream.destroyed || this.#stream.closed) return true;
    if (this.#stream.endAfterHeaders) return this.#stream.write(chunk);
    this.#pendingWrites += 1;
    return this.#stream.write(chunk, this.#onWritten);
  }

  end(chunk?: Buffer | string): this {
    if (this.writableEnded) return this;
    this.writableEnded = true;
    const stream = this.#stream;
    if (stream.destroyed) return this;
    if (!this.#hasBody || stream.closed) {
      this.#endUpload();
      return this;
    }
    const isHeld = this.#holdEnd(() => this.#endStream());
    if (isHeld || !stream.endAfterHeaders) {
      if (chunk !== undefined) this.write(chunk);
      if (!isHeld) this.#endStream();
    } else if (chunk !== undefined && chunk.length > 0) stream.end(chunk);
    else stream.end();
    return this;
  }

  /**
   * Node closes a stream as soon as both sides have ended it, and where the request was read to its end it then does not
   * tell whether the answer had gone out. So there the end is sent by itself, behind all of the answer.
   */
  #endStream(): void {
    const stream = this.#stream;
    this.#endsWhenWritten = this.#pendingWrites > 0;
    if (this.#endsWhenWritten || stream.destroyed) return;
    this.#isWritten = !stream.endAfterHeaders;
    stream.end();
    this.#endUpload();
  }

  readonly #onWritten = (error?: Error | null): void => {
    if (error != null) return;
    this.#pendingWrites -= 1;
    if (this.#endsWhenWritten) this.#endStream();
  };

  /** RFC 9113 §8.1: the client need not send the rest, and learns it once it has the whole answer. */
  #endUpload(): void {
    if (this.#request.complete) return;
    const stream = this.#stream;
    this.#request.discard();
    const stopSending = (): void => stream.close(constants.NGHTTP2_NO_ERROR);
    if (stream.writableFinished) stopSending();
    else stream.once("finish", stopSending);
  }

  /** Ends the stream such that the client does not take what it has for all. */
  destroy(): this {
    this.isBrokenOff = true;
    breakOff(this.#stream);
    return this;
  }

  writeContinue(): void {
    this.#inform({ ":status": 100 });
  }

  writeProcessing(): void {
    this.#inform({ ":status": 102 });
  }

  writeEarlyHints({ link }: { readonly link: readonly string[] }): void {
    this.#inform({ ":status": 103, link: [...link] });
  }

  #inform(headers: OutgoingHttpHeaders): void {
    if (!this.headersSent && !this.#stream.destroyed && !this.#stream.closed) this.#stream.additionalHeaders(headers);
  }
}

function headersOf(status: number, lines: readonly string[]): OutgoingHttpHeaders {
  const headers: OutgoingHttpHeaders = Object.create(null) as OutgoingHttpHeaders;
  headers[":status"] = status;
  for (let i = 0; i < lines.length; i += 2) {
    const name = (lines[i] as string).toLowerCase();
    const value = lines[i + 1] as string;
    if (OF_CONNECTIONS.has(name)) continue;
    // RFC 9110 §8.6: there is none, and a client of HTTP/2 would wait for what it promises.
    if (name === "content-length" && (status === 204 || status === 205)) continue;
    const before = headers[name];
    if (before === undefined) headers[name] = value;
    else if (LISTS.has(name)) headers[name] = `${String(before)}, ${value}`;
    else if (SINGLE.has(name)) continue;
    else if (Array.isArray(before)) before.push(value);
    else headers[name] = [String(before), value];
  }
  return headers;
}
