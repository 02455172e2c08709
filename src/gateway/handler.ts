import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { type Denial, GatewayError } from "../core/errors.js";
import { canonicalClient } from "../policy/clients.js";
import type { CompiledRoute } from "../route/compiled-route.js";
import { answerChallenge } from "./acme-challenge.js";
import { authorize } from "./authorize.js";
import { begin } from "./begin.js";
import { checkPath } from "./denied-paths.js";
import { bodyTooLarge, RequestExchange } from "./exchange.js";
import { bugFound, logOwnFault } from "./exchange-faults.js";
import { finish } from "./finish.js";
import { redirectToHttps } from "./https-redirect.js";
import { limitBucket, limitRoute } from "./limits.js";
import { preflight } from "./preflight.js";
import { prepareRelayed } from "./relayed-request.js";
import { type Gateway, RequestContext } from "./request-context.js";
import { nextRequestId } from "./request-id.js";
import { closesConnection, respondError } from "./respond.js";
import { serveCallback } from "./serve-callback.js";
import { redirectToRoot } from "./serve-site.js";
import { preparePreflight, prepareSigned } from "./signed-request.js";

/** Only routes whose `allow` asks others (passwords, a service) have a stage that waits. */
type Stage = (ctx: RequestContext) => Denial | null | Promise<Denial | null>;

/**
 * What a request goes through, in order. The order is a statement about security: what a stage refuses, later stages
 * never see. The exchange with the upstream and its answer follow (`exchange.ts`), or the callback's own service, then
 * `finish`.
 */
export const STAGES: readonly Stage[] = [
  begin,
  answerChallenge,
  route,
  admit,
  redirectToHttps,
  checkMethod,
  preflight,
  authorize,
  prepare,
  limitBucket,
];

/** What a connection needs of a request that it carries. */
export interface RunningRequest {
  /** The connection has been still for as long as it may be. */
  onClientIdle(): void;
  /** The client has shut down its sending side. */
  onClientHalfClosed(): void;
  /** What arrived is not HTTP: the request's own body if that is incomplete, else something behind it. */
  onMalformed(message: string): void;
}

const NO_ROUTE: Denial = Object.freeze({
  code: "NO_ROUTE",
  reason:
    "No route of this gateway serves this host and path. Check the URL, or add the host to a route's match.hosts.",
});

/** RFC 9110 §15.5.20: the client may ask again on a connection of its own. */
const MISDIRECTED: Denial = Object.freeze({
  ...NO_ROUTE,
  oss: { status: 421, code: "MisdirectedRequest", ec: null, elements: [] },
});

/** Connections that end with an answer which is decided already. */
const ending = new WeakSet<Socket>();

/**
 * Serves one request from its head to the end of its answer. What Node parses after a request that ends its connection
 * is dropped: it has no answer to come (RFC 9112 §9.6), and after a head that was refused it may not be a request at all.
 * @param onClose told when nothing of the request is left
 */
export function handleRequest(
  gateway: Gateway,
  req: IncomingMessage,
  res: ServerResponse,
  onClose: () => void,
): RunningRequest {
  if (ending.has(req.socket) || req.socket.writableEnded) return dropRequest(req, onClose);
  const ctx = new RequestContext(gateway, req, res, nextRequestId(), performance.now());
  const exchange = new RequestExchange(ctx);
  const request = new Request(ctx, exchange);
  ctx.routeStats.inFlight += 1;
  gateway.usage.enter();
  res.on("drain", () => exchange.resume());
  res.on("close", () => {
    if (!res.writableFinished) {
      ctx.noteError(CLIENT_GONE);
      exchange.abort();
    }
    finish(ctx, performance.now());
    gateway.usage.leave();
    onClose();
  });
  try {
    runStages(ctx, exchange);
  } catch (error) {
    failStage(ctx, exchange, error);
  }
  if (!res.shouldKeepAlive || (ctx.isHeadSent && closesConnection(ctx))) ending.add(req.socket);
  return request;
}

function dropRequest(req: IncomingMessage, onClose: () => void): RunningRequest {
  req.resume();
  process.nextTick(onClose);
  return DROPPED;
}

