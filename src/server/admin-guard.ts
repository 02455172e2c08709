import { createHash, timingSafeEqual } from "node:crypto";
import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import { isIP } from "node:net";
import { hostOf } from "../core/host.js";
import type { Secret } from "../core/secret.js";
import { type AdminAnswer, textAnswer } from "./admin-answer.js";

/** Who may use a page: everybody; who may read; who may change something. */
export type AdminAccess = "open" | "read" | "change";

/** What opens the listener; `null`: there is none. */
export interface AdminSecrets {
  /** Opens everything. */
  readonly bearer: Secret | null;
  /** Opens what is only read. */
  readonly reader: Secret | null;
}

/** Which secret a request shows. */
export type Shown = "bearer" | "reader" | null;

export interface GuardedPage {
  readonly access: AdminAccess;
  /** Whether links from other sites may lead here: what it shows it fetches by itself. */
  readonly isDocument?: boolean;
}

export interface GuardOptions {
  /** Whether only this machine reaches the listener. */
  readonly isLoopback: boolean;
  readonly secrets: AdminSecrets;
}

/**
 * Decides whether a request may have a page.
 *
 * Pages of other origins have no business here: neither by a name of their own that leads to this address (DNS
 * rebinding), nor by a request that the browser says comes from elsewhere. Who shows a secret may use any name: no
 * page of another origin has one.
 * @returns the refusal, `null`: it may
 */
export function refuseAccess(req: IncomingMessage, page: GuardedPage, options: GuardOptions): AdminAnswer | null {
  const { isLoopback, secrets } = options;
  const { headers } = req;
  const shown = shownSecret(headers.authorization, secrets);
  if (isFromElsewhere(req, page)) return FROM_ELSEWHERE;
  // To others than this machine an open page says nothing that is worth a name.
  const isAnyName = shown !== null || (page.access === "open" && !isLoopback);
  if (!isAnyName && !isTrustedHost(headers.host)) {
    return isLoopback ? OTHER_NAME : unauthorized(page, secrets);
  }
  return isEnough(page.access, shown, options) ? null : unauthorized(page, secrets);
}

/** Whether the listener tells the whole to this request, where everybody is told something. */
export function mayReadAll(req: IncomingMessage, options: GuardOptions): boolean {
  return isEnough("read", shownSecret(req.headers.authorization, options.secrets), options);
}

function isEnough(access: AdminAccess, shown: Shown, { isLoopback, secrets }: GuardOptions): boolean {
  if (access === "open") return true;
  if (access === "read") return isLoopback || shown !== null;
  return shown === "bearer" || (isLoopback && secrets.bearer === null);
}

const OTHER_NAME = textAnswer(403, "Use the address of this listener, or localhost.");
const FROM_ELSEWHERE = textAnswer(403, "Pages of other origins may not use this listener.");

function unauthorized({ access }: GuardedPage, { bearer, reader }: AdminSecrets): AdminAnswer {
  if (bearer === null) {
    return textAnswer(
      403,
      "Others than this machine reach this address, and the configuration has no admin.bearerSecret.",
    );
  }
  const which =
    access === "change" || reader === null ? "admin.bearerSecret" : "admin.readerSecret or admin.bearerSecret";
  return textAnswer(
    401,
    `Show the secret of ${which}: Authorization: Bearer …, or as the password of any user name in a browser.`,
    { "WWW-Authenticate": ['Bearer realm="ossgate"', 'Basic realm="ossgate", charset="UTF-8"'] },
  );
}

function isTrustedHost(value: string | undefined): boolean {
  const host = hostOf(value ?? "");
  return host !== null && (host === "localhost" || isIP(host) !== 0);
}

/** What a browser says of where a request comes from; programs say nothing. */
function isFromElsewhere({ method, headers }: IncomingMessage, { isDocument = false }: GuardedPage): boolean {
  const site = headers["sec-fetch-site"];
  if (site !== undefined && site !== "same-origin" && site !== "none") {
    return !(isDocument && method === "GET" && isNavigation(headers));
  }
  const { origin, host } = headers;
  return origin !== undefined && origin !== `http://${host}` && origin !== `https://${host}`;
}

function isNavigation(headers: IncomingHttpHeaders): boolean {
  return headers["sec-fetch-mode"] === "navigate" && headers["sec-fetch-dest"] === "document";
}

function shownSecret(authorization: string | undefined, { bearer, reader }: AdminSecrets): Shown {
  if (authorization === undefined) return null;
  const token = tokenOf(authorization);
  if (token === null) return null;
  if (bearer !== null && isSame(token, bearer)) return "bearer";
  return reader !== null && isSame(token, reader) ? "reader" : null;
}

/** The token of Bearer, or the password of Basic. */
function tokenOf(authorization: string): Buffer | null {
  const [, scheme = "", value = ""] = /^(Bearer|Basic) +(\S.*)$/i.exec(authorization) ?? [];
  // Header values are bytes that Node shows as characters; the secret is text in UTF-8.
  if (scheme.toLowerCase() === "bearer") return Buffer.from(value, "latin1");
  if (scheme === "") return null;
  const login = Buffer.from(value, "base64");
  const colon = login.indexOf(":");
  return colon === -1 ? null : login.subarray(colon + 1);
}

/** Hashes are compared, so that the time tells nothing of the secret, its length included. */
function isSame(token: Buffer, secret: Secret): boolean {
  return timingSafeEqual(sha256(token), sha256(Buffer.from(secret.reveal())));
}

function sha256(bytes: Buffer): Buffer {
  return createHash("sha256").update(bytes).digest();
}
