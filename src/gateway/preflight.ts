import type { Denial } from "../core/errors.js";
import { type HeaderList, headerValue } from "../core/headers.js";
import type { RequestContext } from "./request-context.js";
import { sendWhole } from "./respond.js";

/** Stage 4. Where the route owns CORS, a browser's question is answered here, and OSS hears nothing of it. */
export function preflight(ctx: RequestContext): Denial | null {
  const cors = ctx.route?.cors ?? null;
  if (cors === null || !ctx.isPreflight) return null;
  const { rawHeaders } = ctx.req;
  const answer = cors.preflight({
    origin: headerValue(rawHeaders, "origin"),
    requestMethod: headerValue(rawHeaders, "access-control-request-method"),
    requestHeaders: headerValue(rawHeaders, "access-control-request-headers"),
    requestPrivateNetwork: headerValue(rawHeaders, "access-control-request-private-network"),
  });
  if (!isHeaders(answer)) return answer;
  sendWhole(ctx, 200, ["Server", "ossgate", "x-oss-request-id", ctx.requestId, ...answer], "");
  return null;
}

const isHeaders = (answer: HeaderList | Denial): answer is HeaderList => Array.isArray(answer);
