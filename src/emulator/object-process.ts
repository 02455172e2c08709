import { createHash } from "node:crypto";
import { isRefusal, type Outcome } from "./answer.js";
import { notEmulated } from "./errors.js";
import type { Exchange } from "./exchange.js";
import { HLS_SIGN, signPlaylist } from "./hls-sign.js";
import { describeProcessed, findReadable } from "./object-read.js";
import type { StoredObject } from "./store.js";

const STUBBED = /^(?:image\/(?!info(?:$|[/,|]))|style\/)./;

/** GetObject with `x-oss-process`: playlists are signed; images stay as they are and only look processed. */
export function getProcessedObject(exchange: Exchange): Outcome {
  const process = exchange.query.get("x-oss-process") ?? "";
  if (process === HLS_SIGN) return signPlaylist(exchange);
  return STUBBED.test(process) ? stubbedImage(exchange, process) : notEmulated(`x-oss-process=${process}`);
}

/**
 * The object's own bytes and type under another ETag and without CRC, as a result that is not the object
 * (oss-semantics §11.7, §13.19). Any style is known. No Range.
 */
function stubbedImage(exchange: Exchange, process: string): Outcome {
  const found = findReadable(exchange);
  if (found.kind !== "object") return found;
  const { object } = found;
  if (object.body === null) return notEmulated("reading an object whose bytes were dropped");
  const headers = describeProcessed(exchange, object, ["ETag", processedEtag(object, process)]);
  if (isRefusal(headers)) return headers;
  return { kind: "answer", status: 200, headers, body: { source: object.body, start: 0, end: object.size } };
}

function processedEtag(object: StoredObject, process: string): string {
  return `"${createHash("md5").update(`${object.etag} ${process}`).digest("hex").toUpperCase()}"`;
}
