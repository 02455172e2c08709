import { createHash, timingSafeEqual } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Secret } from "../core/secret.js";
import type { Issuer } from "../issue/issuer.js";
import { IssueRefusal } from "../issue/refusal.js";
import { answerPolicy, answerSign } from "../issue/requests.js";

/** What `POST /sign` and `POST /policy` need; without it they are not there. */
export interface AdminIssuer {
  readonly issuer: Issuer;
  /** What clients show in `Authorization: Bearer`. */
  readonly bearerSecret: Secret;
  /** How long a body may take; 10 s when absent. */
  readonly bodyTimeoutMs?: number;
}

const ANSWERS = { "/sign": answerSign, "/policy": answerPolicy } as const;
export type IssuePath = keyof typeof ANSWERS;

export function isIssuePath(path: string): path is IssuePath {
  return Object.hasOwn(ANSWERS, path);
}

const MAX_BODY_BYTES = 64 * 1024;
const BODY_TIMEOUT_MS = 10_000;

/** Answers a request for something to be issued: JSON in, JSON out, `{"error": …}` when it is refused. */
export async function serveIssue(
  path: IssuePath,
  req: IncomingMessage,
  res: ServerResponse,
  issue: AdminIssuer,
): Promise<void> {
  const early = earlyRefusal(req, issue);
  if (early !== null) return refuse(res, early);
  const body = await readBody(req, issue.bodyTimeoutMs ?? BODY_TIMEOUT_MS);
  if (!Buffer.isBuffer(body)) return refuse(res, body);
  const json = parseJson(body);
  if (json === undefined) return refuse(res, { status: 400, message: "The body is not JSON in UTF-8." });
  const answer = ANSWERS[path](issue.issuer, json, Date.now());
  if (answer instanceof IssueRefusal) return refuse(res, answer);
  answerJson(res, 200, answer);
}

/** Answers where there is no bearer secret in the configuration. */
export function refuseAsOff(res: ServerResponse): void {
  refuse(res, { status: 404, message: "This is off: the configuration has no admin.bearerSecret." });
}

interface Refused {
  readonly status: number;
  readonly message: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** What can be said before the body is read; who may not ask is told so first. */
function earlyRefusal(req: IncomingMessage, { bearerSecret }: AdminIssuer): Refused | null {
  if (!isBearer(req.headers.authorization, bearerSecret)) {
    const message = "Authorization: Bearer with the secret of admin.bearerSecret is needed here.";
    return { status: 401, message, headers: { "WWW-Authenticate": 'Bearer realm="ossgate"' } };
  }
  if (req.method !== "POST") return { status: 405, message: "Only POST is served here.", headers: { Allow: "POST" } };
  if (!/^application\/json[ \t]*(?:;|$)/i.test(req.headers["content-type"] ?? "")) {
    return { status: 415, message: "The Content-Type must be application/json." };
  }
  return Number(req.headers["content-length"] ?? 0) > MAX_BODY_BYTES ? TOO_LONG : null;
}

const TOO_LONG: Refused = { status: 413, message: `The body is longer than ${MAX_BODY_BYTES} bytes.` };
const TOO_SLOW: Refused = { status: 408, message: "The body did not arrive in time." };

/** Hashes are compared, so that the time tells nothing of the secret, its length included. */
function isBearer(authorization: string | undefined, secret: Secret): boolean {
  const token = /^Bearer +(\S.*)$/i.exec(authorization ?? "")?.[1] ?? "";
  // Header values are bytes that Node shows as characters; the secret is text in UTF-8.
  return timingSafeEqual(sha256(Buffer.from(token, "latin1")), sha256(Buffer.from(secret.reveal())));
}

function sha256(bytes: Buffer): Buffer {
  return createHash("sha256").update(bytes).digest();
}

function readBody(req: IncomingMessage, timeoutMs: number): Promise<Buffer | Refused> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let lengthBytes = 0;
    const settle = (outcome: Buffer | Refused): void => {
      clearTimeout(timer);
      req.removeAllListeners("data").pause();
      resolve(outcome);
    };
    const timer = setTimeout(() => settle(TOO_SLOW), timeoutMs);
    req.on("data", (chunk: Buffer) => {
      lengthBytes += chunk.length;
      if (lengthBytes > MAX_BODY_BYTES) settle(TOO_LONG);
      else chunks.push(chunk);
    });
    req.on("end", () => settle(Buffer.concat(chunks)));
    // The client is gone: whatever is answered goes nowhere.
    req.on("error", () => settle(TOO_SLOW));
  });
}

function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body));
  } catch {
    return undefined;
  }
}

function refuse(
  res: ServerResponse,
  { status, message, headers }: Refused | (IssueRefusal & { headers?: undefined }),
): void {
  // What is left of the body is not read, so the connection cannot go on.
  if (!res.req.complete) res.setHeader("Connection", "close");
  answerJson(res, status, { error: message }, headers);
}

function answerJson(
  res: ServerResponse,
  status: number,
  value: unknown,
  headers: Readonly<Record<string, string>> = {},
): void {
  const body = `${JSON.stringify(value)}\n`;
  res.writeHead(status, {
    "Content-Type": "application/json",
    "Content-Length": Buffer.byteLength(body),
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    ...headers,
  });
  res.end(body);
}