const DROPPED: RunningRequest = Object.freeze({ onClientIdle() {}, onClientHalfClosed() {}, onMalformed() {} });

const CLIENT_GONE: Denial = Object.freeze({
  code: "CLIENT_GONE",
  reason: "The client closed the connection before it had the whole answer.",
});

const CLIENT_STALLED: Denial = Object.freeze({
  code: "CLIENT_GONE",
  reason: "The client took nothing of the answer for limits.clientIdleTimeout, and its connection was ended.",
});

function runStages(ctx: RequestContext, exchange: RequestExchange, first = 0): void {
  for (let i = first; i < STAGES.length; i += 1) {
    const outcome = (STAGES[i] as Stage)(ctx);
    if (outcome instanceof Promise) {
      outcome.then((denial) => goOn(ctx, exchange, denial, i + 1)).catch((error) => failStage(ctx, exchange, error));
      return;
    }
    if (outcome !== null) {
      respondError(ctx, outcome);
      return;
    }
    if (ctx.isHeadSent) return;
  }
  const { callback } = ctx.route as CompiledRoute;
  if (callback === null) exchange.start();
  else serveCallback(ctx, callback);
}

/** The client may have gone, or timed out, while a stage waited. */
function goOn(ctx: RequestContext, exchange: RequestExchange, denial: Denial | null, next: number): void {
  if (ctx.isFinished || ctx.isHeadSent) return;
  if (denial !== null) respondError(ctx, denial);
  else runStages(ctx, exchange, next);
}

/** An expected fault is answered with its own status; anything else is a bug, and the program goes on. */
function failStage(ctx: RequestContext, exchange: RequestExchange, error: unknown): void {
  exchange.abort();
  if (error instanceof GatewayError) logOwnFault(ctx, error);
  else bugFound(ctx, error);
  if (ctx.isHeadSent) {
    ctx.res.destroy();
    return;
  }
  const fault = error instanceof GatewayError ? error : new GatewayError("INTERNAL", "The gateway failed.");
  respondError(ctx, fault);
}

/** Stage 2: listener and host, then the longest path prefix. An unknown host is never proxied. */
function route(ctx: RequestContext): Denial | null {
  const found = ctx.gateway.table.find(ctx.host, ctx.path);
  if (found === null) return isMisdirected(ctx) ? MISDIRECTED : NO_ROUTE;
  ctx.route = found;
  ctx.routeStats.inFlight -= 1;
  ctx.routeStats = found.stats;
  ctx.routeStats.inFlight += 1;
  return null;
}

/**
 * A client of HTTP/2 may send requests for every host that the connection's certificate names (RFC 9113 §9.1.1), also
 * where it would have reached another server by a connection of its own, as behind a balancer that goes by SNI.
 */
function isMisdirected({ req, host, gateway }: RequestContext): boolean {
  if (!gateway.isTls || req.httpVersionMajor !== 2) return false;
  const { servername } = req.socket as { readonly servername?: string | false };
  return typeof servername === "string" && servername !== "" && servername.toLowerCase() !== host;
}

/** Stage 3: the client's address and the rates, before any answer, a redirect's too. */
function admit(ctx: RequestContext): Denial | null {
  const found = ctx.route as CompiledRoute;
  if (found.access !== null) {
    ctx.client = canonicalClient(ctx.clientIp);
    const denied = found.access.early(ctx.client);
    if (denied !== null) return denied;
  }
  return found.limits === null ? null : limitRoute(ctx);
}

/** Still stage 3: the path, the method, and the size of the body where the client tells it. */
function checkMethod(ctx: RequestContext): Denial | null {
  const found = ctx.route as CompiledRoute;
  const deniedPath = checkPath(ctx);
  if (deniedPath !== null) return deniedPath;
  const method = ctx.req.method ?? "";
  ctx.isPreflight = method === "OPTIONS" && (found.cors !== null || isPreflight(ctx));
  if (!found.methods.has(method) && !ctx.isPreflight) return found.methodDenied;
  if ((ctx.framing.contentLength ?? 0) > found.bodySizeBytes) throw bodyTooLarge(found.bodySizeBytes);
  return null;
}

