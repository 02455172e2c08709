import { constants, open } from "node:fs/promises";
import { join } from "node:path";
import type { Denial } from "../core/errors.js";
import type { RequestContext } from "./request-context.js";
import { sendWhole } from "./respond.js";

/** Where challenges are asked for (RFC 8555 §8.3). */
const PREFIX = "/.well-known/acme-challenge/";
const CHALLENGE = /^\/\.well-known\/acme-challenge\/([A-Za-z0-9_-]{1,256})$/;
/** A token, a dot and a thumbprint are some hundred bytes. */
const MAX_BYTES = 4_096;
/** Anybody may ask for them, and reading occupies the threads that look up names and hash passwords. */
const MAX_READING = 8;

let reading = 0;

/**
 * Before stage 2, on listeners without TLS: answers ACME's HTTP challenges out of the directory into which certbot or
 * acme.sh write them, for every host. Nothing else in it can be read: names have no dots and slashes, and links are not
 * followed.
 */
export function answerChallenge(ctx: RequestContext): Denial | null | Promise<Denial | null> {
  const { acmeChallengeDirectory } = ctx.gateway;
  if (acmeChallengeDirectory === null || !ctx.path.startsWith(PREFIX)) return null;
  const name = CHALLENGE.exec(ctx.rawPath)?.[1];
  const { method } = ctx.req;
  if (name === undefined || (method !== "GET" && method !== "HEAD")) return NO_CHALLENGE;
  if (reading >= MAX_READING) return BUSY;
  return answer(ctx, join(acmeChallengeDirectory, name));
}

const NO_CHALLENGE: Denial = Object.freeze({ code: "NO_ROUTE", reason: "There is no such ACME challenge here." });
const BUSY: Denial = Object.freeze({
  code: "GATEWAY_BUSY",
  reason: "So many ACME challenges are being read that this one was not. Try again.",
  headers: ["Retry-After", "1"],
});

async function answer(ctx: RequestContext, path: string): Promise<Denial | null> {
  reading += 1;
  const challenge = await readChallenge(path).finally(() => {
    reading -= 1;
  });
  if (challenge === null) return NO_CHALLENGE;
  // The client may have gone meanwhile.
  if (!ctx.isFinished && !ctx.isHeadSent) {
    const headers = ["Content-Type", "text/plain", "X-Content-Type-Options", "nosniff", "Cache-Control", "no-store"];
    sendWhole(ctx, 200, headers, challenge);
  }
  return null;
}

/** @returns `null` for what is no small regular file */
async function readChallenge(path: string): Promise<Buffer | null> {
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  const handle = await open(path, flags).catch(() => null);
  if (handle === null) return null;
  try {
    if (!(await handle.stat()).isFile()) return null;
    const buffer = Buffer.alloc(MAX_BYTES + 1);
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, 0);
    return bytesRead > MAX_BYTES ? null : buffer.subarray(0, bytesRead);
  } catch {
    return null;
  } finally {
    await handle.close();
  }
}
