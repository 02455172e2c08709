import type { IncomingMessage, ServerResponse } from "node:http";
import type { Denial, ErrorCode, GatewayError } from "../core/errors.js";
import type { OssCredentials } from "../core/secret.js";
import type { RequestLimits } from "../limits/request-limits.js";
import type { ClientCertificate } from "../policy/client-certificate.js";
import type { FindClientIp } from "../policy/client-ip.js";
import type { Clients } from "../policy/clients.js";
import type { CompiledBucket, CompiledHls, CompiledRoute } from "../route/compiled-route.js";
import type { RouteTable } from "../route/table.js";
import type { Usage } from "../route/usage.js";
import type { QueryPairs, SignatureClass } from "../signing/types.js";
import type { AccessLog, Mask } from "../telemetry/access-log.js";
import type { Logger } from "../telemetry/log.js";
import type { RouteStats, Stats } from "../telemetry/stats.js";
import type { Exchange, UpstreamRequest } from "../transport/exchange.js";
import type { AddressPool } from "../transport/upstream.js";
import { clientIpOf } from "./client-address.js";
import { certificateOf } from "./client-certificate.js";
import type { SiteState } from "./site-state.js";

/** What all requests of one listener share. */
export interface Gateway {
  readonly table: RouteTable<CompiledRoute>;
  readonly limits: {
    readonly headerCount: number;
    readonly targetSizeBytes: number;
    readonly headerSizeBytes: number;
  };
  readonly stats: Stats;
  readonly accessLog: AccessLog;
  readonly log: Logger;
  readonly isTls: boolean;
  /** What ACME's challenges are answered from; `null`: none are answered here. */
  readonly acmeChallengeDirectory: string | null;
  /** `null`: there are no trusted proxies, and the client is the socket's peer. */
  readonly findClientIp: FindClientIp | null;
  /** Whose X-Forwarded headers are believed; `null`: nobody's. */
  readonly trustedProxies: Clients | null;
  /** Told of each request: what it is served with stays until it has ended. */
  readonly usage: Usage;
  /** What the access log may show of a target or a URL; and what any other page may, whatever the log may. */
  readonly mask: Mask;
  readonly maskAlways: Mask;
  /** The pair with this id among the gateway's own; only to explain what OSS refused. */
  readonly findCredentials?: (accessKeyId: string, nowMs: number) => OssCredentials | null;
  /** Whether the program is shutting down, so that answers should end their connections. */
  isDraining(): boolean;
}

/** An answer whose bytes wait for bandwidth (`paced-answer.ts`). */
export interface Egress {
  /** @returns false: the upstream waits until it is resumed */
  push(chunk: Buffer): boolean;
  /** The upstream has sent all; what is held goes out as it may. */
  end(): void;
  /** The client's socket has taken what was written. */
  onDrain(): void;
  /**
   * Lets one byte pass before its time, if bytes wait for a grant: to a client that has gone, a second one fails.
   * @returns whether bytes wait for a grant
   */
  probe(): boolean;
  /** What is held will not go out. Idempotent. */
  close(): void;
}

/** What is signed when the request goes out, and anew for each retry. */
export interface SignedDraft {
  readonly method: string;
  /** Decoded, with the route's prefix. */
  readonly key: string;
  readonly query: QueryPairs;
  /** With Host, without the signature. */
  readonly headers: readonly string[];
  readonly rawTarget: string;
  /** The answer is a playlist that is rewritten; `null`: it is not. */
  readonly playlist: CompiledHls | null;
  /** Unix seconds: signed in the URL until then, V1; `null`: signed in the headers. */
  readonly urlExpiresSeconds: number | null;
  /** The answer is a document that holds keys. */
  readonly answersXml: boolean;
}

/** What is known of the link, or of the signed URL in its place, that admitted a request. */
export interface AdmittingLink {
  readonly expiresSeconds: number;
  /** Decoded path prefix in which a playlist may mint links; `null`: not said. */
  readonly scope: string | null;
  /** The address that it is bound to; `null`: any. */
  readonly client: string | null;
}

/** The framing of a request's body, read off its headers. */
export interface BodyFraming {
  /** `null` when there is no Content-Length, or Transfer-Encoding overrules it (RFC 9112 §6.3). */
  contentLength: number | null;
  isChunked: boolean;
  expectsContinue: boolean;
}

const NONE: readonly ErrorCode[] = Object.freeze([]);

/**
 * The state of one request, from its head to the end of its answer. The stages fill it in order; nothing of it outlives
 * the request, and nothing of it is shared with another.
 */
