import type { ServerHttp2Stream } from "node:http2";

/**
 * What a request's `socket` is to the gateway, of one stream: its connection carries others, which what is done to the one
 * must not touch.
 */
export class Http2StreamSocket {
  /** Of the client: as the connection or a believed PROXY header says. */
  readonly remoteAddress: string;
  /** The name that the client asked for in the handshake; `false`: none. */
  readonly servername: string | false;
  /** Of stillness; the stream's own timer watches it. */
  readonly timeout: number;
  readonly #stream: ServerHttp2Stream;

  constructor(stream: ServerHttp2Stream, about: Pick<Http2StreamSocket, "remoteAddress" | "servername" | "timeout">) {
    this.#stream = stream;
    this.remoteAddress = about.remoteAddress;
    this.servername = about.servername;
    this.timeout = about.timeout;
  }

  get destroyed(): boolean {
    return this.#stream.destroyed;
  }

  /** An answer that ends one connection ends no stream but its own. */
  get writableEnded(): boolean {
    return false;
  }

  resetAndDestroy(): void {
    breakOff(this.#stream);
  }
}

/**
 * Resets a stream with INTERNAL_ERROR, at once. Its `close()` would not do: what was not ended it ends before, so that the
 * client takes half an answer for all of it, and it waits until a connection that is blocked has taken that.
 */
export function breakOff(stream: ServerHttp2Stream): void {
  stream.destroy(new Error("broken off"));
}
