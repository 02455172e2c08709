import type { IncomingHttpHeaders } from "node:http";
import type { ServerHttp2Stream } from "node:http2";
import { Readable } from "node:stream";
import type { Http2Head } from "./http2-head.js";
import type { Http2StreamSocket } from "./http2-socket.js";

/**
 * A stream's request, with what the gateway reads of an `IncomingMessage`. Its body ends only where the client has said
 * that it ends: a stream that was reset ends for Node, too, and half an upload must not be taken for a whole one.
 */
export class Http2Request extends Readable {
  readonly httpVersion = "2.0";
  readonly httpVersionMajor = 2;
  readonly httpVersionMinor = 0;
  readonly method: string;
  /** Changed by the upload, as an `IncomingMessage`'s is. */
  url: string;
  readonly rawHeaders: string[];
  headers: IncomingHttpHeaders;
  readonly socket: Http2StreamSocket;
  readonly #stream: ServerHttp2Stream;
  /** All of the body has come. */
  #isWhole: boolean;

  constructor(stream: ServerHttp2Stream, head: Http2Head, headers: IncomingHttpHeaders, socket: Http2StreamSocket) {
    super({ autoDestroy: false });
    this.method = head.method;
    this.url = head.target;
    this.rawHeaders = head.rawHeaders;
    this.headers = headers;
    this.socket = socket;
    this.#stream = stream;
    this.#isWhole = stream.endAfterHeaders;
    if (this.#isWhole) this.push(null);
    else this.#takeBody();
  }

  get complete(): boolean {
    return this.#isWhole;
  }

  override _read(): void {
    if (!this.#isWhole) this.#stream.resume();
  }

  /** What is left of the body is for nobody: Node never closes a stream whose end is not read. */
  discard(): void {
    if (!this.#isWhole) this.#stream.off("data", this.#onData).off("end", this.#onEnd).resume();
  }

  #takeBody(): void {
    // Nobody waits for it before it is asked for: what the client may send until then is its window.
    this.#stream.on("data", this.#onData).on("end", this.#onEnd).pause();
    this.#stream.once("aborted", () => this.discard());
  }

  readonly #onData = (chunk: Buffer): void => {
    if (!this.push(chunk)) this.#stream.pause();
  };

  readonly #onEnd = (): void => {
    if (this.#stream.aborted || this.#stream.rstCode !== 0) return;
    this.#isWhole = true;
    this.push(null);
  };
}
