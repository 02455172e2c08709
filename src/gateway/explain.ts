import type { RouteConfig } from "../config/gateway-config.js";
import { ERRORS, type ErrorCode, GatewayError } from "../core/errors.js";
import { compileClientIp } from "../policy/client-ip.js";
import { compileClients } from "../policy/clients.js";
import type { Runtime } from "../route/runtime.js";
import { Usage } from "../route/usage.js";
import type { Mask } from "../telemetry/access-log.js";
import { createLog } from "../telemetry/log.js";
import { Stats } from "../telemetry/stats.js";
import { type ExplainedCheck, explainChecks } from "./explain-checks.js";
import { explainMiss } from "./explain-miss.js";
import { reasonOf, type Stop } from "./explain-reason.js";
import { type ShadowResponse, ShadowTable, shadowRequest } from "./explain-shadow.js";
import { type ExplainedRewrite, type ExplainedUpstream, explainUpstream, maskHeaders } from "./explain-upstream.js";
import { STAGES } from "./handler.js";
import { type Gateway, RequestContext } from "./request-context.js";
import { respondError } from "./respond.js";

/** A request that nobody has sent. */
export interface RequestToExplain {
  readonly method: string;
  /** The listener that it comes to, by name. */
  readonly listener: string;
  /** Origin-form or absolute-form, as it stands in a request line. */
  readonly target: string;
  /** Names and values in turn, `Host` among them. */
  readonly headers: readonly string[];
  /** The address that it comes from. */
  readonly client: string;
}

export interface ExplainWorld {
  readonly runtime: Runtime;
  /** Whether the credentials of that name can be used now. */
  isValid(credentials: string): boolean;
}

export interface Explanation {
  readonly route: ExplainedRoute | null;
  /** What was asked for, with what signs it masked. */
  readonly target: string;
  /** Names and values in turn, likewise. */
  readonly headers: readonly string[];
  /** Why there is no route, or which others were near; sentences. */
  readonly misses: readonly string[];
  /** In the order in which they are made; none after a refusal. */
  readonly checks: readonly ExplainedCheck[];
  /** `null`: nothing is sent to OSS. */
  readonly rewrite: ExplainedRewrite | null;
  readonly upstream: ExplainedUpstream | null;
  /** What the gateway answers itself; `null`: the client gets OSS's answer. */
  readonly answer: ExplainedAnswer | null;
  /** What else there is to know; sentences. */
  readonly notes: readonly string[];
}

export interface ExplainedRoute {
  readonly name: string;
  readonly hosts: readonly string[];
  readonly pathPrefix: string;
  /** `null`: every path below the prefix. */
  readonly pathPattern: string | null;
}

export interface ExplainedAnswer {
  readonly status: number;
  /** `null` where nothing was refused: a redirect, the answer to a preflight. */
  readonly code: ErrorCode | null;
  readonly reason: string;
  /** Names and values in turn. */
  readonly headers: readonly string[];
}

/**
 * What would become of a request. It goes through the very stages that requests go through, over routes that leave no
 * trace: nothing is counted, sent, asked or signed with credentials that are worth something.
 */
export async function explainRequest(request: RequestToExplain, world: ExplainWorld): Promise<Explanation> {
  const { runtime } = world;
  const stats = new Stats();
  const asked = new Set<"basic" | "forwardAuth">();
  const table = new ShadowTable(runtime.table(request.listener), {
    stats,
    isValid: (credentials) => world.isValid(credentials),
    onAsked: (member) => asked.add(member),
  });
  const { req, res } = shadowRequest(request);
  const ctx = new RequestContext(shadowGateway(request, runtime, table, stats), req, res, "explained", 0);
  const stop = await runStages(ctx);
  if (stop?.denial !== undefined) respondError(ctx, stop.denial);
  const found = ctx.route === null ? null : (configOf(runtime, ctx.route.name) ?? null);
  const sent = stop === null && found !== null ? explainUpstream(ctx, table, found.sign?.version ?? "") : null;
  req.socket.destroy();
  return {
    route: found === null ? null : routeOf(found),
    target: runtime.mask(request.target),
    headers: maskHeaders(request.headers, runtime.mask),
    misses: explainMiss(ctx, runtime.config, request.listener, found),
    checks: explainChecks({ ctx, route: found, config: runtime.config, asked, stop }),
    rewrite: sent?.rewrite ?? null,
    upstream: sent?.upstream ?? null,
    answer: answerOf(res, stop, runtime.mask),
    notes: notesOf(ctx, found, asked),
  };
}

