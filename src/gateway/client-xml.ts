import { encodePath } from "../core/target.js";
import type { CompiledRoute } from "../route/compiled-route.js";
import { escapeXml } from "./error-document.js";
import { unescapeXml } from "./oss-error.js";
import type { RequestContext } from "./request-context.js";

/** Elements of OSS's documents that hold a key or the beginning of one (oss-semantics §11.8, multipart answers). */
const KEY_ELEMENTS = /<(Key|Prefix|Marker|NextMarker|StartAfter|KeyMarker|NextKeyMarker|Location)>([^<]*)<\/\1>/g;

/** Of GetBucketInfo: where OSS is reached is not the client's to know. */
const ENDPOINT_ELEMENTS = /<((?:Extranet|Intranet)?Endpoint)>[^<]*<\/\1>/g;

/**
 * A document of OSS's in the client's terms: keys without the route's prefix, and the address of a finished upload as
 * the client would write it.
 */
export function clientXml(ctx: RequestContext, body: Buffer): string {
  const text = body.toString("utf8");
  const isUrlEncoded = text.includes("<EncodingType>url</EncodingType>");
  return text.replaceAll(ENDPOINT_ELEMENTS, "").replace(KEY_ELEMENTS, (whole: string, name: string, value: string) => {
    const plain = unescapeXml(value);
    if (name === "Location" && !text.includes("<CompleteMultipartUploadResult")) return whole;
    const ours = name === "Location" ? clientUrl(ctx) : withoutPrefix(ctx, plain, isUrlEncoded);
    return `<${name}>${escapeXml(ours)}</${name}>`;
  });
}

function withoutPrefix(ctx: RequestContext, text: string, isUrlEncoded: boolean): string {
  const { keyPrefix } = ctx.route as CompiledRoute;
  if (keyPrefix === "") return text;
  if (!isUrlEncoded) return text.startsWith(keyPrefix) ? text.slice(keyPrefix.length) : "";
  const key = decodeOrNull(text);
  return key?.startsWith(keyPrefix) === true ? encodeURIComponent(key.slice(keyPrefix.length)) : "";
}

function decodeOrNull(text: string): string | null {
  try {
    return decodeURIComponent(text.replaceAll("+", " "));
  } catch {
    return null;
  }
}

function clientUrl(ctx: RequestContext): string {
  return `${ctx.gateway.isTls ? "https" : "http"}://${ctx.rawHost}${encodePath(ctx.path)}`;
}
