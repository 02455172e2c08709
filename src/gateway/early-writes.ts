import type { HeaderList } from "../core/headers.js";
import type { RequestContext } from "./request-context.js";

/** Hands on the links of a 103, as far as Node writes them. */
export function writeEarlyHints(ctx: RequestContext, rawHeaders: HeaderList): void {
  const links: string[] = [];
  for (let i = 0; i < rawHeaders.length; i += 2) {
    if ((rawHeaders[i] as string).toLowerCase() === "link") links.push(rawHeaders[i + 1] as string);
  }
  try {
    if (links.length > 0) ctx.res.writeEarlyHints({ link: links });
  } catch {
    // Node checks the syntax of links; a hint that it refuses is not worth an error.
  }
}

/** How long a head waits for the first piece of its body, to go out with it in one write. */
const FLUSH_DELAY_MS = 5;
let unflushed: RequestContext[] = [];

/** A client must see the head even when the body is slow to come; one timer watches all heads. */
export function flushSoon(ctx: RequestContext): void {
  if (unflushed.push(ctx) > 1) return;
  setTimeout(() => {
    const waiting = unflushed;
    unflushed = [];
    // Not flushHeaders(), which writes UTF-8: header values are bytes, held as latin1.
    for (const { res, sentBytes } of waiting) if (sentBytes === 0 && !res.writableEnded) res.write("", "latin1");
  }, FLUSH_DELAY_MS);
}