export class RequestContext {
  readonly gateway: Gateway;
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly requestId: string;
  readonly startMs: number;
  /** From the socket, or from what a trusted proxy says; final from the start. */
  readonly clientIp: string;
  /** Of the client's connection; `null`: it has shown none that is believed. */
  readonly clientCertificate: ClientCertificate | null;

  // begin
  /** Origin-form, as it is sent. */
  rawTarget = "";
  /** What the client wrote where that was absolute-form. */
  absoluteTarget: string | null = null;
  rawPath = "";
  rawQuery = "";
  /** `?query`, `?` or nothing. */
  rawSuffix = "";
  /** Decoded once; decides. */
  path = "";
  /** As the client wrote it. */
  rawHost = "";
  /** Lower case, without port; `""` while unknown. */
  host = "";
  /** All `Connection` values, joined; `null` when there is none. */
  connection: string | null = null;
  readonly framing: BodyFraming = { contentLength: null, isChunked: false, expectsContinue: false };
  isFramingKnown = false;
  referer: string | undefined;
  userAgent: string | undefined;
  authorization: string | undefined;
  signatureClass: SignatureClass = "anonymous";

  // route, prepare
  route: CompiledRoute | null = null;
  routeStats: RouteStats;
  bucket: CompiledBucket | null = null;
  /** What was taken off the front of the client's path, encoded: the prefix, or the bucket's name. */
  strippedPrefix = "";
  upstreamRequest: UpstreamRequest | null = null;

  // limits
  /** What the request has entered and must leave. */
  enteredRoute: RequestLimits | null = null;
  enteredBucket: RequestLimits | null = null;

  // authorize
  /** The client's address in one spelling; `""` until a policy needs it. */
  client = "";
  /** The query carried a link of the gateway's, which was taken off. */
  carriedLink = false;
  /** The link that admitted the request. */
  link: AdmittingLink | null = null;
  /** `Authorization` is for the gateway (a password, a token of the service that it asks) and goes no further. */
  consumedAuthorization = false;
  /** An OSS signature of the client's was verified here. */
  hasVerifiedSignature = false;
  /** What the client signed goes upstream as it is, on a route that signs. */
  isRelayed = false;
  isPreflight = false;

  // prepare
  /** Of the upstream's path what the client wrote, before the key prefix. */
  rawKeyPath = "";
  /** What the gateway signs; `null` where it relays. */
  signedDraft: SignedDraft | null = null;
  /** The read of a static site's page; `null`: it is served like any object. */
  site: SiteState | null = null;

  // exchange, answer
  attempt = 0;
  pool: AddressPool | null = null;
  exchange: Exchange | null = null;
  sentUpstreamMs = 0;
  firstByteMs = 0;
  /** The access key id of the last signature. */
  signedWith = "";
  /** What the time of the last signature was corrected by. */
  signedOffsetMs = 0;
  /** The request was sent again after a whole answer. */
  hasRepeated = false;
  /** What the client gets in place of a 200, with an error document; `null`: the upstream's own. */
  answerStatus: number | null = null;
  status = 0;
  isHeadSent = false;
  /** The client, which waited for it, was told to send the body. */
  hasContinued = false;
  /** Bytes of the answer that Content-Length still promises; `-1` when it promises nothing. */
  remainingBytes = -1;
  /** A write filled the client's socket, and the upstream waits for it to drain. */
  isPaused = false;
  /** `null`: bytes go to the client as they come. */
  egress: Egress | null = null;
  receivedBytes = 0;
  sentBytes = 0;
  ossRequestId: string | undefined;
  ossEc: string | undefined;
  errorCode: ErrorCode | null = null;
  errorDetail: string | undefined;
  /** What policies that only report would have refused. */
  reported: readonly ErrorCode[] = NONE;
  isFinished = false;

  constructor(gateway: Gateway, req: IncomingMessage, res: ServerResponse, requestId: string, startMs: number) {
    this.gateway = gateway;
    this.req = req;
    this.res = res;
    this.requestId = requestId;
    this.startMs = startMs;
    this.clientIp = clientIpOf(gateway.findClientIp, req);
    this.clientCertificate = gateway.isTls ? certificateOf(req.socket) : null;
    this.routeStats = gateway.stats.unrouted;
  }

  get hasBody(): boolean {
    return this.framing.isChunked || (this.framing.contentLength ?? 0) > 0;
  }

  /** Notes what went wrong, for the log and the counters; the first cause stands. */
  noteError(error: GatewayError | Denial): void {
    if (this.errorCode !== null) return;
    this.errorCode = error.code;
    this.errorDetail = error instanceof Error ? error.message : error.reason;
  }
}