/** A browser's question before a cross-origin request, which the bucket's own CORS rules answer. */
function isPreflight(ctx: RequestContext): boolean {
  return ctx.req.headers["access-control-request-method"] !== undefined;
}

/** Stage 7: what is sent upstream. */
function prepare(ctx: RequestContext): Denial | null {
  const { signing, callback } = ctx.route as CompiledRoute;
  if (callback !== null) return null;
  const denied = prepareRequest(ctx, signing === null);
  if (denied === null && ctx.site !== null) redirectToRoot(ctx);
  return denied;
}

function prepareRequest(ctx: RequestContext, relays: boolean): Denial | null {
  if (relays || ctx.isRelayed) return prepareRelayed(ctx);
  return ctx.isPreflight ? preparePreflight(ctx) : prepareSigned(ctx);
}

const FIRST_PROBE_MS = 50;
const MAX_PROBE_MS = 5_000;

class Request implements RunningRequest {
  readonly #ctx: RequestContext;
  readonly #exchange: RequestExchange;
  /** When a probe last found that the answer had moved on, and how far; monotonic milliseconds. */
  #movedMs = 0;
  #movedBytes = -1;

  constructor(ctx: RequestContext, exchange: RequestExchange) {
    this.#ctx = ctx;
    this.#exchange = exchange;
  }

  onClientIdle(): void {
    const { req, res, isPaused, isHeadSent } = this.#ctx;
    if (isPaused || res.writableEnded) {
      this.#ctx.noteError(CLIENT_STALLED);
      res.destroy();
      return;
    }
    // The upstream is what is waited for; it has timers of its own.
    if (req.complete || req.isPaused() || !this.#mayClientSend()) return;
    this.#exchange.abort();
    if (isHeadSent) res.destroy();
    else respondError(this.#ctx, new GatewayError("REQUEST_TIMEOUT", "The body of the request stopped arriving."));
  }

  /** Before the upstream's connection stands nothing is read, and a client that waits for a 100 sends nothing. */
  #mayClientSend(): boolean {
    const { exchange, framing, hasContinued } = this.#ctx;
    return exchange?.bodyTaken === true && (!framing.expectsContinue || hasContinued);
  }

  onMalformed(message: string): void {
    const { req, res, isHeadSent } = this.#ctx;
    if (req.complete) return;
    this.#exchange.abort();
    if (isHeadSent) res.destroy();
    else respondError(this.#ctx, new GatewayError("MALFORMED_REQUEST", message));
  }

  onClientHalfClosed(): void {
    if (this.#ctx.req.complete) this.#probe(FIRST_PROBE_MS);
  }

  /**
   * Some clients shut down their sending side and wait for the answer, others are gone; TCP does not tell which. What is
   * written is reset by those that are gone; but only the next write learns of it, since nothing is read from a
   * connection that has ended. So while nothing else is written, something is, now and then: before the head an interim
   * answer, which every HTTP/1.1 client must accept (RFC 9110 §15.2), and of bytes that wait for a grant one.
   */
  #probe(delayMs: number): void {
    const { req, res, isHeadSent, isFinished, egress } = this.#ctx;
    if (isFinished || res.socket === null || (isHeadSent && egress === null)) return;
    if (isHeadSent) this.#probeHeld();
    else if (req.httpVersionMinor === 1) res.writeProcessing();
    setTimeout(() => this.#probe(Math.min(2 * delayMs, MAX_PROBE_MS)), delayMs).unref();
  }

  /** Probes keep the connection from being taken for idle, and the way back from a client that is gone may be cut. */
  #probeHeld(): void {
    const { res, egress, sentBytes } = this.#ctx;
    const nowMs = performance.now();
    const isWaiting = egress?.probe() === true;
    if (!isWaiting || sentBytes !== this.#movedBytes) this.#movedMs = nowMs;
    this.#movedBytes = this.#ctx.sentBytes;
    const idleMs = res.socket?.timeout ?? 0;
    if (idleMs === 0 || nowMs - this.#movedMs < idleMs) return;
    this.#ctx.noteError(CLIENT_STALLED);
    res.destroy();
  }
}
