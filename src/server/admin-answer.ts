import type { ServerResponse } from "node:http";

export const TEXT = "text/plain; charset=utf-8";
export const JSON_TYPE = "application/json";

export interface AdminAnswer {
  readonly status: number;
  readonly body: string | Buffer;
  /** {@link TEXT} when absent. */
  readonly contentType?: string;
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
}

/** Sends a whole answer; of HEAD Node leaves the body out. */
export function sendAnswer(res: ServerResponse, { status, body, contentType = TEXT, headers = {} }: AdminAnswer): void {
  if (res.headersSent) {
    res.destroy();
    return;
  }
  // What is left of a body is not read, so the connection cannot go on.
  if (!res.req.complete) res.setHeader("Connection", "close");
  res.writeHead(status, {
    "Content-Type": contentType,
    "Content-Length": Buffer.byteLength(body),
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    ...(headers as Record<string, string | string[]>),
  });
  res.end(body);
}

export function textAnswer(status: number, body: string, headers?: AdminAnswer["headers"]): AdminAnswer {
  return { status, body: body.endsWith("\n") ? body : `${body}\n`, ...(headers === undefined ? {} : { headers }) };
}

export function jsonAnswer(status: number, value: unknown): AdminAnswer {
  return { status, body: `${JSON.stringify(value)}\n`, contentType: JSON_TYPE };
}
