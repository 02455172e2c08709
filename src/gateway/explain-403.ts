import { type HeaderList, headerValue } from "../core/headers.js";
import type { OssCredentials } from "../core/secret.js";
import { decodePath, splitTarget } from "../core/target.js";
import type { CompiledBucket } from "../route/compiled-route.js";
import { parseQuery } from "../signing/canonical.js";
import { classify, isOssAuthorization } from "../signing/classify.js";
import { explainMismatch, flawedSignature } from "../signing/mismatch.js";
import type { Mismatch } from "../signing/mismatch-causes.js";
import { hopMarks, missingParts } from "../signing/mismatch-suspects.js";
import { type Reading, type StatedSignature, statedSignature } from "../signing/signed-text.js";
import { parseHttpDateMs } from "../signing/time.js";
import { repeatedLinesOf, writeSeldom } from "../telemetry/error-lines.js";
import type { OssError } from "./oss-error.js";
import { causeOfAnswer, nextOfRefusal, type RefusalCause } from "./refused-by-oss.js";
import type { RequestContext } from "./request-context.js";

const MAX_DETAIL = 200;

/** Why OSS refused a request: a line in the log, once a minute for each route and cause, and a few words in the access log. */
export function explainRefusal(ctx: RequestContext, status: number, error: OssError, headers: HeaderList): void {
  const sent = sentReading(ctx);
  const signatureClass = classify(
    sent.method,
    splitTarget(ctx.upstreamRequest?.rawTarget ?? "").rawQuery,
    sent.headers,
  );
  const stated = statedSignature(sent, signatureClass);
  const answered = causeOfAnswer(status, error, {
    isSigned: signatureClass !== "anonymous",
    accessKeyId: stated?.accessKeyId ?? "",
    hasSecurityToken: stated?.hasSecurityToken ?? false,
    hasOtherLogin: hasOtherLogin(sent.headers),
  });
  if (answered === null) return;
  const mismatch = stated === null ? null : mismatchOf(ctx, { answered, error, stated, sent });
  const cause = mismatch?.cause ?? answered;
  if (ctx.errorCode === null) ctx.errorDetail = detailOf(error, cause, mismatch);
  const missing = cause === "signature-incomplete" ? missingParts(sent, signatureClass) : [];
  tell(ctx, { error, cause, mismatch, headers, missing, hops: hopMarks(ctx.req.rawHeaders) });
}

function hasOtherLogin(headers: HeaderList): boolean {
  const authorization = headerValue(headers, "authorization");
  return authorization !== undefined && !isOssAuthorization(authorization);
}

interface Answered {
  readonly answered: RefusalCause;
  readonly error: OssError;
  readonly stated: StatedSignature;
  readonly sent: Reading;
}

function mismatchOf(ctx: RequestContext, { answered, error, stated, sent }: Answered): Mismatch | null {
  if (answered === "signature-incomplete") return flawedSignature(stated);
  return answered === "signature-mismatch" ? compare(ctx, error, stated, sent) : null;
}

const NO_DOCUMENT: OssError = { code: "Forbidden", message: "", elements: new Map() };

/** A HEAD was refused, and nothing says why; OSS says it in a header. */
export function tellNothingSaid(ctx: RequestContext, headers: HeaderList): void {
  tell(ctx, { error: NO_DOCUMENT, cause: "no-document", mismatch: null, headers, missing: [], hops: [] });
}

function sentReading(ctx: RequestContext): Reading {
  const { method = "", rawTarget = "/", headers = [] } = ctx.upstreamRequest ?? {};
  const { rawPath, rawQuery } = splitTarget(rawTarget);
  return {
    method,
    bucket: (ctx.bucket as CompiledBucket).ossName,
    key: decodePath(rawPath).slice(1),
    query: parseQuery(rawQuery),
    headers: withFraming(headers, ctx.req.rawHeaders),
  };
}

/** What the transport writes anew is the same on both sides. */
const OF_FRAMING: readonly string[] = ["content-length", "expect"];

function withFraming(headers: HeaderList, received: HeaderList): HeaderList {
  const framing = OF_FRAMING.flatMap((name) => {
    const value = headerValue(received, name);
    return value === undefined || headerValue(headers, name) !== undefined ? [] : [name, value];
  });
  return framing.length === 0 ? headers : [...headers, ...framing];
}