/** @throws Error what is a bug in a stage */
async function runStages(ctx: RequestContext): Promise<Stop | null> {
  for (const stage of STAGES) {
    try {
      const denial = await stage(ctx);
      if (denial !== null) return { stage: stage.name, denial };
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error;
      return { stage: stage.name, denial: error };
    }
    if (ctx.isHeadSent) return { stage: stage.name };
  }
  return null;
}

const SILENT = createLog("silent");

function shadowGateway(
  { listener }: RequestToExplain,
  { config, mask }: Runtime,
  table: ShadowTable,
  stats: Stats,
): Gateway {
  const trusted = config.trustedProxies.length === 0 ? null : compileClients(config.trustedProxies);
  const isTls = (config.listeners.find(({ name }) => name === listener)?.tls ?? null) !== null;
  return {
    table,
    limits: config.limits,
    stats,
    accessLog: { write() {}, close: async () => {} },
    log: SILENT,
    isTls,
    // Nothing is read for an explanation.
    acmeChallengeDirectory: isTls ? null : config.acmeChallengeDirectory,
    findClientIp: trusted === null ? null : compileClientIp(trusted),
    trustedProxies: trusted,
    mask,
    maskAlways: mask,
    usage: new Usage(),
    isDraining: () => false,
  };
}

function configOf({ config }: Runtime, name: string): RouteConfig | undefined {
  return config.routes.find((route) => route.name === name);
}

function routeOf({ name, match }: RouteConfig): ExplainedRoute {
  return { name, hosts: match.hosts, pathPrefix: match.pathPrefix, pathPattern: match.pathPattern };
}

function answerOf({ answer }: ShadowResponse, stop: Stop | null, mask: Mask): ExplainedAnswer | null {
  if (stop === null || answer === null) return null;
  const { denial } = stop;
  return {
    status: answer.status,
    code: denial?.code ?? null,
    reason: denial === undefined ? whatIsAnswered(answer.status) : reasonOf(denial),
    headers: answer.headers.map((value) => (value.includes("?") ? mask(value) : value)),
  };
}

function whatIsAnswered(status: number): string {
  return status >= 300 && status < 400 ? "The gateway redirects." : "The gateway answers by itself.";
}

function notesOf(ctx: RequestContext, route: RouteConfig | null, asked: ReadonlySet<string>): string[] {
  const notes: string[] = [];
  const isGoingOn = !ctx.isHeadSent && route !== null;
  if (asked.has("basic")) notes.push("The password was not checked: it was taken for right.");
  if (asked.has("forwardAuth")) notes.push("The service of forwardAuth was not asked: it was taken to say yes.");
  if ((route?.allow?.certificates.length ?? 0) > 0) notes.push("The client was taken to show no certificate.");
  if (!isGoingOn) return notes;
  if (route.target.kind === "callback") {
    notes.push("Whether OSS sent this callback is checked with its body, and then it goes to the application.");
  }
  if (ctx.site !== null) notes.push(siteNote(route));
  if (ctx.signedDraft?.playlist != null) notes.push("The answer is a playlist whose URIs are rewritten into links.");
  if (route.preview) notes.push("A download that OSS forces for its own hosts is taken back (preview).");
  if (route.cors !== null) notes.push("The route's own CORS rules replace those of the bucket.");
  const { set, remove } = route.responseHeaders;
  if (set.length + remove.length > 0) notes.push("responseHeaders changes headers of the answer.");
  return notes;
}

function siteNote({ indexDocument, errorDocument }: RouteConfig): string {
  const index = indexDocument === null ? "" : `a directory's page is ${indexDocument}`;
  const error =
    errorDocument === null ? "" : `what is missing is shown as ${errorDocument} with ${ERRORS.NO_ROUTE.status}`;
  return `A static site: ${[index, error].filter((text) => text !== "").join(", and ")}.`;
}
