import type { Server } from "node:http";
import type { Socket } from "node:net";
import { Duplex } from "node:stream";

/**
 * Content-Length together with `Transfer-Encoding: chunked` is what ali-oss and the C SDK really send. Node's parser
 * answers 400; its `insecureHTTPParser` accepts it, but opens obs-fold, bare LF and a dozen other leniencies with it.
 * llhttp has one flag for each. This sets the one flag, for the parsers of one server, by handing it to `initialize`
 * while Node attaches a parser to the connection, which it does synchronously. RFC 9112 §6.3 allows a server to take
 * Transfer-Encoding and drop Content-Length; `gateway/begin.ts` does so and ends the connection after the answer.
 */
interface Parser {
  initialize(type: number, resource: object, maxHeaderSize: number, lenientFlags: number, list?: object): void;
}

/** Node's own listener of a server's `connection` event, which attaches the HTTP parser. */
export type AttachParser = (this: Server, socket: Socket) => void;

/**
 * Makes an {@link AttachParser} that sets the one leniency. Where this Node does not show its parser any more, the given
 * listener is returned, and a request with both headers is refused with 400.
 */
export function withLenientFraming(server: Server, attach: AttachParser): AttachParser {
  const found = findParser(server, attach);
  if (found === null) return attach;
  const { prototype, flag } = found;
  return function (socket) {
    const { initialize } = prototype;
    prototype.initialize = function (type, resource, maxHeaderSize, lenientFlags, list) {
      initialize.call(this, type, resource, maxHeaderSize, lenientFlags | flag, list);
    };
    try {
      attach.call(this, socket);
    } finally {
      prototype.initialize = initialize;
    }
  };
}

/** Attaches a parser to a stream that goes nowhere, to learn its prototype and the flag's value. */
function findParser(
  server: Server,
  attach: AttachParser,
): { readonly prototype: Parser; readonly flag: number } | null {
  const probe = new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() });
  try {
    attach.call(server, probe as Socket);
    const { parser } = probe as unknown as { readonly parser?: Parser };
    const flag = (parser?.constructor as { kLenientChunkedLength?: unknown } | undefined)?.kLenientChunkedLength;
    if (parser === undefined || typeof flag !== "number" || typeof parser.initialize !== "function") return null;
    return { prototype: Object.getPrototypeOf(parser) as Parser, flag };
  } catch {
    return null;
  } finally {
    probe.destroy();
  }
}