/** @returns `null`: too many were compared in this second */
function compare(ctx: RequestContext, error: OssError, stated: StatedSignature, sent: Reading): Mismatch | null {
  if (!repeatedLinesOf(ctx.gateway.log).comparisons.take(performance.now())) return null;
  const isOwn = ctx.signedDraft !== null;
  const received: Reading = isOwn
    ? sent
    : {
        method: ctx.req.method ?? "",
        bucket: sent.bucket,
        key: decodePath(ctx.rawKeyPath).slice(1),
        query: parseQuery(ctx.rawQuery),
        headers: ctx.req.rawHeaders,
      };
  const mismatch = explainMismatch({
    oss: {
      stringToSign: error.elements.get("StringToSign") ?? "",
      canonicalRequest: error.elements.get("CanonicalRequest") ?? null,
      signatureProvided: error.elements.get("SignatureProvided") ?? null,
    },
    stated,
    received,
    sent,
    rawPath: ctx.rawKeyPath,
    hosts: (ctx.bucket as CompiledBucket).ownHosts,
    credentials: credentialsOf(ctx, stated.accessKeyId),
  });
  // Nobody stands before what the gateway signs itself.
  if (isOwn && mismatch.cause === "changed-before-or-wrong-secret") return { ...mismatch, cause: "wrong-secret" };
  return mismatch;
}

/** The pair with this id, if it is one of the gateway's own. */
function credentialsOf(ctx: RequestContext, accessKeyId: string): OssCredentials | null {
  const nowMs = Date.now();
  const ofRoute = ctx.route?.signing?.source.find(accessKeyId, nowMs) ?? null;
  return ofRoute ?? ctx.gateway.findCredentials?.(accessKeyId, nowMs) ?? null;
}

interface Refusal {
  readonly error: OssError;
  readonly cause: RefusalCause;
  readonly mismatch: Mismatch | null;
  readonly headers: HeaderList;
  readonly missing: readonly string[];
  readonly hops: readonly string[];
}

/** For the access log: `OSS: SignatureDoesNotMatch, likely cause: content-type-added (content-type)`. */
function detailOf({ code }: OssError, cause: RefusalCause, mismatch: Mismatch | null): string {
  const name = mismatch?.name === null || mismatch === null ? "" : ` (${mismatch.name})`;
  const likely = mismatch !== null && !mismatch.isProven ? "likely cause" : "cause";
  return `OSS: ${code}, ${likely}: ${cause}${name}`.slice(0, MAX_DETAIL);
}

function aboutOf(mismatch: Mismatch | null, missing: readonly string[]): string | undefined {
  const names = mismatch === null ? missing : mismatch.name === null ? mismatch.suspects : [mismatch.name];
  return names.length === 0 ? undefined : names.join(", ").slice(0, MAX_DETAIL);
}

function tell(ctx: RequestContext, { error, cause, mismatch, headers, missing, hops }: Refusal): void {
  const { log } = ctx.gateway;
  const { route } = ctx.routeStats;
  const fields = (): Record<string, unknown> => {
    const dateMs = parseHttpDateMs(headerValue(headers, "date") ?? "");
    return {
      requestId: ctx.requestId,
      route,
      bucket: ctx.bucket?.alias,
      ossCode: error.code.slice(0, MAX_DETAIL),
      ossRequestId: ctx.ossRequestId ?? error.elements.get("RequestId"),
      ec: ctx.ossEc ?? error.elements.get("EC"),
      cause,
      about: aboutOf(mismatch, missing),
      certainty: mismatch === null || mismatch.isProven ? "proven" : "likely",
      next: nextOfRefusal({
        cause,
        mismatch,
        isOwnSignature: ctx.signedDraft !== null,
        endpoint: error.elements.get("Endpoint")?.slice(0, MAX_DETAIL) ?? null,
        skewSeconds: dateMs === null ? null : Math.round((dateMs - Date.now()) / 1_000),
        missing,
        hops,
      }),
    };
  };
  writeSeldom(log, "warn", `refused/${route}/${cause}`, performance.now(), fields, "OSS refused a request");
}
