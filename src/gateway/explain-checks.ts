import type { BudgetConfig, GatewayConfig, RatesConfig, RouteConfig } from "../config/gateway-config.js";
import type { ErrorCode } from "../core/errors.js";
import { reasonOf, type Stop } from "./explain-reason.js";
import { STAGES } from "./handler.js";
import type { RequestContext } from "./request-context.js";

/** One check as it comes out: `skip` was not made here, because it would leave a trace. */
export interface ExplainedCheck {
  readonly check: string;
  readonly outcome: "pass" | "refuse" | "report" | "assume" | "skip";
  readonly detail: string;
}

export interface CheckedRequest {
  readonly ctx: RequestContext;
  readonly route: RouteConfig | null;
  readonly config: GatewayConfig;
  /** The members of `allow` whose answer was assumed. */
  readonly asked: ReadonlySet<string>;
  readonly stop: Stop | null;
}

/** A check that stands before the others, and what it would say. */
interface Planned {
  readonly check: string;
  readonly stage: string;
  /** What it refuses with; `null`: whatever else its stage says. */
  readonly codes: ReadonlySet<ErrorCode> | null;
  readonly outcome: Exclude<ExplainedCheck["outcome"], "refuse">;
  readonly detail: string;
}

/** The checks in their order, up to the one that refuses. */
export function explainChecks(checked: CheckedRequest): readonly ExplainedCheck[] {
  const { stop } = checked;
  const checks: ExplainedCheck[] = [];
  const end = stop === null ? STAGES.length : placeOf(stop.stage);
  for (const planned of plan(checked)) {
    const { check, outcome, detail } = planned;
    if (placeOf(planned.stage) > end) break;
    if (stop !== null && isStoppedBy(planned, stop)) {
      checks.push(refusalOf(check, detail, stop));
      return checks;
    }
    checks.push({ check, outcome, detail });
  }
  // A stage that has no check of its own here.
  if (stop !== null) checks.push(refusalOf(NAMES[stop.stage] ?? stop.stage, "", stop));
  return checks;
}

const placeOf = (stage: string): number => STAGES.findIndex(({ name }) => name === stage);

const NAMES: Readonly<Record<string, string>> = { answerChallenge: "ACME", redirectToHttps: "https" };

function refusalOf(check: string, detail: string, { denial }: Stop): ExplainedCheck {
  if (denial === undefined) return { check, outcome: "pass", detail: "answered here" };
  return { check, outcome: "refuse", detail: detail === "" ? reasonOf(denial) : `${reasonOf(denial)} (${detail})` };
}

function isStoppedBy({ stage, codes }: Planned, stop: Stop): boolean {
  if (stage !== stop.stage) return false;
  return codes === null || (stop.denial !== undefined && codes.has(stop.denial.code));
}

function plan(checked: CheckedRequest): readonly Planned[] {
  const { route, ctx } = checked;
  const head = planned("request", "begin", `well formed; signature: ${ctx.signatureClass}`);
  if (route === null) return [head, planned("route", "route", "")];
  return [
    head,
    planned("route", "route", route.name),
    ...planAdmission(checked, route),
    ...planAuthorization(checked, route),
    planned("rewrite", "prepare", rewriteDetail(route)),
    ...limitsOf("bucket limits", "limitBucket", bucketBudget(checked)),
  ];
}

function planned(check: string, stage: string, detail: string, more: Partial<Planned> = {}): Planned {
  return { check, stage, codes: null, outcome: "pass", detail, ...more };
}

const codes = (...names: readonly ErrorCode[]): ReadonlySet<ErrorCode> => new Set(names);

function planAdmission({ ctx }: CheckedRequest, route: RouteConfig): readonly Planned[] {
  const { methods, limits, cors, deny } = route;
  const checks: Planned[] = [];
  const addresses = addressDetail(ctx, route);
  if (addresses !== "") checks.push(planned("address", "admit", addresses, { codes: codes("CLIENT_NOT_ALLOWED") }));
  checks.push(...limitsOf("limits", "admit", limits.budget));
  if (deny.paths.length > 0) {
    checks.push(planned("path", "checkMethod", `deny ${deny.paths.join(", ")}`, { codes: codes("PATH_NOT_ALLOWED") }));
  }
  checks.push(
    planned("method", "checkMethod", `allowed: ${methods.join(", ")}${ctx.isPreflight ? "; a preflight passes" : ""}`, {
      codes: codes("METHOD_NOT_ALLOWED"),
    }),
  );
  if (ctx.hasBody) checks.push(planned("body", "checkMethod", `at most ${limits.bodySizeBytes} bytes`));
  if (cors !== null && ctx.isPreflight) checks.push(planned("preflight", "preflight", "by the route's CORS rules"));
  return checks;
}

function addressDetail({ client, clientIp }: RequestContext, { deny, allow }: RouteConfig): string {
  const parts = [
    deny.clients.length === 0 ? "" : `deny ${deny.clients.join(", ")}`,
    (allow?.clients.length ?? 0) === 0 ? "" : `allow ${allow?.clients.join(", ")}`,
  ].filter((part) => part !== "");
  return parts.length === 0 ? "" : `client ${client || clientIp}; ${parts.join("; ")}`;
}

