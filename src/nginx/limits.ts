import { type AddressInput, isAddressKnown } from "./access.js";
import type { Directive } from "./directive.js";
import type { Findings } from "./findings.js";
import type { Scope } from "./scope.js";
import { sizeBytes, sizeText } from "./units.js";
import type { YamlMap } from "./yaml-text.js";

interface Budget {
  requests?: string;
  burst?: number;
  connections?: number;
  egress?: string;
}

/** `limit_req`, `limit_conn`, `limit_rate` and the size of bodies; `undefined`: nothing is limited. */
export function readLimits(input: AddressInput, findings: Findings): YamlMap | undefined {
  const { scope } = input;
  const whole: Budget = {};
  const perClient: Budget = {};
  const requests = scope.all("limit_req");
  const connections = scope.all("limit_conn");
  for (const limit of requests) readRequests(limit, input, { whole, perClient }, findings);
  for (const limit of connections) readConnections(limit, input, { whole, perClient }, findings);
  readRate(scope, perClient, findings);
  const isRefusing = [whole, perClient].some(
    (budget) => budget.requests !== undefined || budget.connections !== undefined,
  );
  const limits = {
    bodySize: readBodySize(scope, findings),
    ...whole,
    perClient: Object.keys(perClient).length === 0 ? undefined : { ...perClient },
    status: isRefusing ? readStatus(scope, findings) : undefined,
    dryRun: isRefusing && isDryRun(scope, findings) ? true : undefined,
  };
  return Object.values(limits).some((value) => value !== undefined) ? limits : undefined;
}

const MAX_BODY_BYTES = 2 ** 40;

/** NGINX's own 1m is nothing that anybody chose, and is not taken over. */
function readBodySize(scope: Scope, findings: Findings): string | undefined {
  const directive = scope.one("client_max_body_size");
  const bytes = sizeBytes(directive?.args[0] ?? "");
  if (directive === undefined) return undefined;
  if (bytes === null) findings.unsupported(directive, "write limits.bodySize");
  else if (bytes === 0 || bytes > MAX_BODY_BYTES)
    findings.approximated(directive, "limits.bodySize is 5GiB, as much as OSS takes at once");
  else {
    findings.taken(directive, "routes[].limits.bodySize");
    return sizeText(bytes);
  }
  return undefined;
}

interface Budgets {
  readonly whole: Budget;
  readonly perClient: Budget;
}

const CLIENT_KEY = /^\$(?:binary_remote_addr|remote_addr)$/;
/** What a proxy in front says of the client, which is believed of trusted ones alone. */
const PROXY_KEY = /^\$(?:http_x_forwarded_for|http_x_real_ip)$/;
const WHOLE_KEY = /^\$(?:server_name|host|http_host|server_port)$/;

/** The budget that a zone's key means; `null`: one of neither kind. */
function budgetOf(zone: Directive | undefined, input: AddressInput, { whole, perClient }: Budgets): Budget | null {
  const key = zone?.args.find((argument) => argument.startsWith("$")) ?? "";
  if (CLIENT_KEY.test(key)) return isAddressKnown(input) ? perClient : null;
  if (PROXY_KEY.test(key)) return input.proxies.size > 0 ? perClient : null;
  return WHOLE_KEY.test(key) ? whole : null;
}

function findZone(scope: Scope, kind: string, name: string): Directive | undefined {
  return scope.through(kind).find(({ args }) => args.some((argument) => argument.startsWith(`zone=${name}:`)));
}

