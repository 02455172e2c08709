import { decodePath, splitTarget } from "../core/target.js";
import type { CompiledBucket, CompiledRoute, CompiledSigning } from "../route/compiled-route.js";
import type { Mask } from "../telemetry/access-log.js";
import { NO_CREDENTIALS, type ShadowTable } from "./explain-shadow.js";
import type { RequestContext, SignedDraft } from "./request-context.js";

/** What would be sent to OSS; signatures and tokens are masked, and none is made that would be good. */
export interface ExplainedUpstream {
  /** What is connected to: `https://oss-cn-beijing-internal.aliyuncs.com:443`. */
  readonly origin: string;
  readonly method: string;
  readonly target: string;
  /** Names and values in turn. What describes the connection and the body is not among them. */
  readonly headers: readonly string[];
}

export interface ExplainedRewrite {
  readonly bucket: string;
  /** The bucket's name at OSS. */
  readonly ossBucket: string;
  /** Decoded; `""` for a request about the bucket itself. */
  readonly key: string;
  /** Lower case names of the client's headers that are not sent on, and of those that are added or changed. */
  readonly headersRemoved: readonly string[];
  readonly headersAdded: readonly string[];
  /** `null`: what the client signed, or did not, is relayed. */
  readonly signedBy: string | null;
}

/** After the stages: what they have decided about the request to OSS; `null` where there is none. */
export function explainUpstream(
  ctx: RequestContext,
  table: ShadowTable,
  signVersion: string,
): { readonly upstream: ExplainedUpstream; readonly rewrite: ExplainedRewrite } | null {
  const { bucket, route, signedDraft, upstreamRequest } = ctx;
  const described = signedDraft ?? upstreamRequest;
  if (bucket === null || route === null || described === null) return null;
  const signedBy = signedDraft === null ? null : signerName(route, signedDraft, signVersion);
  const sent =
    signedDraft === null || signedBy === null
      ? { suffix: "", headers: described.headers }
      : signed(ctx, signedDraft, table, signedBy);
  const { host, port, tls } = bucket.upstream.options;
  const { maskAlways } = ctx.gateway;
  return {
    upstream: {
      origin: `${tls ? "https" : "http"}://${host.includes(":") ? `[${host}]` : host}:${port}`,
      method: described.method,
      target: maskAlways(described.rawTarget) + sent.suffix,
      headers: maskHeaders(sent.headers, maskAlways),
    },
    rewrite: {
      bucket: bucket.alias,
      ossBucket: bucket.ossName,
      key: signedDraft?.key ?? decodePath(splitTarget(described.rawTarget).rawPath).slice(1),
      ...changedHeaders(ctx.req.rawHeaders, sent.headers),
      signedBy,
    },
  };
}

interface Sent {
  /** Of the target. */
  readonly suffix: string;
  readonly headers: readonly string[];
}

function signerName({ signing }: CompiledRoute, { urlExpiresSeconds }: SignedDraft, version: string): string {
  return `${signing?.source.name ?? ""}, ${urlExpiresSeconds === null ? version : "v1 in the URL"}`;
}

/** The names of what a signature adds are found by making one with keys that are worth nothing. */
function signed(ctx: RequestContext, draft: SignedDraft, table: ShadowTable, by: string): Sent {
  const { method, key, query, headers } = draft;
  const mark = `<signed by ${by}>`;
  if (draft.urlExpiresSeconds !== null) {
    return { suffix: `&Expires=…&OSSAccessKeyId=…&Signature=${mark}`, headers };
  }
  const { signing } = ctx.route as CompiledRoute & { readonly signing: CompiledSigning };
  const bucket = table.realOf(ctx.bucket as CompiledBucket);
  const nowMs = Date.now();
  const credentials = signing.source.current(nowMs) ?? NO_CREDENTIALS;
  const request = { method, key, query, headers, credentials, nowMs: bucket.clock.at(nowMs) };
  const added = signing.signerOf(bucket).sign(request);
  const shown = added.map((text, i) => (i % 2 === 1 && added[i - 1] === "Authorization" ? mark : text));
  return { suffix: "", headers: [...headers, ...shown] };
}

/** Lower case; the values of these open something. `cookie` may. */
const SECRET_HEADERS: ReadonlySet<string> = new Set([
  "authorization",
  "cookie",
  "proxy-authorization",
  "x-oss-security-token",
  "x-amz-security-token",
  "security-token",
]);

/** Names and values in turn; what would let someone in is not shown. */
export function maskHeaders(headers: readonly string[], mask: Mask): readonly string[] {
  return headers.map((value, i) =>
    i % 2 === 0 ? value : maskValue((headers[i - 1] as string).toLowerCase(), value, mask),
  );
}

function maskValue(lowerName: string, value: string, mask: Mask): string {
  if (SECRET_HEADERS.has(lowerName)) return maskSecret(value);
  return value.includes("?") ? mask(value) : value;
}

/** What is said by the scheme alone stays: `OSS ***`. Our own marks are no secrets. */
function maskSecret(value: string): string {
  if (value.startsWith("<signed by ")) return value;
  const [scheme = ""] = value.split(" ", 1);
  return scheme !== value && /^[A-Za-z0-9-]{1,32}$/.test(scheme) ? `${scheme} ***` : "***";
}

function changedHeaders(
  before: readonly string[],
  after: readonly string[],
): Pick<ExplainedRewrite, "headersRemoved" | "headersAdded"> {
  const [had, has] = [valuesByName(before), valuesByName(after)];
  return {
    headersRemoved: [...had.keys()].filter((name) => !has.has(name)),
    headersAdded: [...has].filter(([name, values]) => had.get(name) !== values).map(([name]) => name),
  };
}

function valuesByName(headers: readonly string[]): ReadonlyMap<string, string> {
  const values = new Map<string, string>();
  for (let i = 0; i < headers.length; i += 2) {
    const name = (headers[i] as string).toLowerCase();
    values.set(name, `${values.get(name) ?? ""}\n${headers[i + 1]}`);
  }
  return values;
}