/** What would be counted. */
function limitsOf(check: string, stage: string, budget: BudgetConfig | null): readonly Planned[] {
  if (budget === null) return [];
  const each = budget.perClient === null ? "" : ratesDetail(budget.perClient);
  const parts = [ratesDetail(budget), each === "" ? "" : `each client ${each}`].filter((part) => part !== "");
  if (parts.length === 0) return [];
  const detail = `${parts.join("; ")}${budget.dryRun ? "; dryRun" : ""}; not counted here`;
  return [planned(check, stage, detail, { codes: codes("RATE_LIMITED", "TOO_MANY_CONNECTIONS"), outcome: "skip" })];
}

function ratesDetail(rates: RatesConfig): string {
  const { requestsPerSecond, connections, egressBytesPerSecond, ingressBytesPerSecond } = rates;
  return [
    requestsPerSecond === null ? "" : `${requestsPerSecond} requests/s`,
    connections === null ? "" : `${connections} at once`,
    egressBytesPerSecond === null ? "" : `${egressBytesPerSecond} bytes/s out`,
    ingressBytesPerSecond === null ? "" : `${ingressBytesPerSecond} bytes/s in`,
  ]
    .filter((part) => part !== "")
    .join(", ");
}

function planAuthorization({ ctx, asked }: CheckedRequest, route: RouteConfig): readonly Planned[] {
  const checks: Planned[] = [];
  const { referer, allow, auth, clientSignatures } = route;
  checks.push(
    planned("path", "authorize", "reads as one route's alone", {
      codes: codes("MALFORMED_TARGET", "MALFORMED_REQUEST"),
    }),
  );
  if (auth === "sign" && ctx.signatureClass !== "anonymous" && !ctx.isPreflight) {
    checks.push(planned("signature", "authorize", signatureDetail(ctx, clientSignatures), { codes: OF_SIGNATURES }));
  }
  if (referer !== null && !ctx.isPreflight) checks.push(refererCheck(ctx));
  if (allow !== null && !ctx.isPreflight) {
    const outcome = asked.size > 0 ? "assume" : "pass";
    checks.push(planned("allow", "authorize", allowDetail(ctx, route), { outcome }));
  }
  return checks;
}

const OF_SIGNATURES = codes(
  "CLIENT_SIGNATURE_NOT_ALLOWED",
  "CLIENT_SIGNATURE_INVALID",
  "DOT_SEGMENT",
  "NO_SUCH_BUCKET",
);

function signatureDetail(ctx: RequestContext, clientSignatures: string): string {
  const what = ctx.isRelayed ? "relayed as it is" : ctx.hasVerifiedSignature ? "verified" : "not verified";
  return `${ctx.signatureClass}; clientSignatures: ${clientSignatures}; ${what}`;
}

function refererCheck(ctx: RequestContext): Planned {
  const what = ctx.referer === undefined ? "there is none" : ctx.referer;
  const isReported = ctx.reported.includes("REFERER_DENIED");
  return planned("referer", "authorize", isReported ? `${what}; would be refused, but mode is report` : what, {
    codes: codes("REFERER_DENIED"),
    outcome: isReported ? "report" : "pass",
  });
}

function allowDetail(ctx: RequestContext, { allow, satisfy }: RouteConfig): string {
  if (allow === null) return "";
  if (allow.anyone) return "anyone";
  const members = [
    allow.clients.length === 0 ? "" : "clients",
    allow.links === null ? "" : `links (${linkDetail(ctx)})`,
    allow.signatures ? "signatures" : "",
    allow.basic === null ? "" : "basic",
    allow.forwardAuth === null ? "" : "forwardAuth",
    allow.certificates.length === 0 ? "" : "certificates",
  ].filter((member) => member !== "");
  return members.length === 1 ? (members[0] as string) : `${satisfy} of ${members.join(", ")}`;
}

function linkDetail({ carriedLink, link }: RequestContext): string {
  if (!carriedLink) return "the request carries none";
  return link === null
    ? "the request carries one"
    : `good until ${new Date(link.expiresSeconds * 1_000).toISOString()}`;
}

function rewriteDetail({ auth, stripPrefix, keyPrefix, operations }: RouteConfig): string {
  return [
    auth === "sign" ? "the gateway signs" : "relayed",
    stripPrefix ? "stripPrefix" : "",
    keyPrefix === "" ? "" : `keyPrefix ${keyPrefix}`,
    auth === "sign" && operations.length > 0 ? `operations ${operations.join(", ")}` : "",
  ]
    .filter((part) => part !== "")
    .join("; ");
}

function bucketBudget({ ctx, config }: CheckedRequest): BudgetConfig | null {
  return ctx.bucket === null ? null : (config.buckets.get(ctx.bucket.alias)?.limits ?? null);
}