function readRequests(limit: Directive, input: AddressInput, budgets: Budgets, findings: Findings): void {
  const name = parameter(limit, "zone");
  const zone = findZone(input.scope, "limit_req_zone", name ?? "");
  const budget = budgetOf(zone, input, budgets);
  const rate = perSecond(zone === undefined ? "" : (parameter(zone, "rate") ?? ""));
  if (zone === undefined || budget === null || rate === null || budget.requests !== undefined) {
    findings.unsupported(limit, budget?.requests === undefined ? NO_KEY : "a route has one rate for each client");
    findings.unsupported(zone, NO_KEY);
    return;
  }
  budget.requests = `${rate}/s`;
  const burst = Number(parameter(limit, "burst") ?? "0") + 1;
  budget.burst = Number.isSafeInteger(burst) ? Math.min(Math.max(burst, 1), MOST_BURST) : 1;
  findings.taken(zone, `limits.${budget === budgets.perClient ? "perClient." : ""}requests`);
  if (limit.args.includes("nodelay")) findings.taken(limit, "limits.*.requests and burst");
  else
    findings.approximated(
      limit,
      "limits.*.requests and burst; what is above the rate is answered at once up to the burst, and not held back",
    );
}

const NO_KEY =
  "limits are for one client, whose address must be known (trustedProxies, where it is behind others), or for all: write limits";

/** `10r/s`, `30r/m`. */
function perSecond(rate: string): number | null {
  const match = /^(\d{1,7})r\/([sm])$/.exec(rate);
  if (match === null) return null;
  const value = Number(match[1]) / (match[2] === "m" ? 60 : 1);
  return value < 0.1 || value > 1_000_000 ? null : Number(value.toFixed(4));
}

function readConnections(limit: Directive, input: AddressInput, budgets: Budgets, findings: Findings): void {
  const [name = "", count = ""] = limit.args;
  const zone = findZone(input.scope, "limit_conn_zone", name);
  const budget = budgetOf(zone, input, budgets);
  const value = Number(count);
  if (
    zone === undefined ||
    budget === null ||
    !Number.isInteger(value) ||
    value < 1 ||
    value > 1_000_000 ||
    budget.connections !== undefined
  ) {
    findings.unsupported(limit, NO_KEY);
    findings.unsupported(zone, NO_KEY);
    return;
  }
  budget.connections = value;
  findings.taken(zone, "limits.*.connections");
  findings.taken(limit, `limits.${budget === budgets.perClient ? "perClient." : ""}connections`);
}

const [LEAST_RATE_BYTES, MOST_RATE_BYTES] = [16 * 1024, 2 ** 40];
const MOST_BURST = 1_000_000;

function readRate(scope: Scope, perClient: Budget, findings: Findings): void {
  const limit = scope.one("limit_rate");
  const bytes = sizeBytes(limit?.args[0] ?? "");
  if (limit === undefined || bytes === 0) {
    findings.taken(limit, "nothing to write");
    return;
  }
  if (bytes === null) findings.unsupported(limit, "write limits.perClient.egress");
  else {
    perClient.egress = `${sizeText(Math.min(Math.max(bytes, LEAST_RATE_BYTES), MOST_RATE_BYTES))}/s`;
    findings.approximated(limit, "limits.perClient.egress, of all the connections of a client together");
  }
  findings.unsupported(scope.one("limit_rate_after"), "the first bytes are paced as well");
}

function readStatus(scope: Scope, findings: Findings): number {
  const given = [scope.one("limit_req_status"), scope.one("limit_conn_status")].filter((one) => one !== undefined);
  for (const directive of given) {
    if (["429", "503"].includes(directive.args[0] ?? "")) findings.taken(directive, "limits.status");
    else findings.approximated(directive, "limits.status is 429 or 503");
  }
  return given.some(({ args }) => args[0] !== "503") ? 429 : 503;
}

function isDryRun(scope: Scope, findings: Findings): boolean {
  const given = [scope.one("limit_req_dry_run"), scope.one("limit_conn_dry_run")].filter((one) => one !== undefined);
  for (const directive of given) findings.taken(directive, "limits.dryRun");
  return given.length > 0 && given.every(({ args }) => args[0] === "on");
}

/** `name=value` among the arguments. */
function parameter({ args }: Directive, name: string): string | undefined {
  return args.find((argument) => argument.startsWith(`${name}=`))?.slice(name.length + 1);
}
