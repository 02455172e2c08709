import type { Denial } from "../core/errors.js";
import { connectionNamed, headerValues } from "../core/headers.js";
import type { PasswordVerdict } from "../credentials/password-check.js";
import type { AccessFacts, AccessPolicy } from "../policy/access.js";
import { isBasicScheme, parseBasic } from "../policy/basic-credentials.js";
import { clientGroup } from "../policy/client-group.js";
import type { CompiledLogin } from "../route/compiled-route.js";
import { isOssAuthorization } from "../signing/classify.js";
import { NEXT_STEPS, writeSeldom } from "../telemetry/error-lines.js";
import type { AuthAnswer, ComingAnswer } from "../transport/forward-auth.js";
import { publicScheme } from "./public-location.js";
import type { RequestContext } from "./request-context.js";

/** A request whose admission depends on the members of `allow` that must be asked. */
export interface Asking {
  readonly login: CompiledLogin;
  readonly access: AccessPolicy;
  readonly facts: AccessFacts;
}

type Outcome = Denial | null | Promise<Denial | null>;

/**
 * Asks for what the members that are known at once left open: the password first, then the service, and that only where
 * its answer matters.
 * @returns at once where what was said is remembered
 */
export function askMembers(ctx: RequestContext, asking: Asking): Outcome {
  const { basic } = asking.login;
  const outcome = basic === null ? undefined : askBasic(ctx, basic);
  if (outcome instanceof Promise) return outcome.then((known) => askService(ctx, asking, known));
  return askService(ctx, asking, outcome);
}

/**
 * Whether the client's `Authorization` is for the gateway: then it goes no further. What may be a signature of OSS's is
 * never taken for that.
 */
export function consumesAuthorization({ req }: RequestContext, { basic, forwardAuth }: CompiledLogin): boolean {
  const values = headerValues(req.rawHeaders, "authorization");
  if (values.length === 0 || values.some(isOssAuthorization)) return false;
  return forwardAuth?.requestHeaders.has("authorization") === true || (basic !== null && values.some(isBasicScheme));
}

function askBasic(ctx: RequestContext, { file, denial }: NonNullable<CompiledLogin["basic"]>): Outcome {
  const [authorization, ...more] = headerValues(ctx.req.rawHeaders, "authorization");
  const login = authorization === undefined || more.length > 0 ? null : parseBasic(authorization);
  if (login === null) return denial;
  const verdict = file.verify(login, clientGroup(ctx.client));
  const denialOf = (known: PasswordVerdict): Denial | null =>
    known === "right" ? null : known === "busy" ? BUSY : denial;
  return verdict instanceof Promise ? verdict.then(denialOf) : denialOf(verdict);
}

const BUSY: Denial = Object.freeze({
  code: "GATEWAY_BUSY",
  reason: "So many passwords are being checked that this one was not. Try again.",
  headers: ["Retry-After", "1"],
});

function askService(ctx: RequestContext, { login, access, facts }: Asking, basic: Denial | null | undefined): Outcome {
  const { forwardAuth } = login;
  const isDecided = basic !== undefined && access.isDecidedBy(basic);
  // The client may have gone while its password was hashed.
  if (forwardAuth === null || isDecided || ctx.isFinished) return access.conclude(facts, { basic });
  const conclude = (answer: AuthAnswer): Denial | null => {
    const denied = access.conclude(facts, { basic, forwardAuth: denialFor(answer) });
    // Of a client that has gone the cause is just that.
    if (denied === UNAVAILABLE && answer.kind === "unavailable" && !ctx.isFinished) noteCause(ctx, answer.cause);
    return denied;
  };
  const asked = forwardAuth.service.ask({
    route: ctx.routeStats.route,
    method: ctx.req.method ?? "",
    scheme: publicScheme(ctx),
    host: ctx.rawHost,
    target: ctx.rawTarget,
    client: ctx.client,
    headers: headersFor(ctx, forwardAuth.requestHeaders),
  });
  return "leave" in asked ? hear(ctx, asked).then(conclude) : conclude(asked);
}

/** Waits for the answer as long as the client does. */
async function hear({ res }: RequestContext, { answer, leave }: ComingAnswer): Promise<AuthAnswer> {
  res.once("close", leave);
  const heard = await answer;
  res.off("close", leave);
  return heard;
}

/** What the service is sent of the client's head: never a signature of OSS's, and nothing that ends with this connection. */
function headersFor({ req, connection }: RequestContext, wanted: ReadonlySet<string>): string[] {
  const { rawHeaders } = req;
  const named = connection === null ? null : connectionNamed(connection);
  const headers: string[] = [];
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] as string;
    const value = rawHeaders[i + 1] as string;
    const lowerName = name.toLowerCase();
    if (!wanted.has(lowerName) || named?.has(lowerName) === true) continue;
    if (lowerName === "authorization" && isOssAuthorization(value)) continue;
    headers.push(name, value);
  }
  return headers;
}

const UNAVAILABLE: Denial = Object.freeze({
  code: "FORWARD_AUTH_UNAVAILABLE",
  reason:
    "Who may use this route could not be found out. Try again; the gateway's log tells the cause under this request id.",
});

const NO: Denial = Object.freeze({
  code: "FORWARD_AUTH_DENIED",
  reason: "The service that decides about this route refuses this request.",
});

const LOG_IN = "The service that decides about this route asks for a login.";

function denialFor(answer: AuthAnswer): Denial | null {
  switch (answer.kind) {
    case "yes":
      return null;
    case "no":
      return NO;
    case "login": {
      const headers = answer.challenges.flatMap((challenge) => ["WWW-Authenticate", challenge]);
      return { code: "LOGIN_REQUIRED", reason: LOG_IN, headers };
    }
    case "redirect": {
      const oss = { status: answer.status, code: "AccessDenied", ec: null, elements: [] };
      return { code: "FORWARD_AUTH_DENIED", reason: LOG_IN, headers: answer.headers, oss };
    }
    default:
      return UNAVAILABLE;
  }
}

/** The cause names addresses: it is for the logs, and the client reads the reason of the denial. */
function noteCause(ctx: RequestContext, cause: string): void {
  ctx.noteError({ code: UNAVAILABLE.code, reason: cause });
  const { requestId, routeStats } = ctx;
  const { route } = routeStats;
  const fields = () => ({ requestId, route, code: UNAVAILABLE.code, cause, next: NEXT_STEPS[UNAVAILABLE.code] });
  const message = "the service of forwardAuth gave no answer";
  writeSeldom(ctx.gateway.log, "warn", `forwardAuth/${route}`, performance.now(), fields, message);
}
