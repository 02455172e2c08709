import type { HeaderList } from "../core/headers.js";
import { withHsts } from "./hsts.js";
import type { RequestContext } from "./request-context.js";
import { closesConnection, linger, mayStillSend } from "./respond.js";
import { signedPlaylistHead } from "./serve-playlist.js";
import { filterResponseHeaders } from "./upstream-response.js";

/** The header lines of an answer that is streamed, and what of the connection goes with them. */
export function streamedHead(ctx: RequestContext, status: number, rawHeaders: HeaderList): string[] {
  const filtered = filterResponseHeaders(ctx, status, rawHeaders);
  const isOssSigned = status === 200 && ctx.signedDraft !== null && ctx.signedDraft.urlExpiresSeconds !== null;
  const headers = isOssSigned ? signedPlaylistHead(filtered) : filtered;
  if (closesConnection(ctx)) {
    headers.push("Connection", "close");
    if (mayStillSend(ctx)) linger(ctx.req.socket);
  }
  return withHsts(ctx, headers);
}
