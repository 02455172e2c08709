import { parseCidr } from "../config/cidr.js";
import { Refusal } from "../config/refusal.js";
import type { Directive } from "./directive.js";
import type { Findings } from "./findings.js";
import type { Scope } from "./scope.js";
import { durationText, sizeBytes, sizeText, timeMs } from "./units.js";
import type { Yaml, YamlMap } from "./yaml-text.js";

/** Keys that hold for the whole gateway. */
export interface Globals {
  readonly trustedProxies: readonly string[] | undefined;
  readonly workers: Yaml | undefined;
  readonly log: YamlMap | undefined;
  readonly limits: YamlMap | undefined;
}

/** @param servers the scopes of all servers: some of their directives are of the whole program here */
export function readGlobals(main: Scope, http: Scope, servers: readonly Scope[], findings: Findings): Globals {
  return {
    trustedProxies: readTrusted([http, ...servers], findings),
    workers: readWorkers(main, findings),
    log: readLog([main, http, ...servers], findings),
    limits: readConnectionLimits([http, ...servers], findings),
  };
}

function ownOf(scopes: readonly Scope[], name: string): readonly Directive[] {
  return scopes.flatMap((scope) => scope.own(name));
}

function readTrusted(scopes: readonly Scope[], findings: Findings): readonly string[] | undefined {
  const networks = new Set<string>();
  const [header] = ownOf(scopes, "real_ip_header");
  const name = (header?.args[0] ?? "X-Real-IP").toLowerCase();
  const isKnown = name === "x-forwarded-for" || name === "proxy_protocol";
  for (const directive of ownOf(scopes, "set_real_ip_from")) {
    const network = parseCidr(directive.args[0] ?? "");
    if (network instanceof Refusal)
      findings.unsupported(directive, "write the networks of your proxies into trustedProxies");
    else if (!isKnown)
      findings.unsupported(
        directive,
        `the client's address is taken from X-Forwarded-For or PROXY headers, not from ${name}`,
      );
    else {
      networks.add(network);
      findings.taken(directive, "trustedProxies");
    }
  }
  if (isKnown)
    findings.taken(
      header,
      name === "proxy_protocol" ? "listeners[].proxyProtocol and trustedProxies" : "trustedProxies",
    );
  else findings.unsupported(header, "have the proxy in front send X-Forwarded-For");
  for (const directive of ownOf(scopes, "real_ip_recursive")) {
    if (directive.args[0] === "on") findings.taken(directive, "nothing to write");
    else findings.approximated(directive, "all trusted addresses are skipped, as with on");
  }
  return networks.size === 0 ? undefined : [...networks];
}

function readWorkers(main: Scope, findings: Findings): Yaml | undefined {
  const directive = main.one("worker_processes");
  const [text = "auto"] = directive?.args ?? [];
  findings.taken(directive, "workers");
  return /^\d{1,3}$/.test(text) && Number(text) >= 1 && Number(text) <= 256 ? Number(text) : undefined;
}

const LEVELS: Readonly<Record<string, string>> = { debug: "debug", info: "info", notice: "info", warn: "warn" };

function readLog(scopes: readonly Scope[], findings: Findings): YamlMap | undefined {
  const formats = new Map(ownOf(scopes, "log_format").map((format) => [format.args[0] ?? "", format]));
  const logs = ownOf(scopes, "access_log");
  const [first] = logs;
  let format = "combined";
  for (const log of logs) {
    const [path = "", name = "combined"] = log.args;
    if (log !== first) findings.approximated(log, "there is one access log, the first of the file");
    else if (path === "off") {
      format = "off";
      findings.taken(log, "log.access.format off");
    } else {
      const isJson = /escape=json|[{]\s*"/.test(formats.get(name)?.args.join(" ") ?? "");
      if (isJson) format = "json";
      findings.approximated(
        log,
        `log.access.format ${format}, on standard output; log.access.output names a file that ossgate may write`,
      );
    }
  }
  for (const directive of formats.values())
    findings.approximated(directive, "log.access.format: combined as NGINX has it, or json with more fields");
  const errors = ownOf(scopes, "error_log");
  const level = LEVELS[errors[0]?.args[1] ?? "error"] ?? "error";
  for (const directive of errors)
    findings.approximated(directive, "log.level; on standard error, or the file in log.output");
  const log = {
    level: errors.length > 0 && level === "debug" ? level : undefined,
    access: logs.length === 0 && format === "combined" ? undefined : { format },
  };
  return log.level === undefined && log.access === undefined ? undefined : log;
}

const [LEAST_MS, MOST_MS] = [1_000, 86_400_000];

function readConnectionLimits(scopes: readonly Scope[], findings: Findings): YamlMap | undefined {
  const idle = longest(
    ownOf(scopes, "keepalive_timeout"),
    "limits.clientIdleTimeout, which holds while an answer is read as well",
    findings,
  );
  const head = longest(ownOf(scopes, "client_header_timeout"), "limits.headerTimeout", findings);
  const buffers = ownOf(scopes, "large_client_header_buffers");
  let headerSize = 0;
  for (const directive of buffers) {
    headerSize = Math.max(headerSize, Number(directive.args[0]) * (sizeBytes(directive.args[1] ?? "") ?? 0) || 0);
    findings.approximated(directive, "limits.headerSize, of the whole head");
  }
  // Below 32 KiB the vendor's security tokens do not fit beside long queries.
  const size = Math.min(Math.max(headerSize, 32 * 1024), 2 ** 20);
  const limits = {
    headerSize: size > 32 * 1024 ? sizeText(size) : undefined,
    headerTimeout: head === null ? undefined : durationText(head),
    clientIdleTimeout: idle === null || idle === 75_000 ? undefined : durationText(idle),
  };
  return Object.values(limits).some((value) => value !== undefined) ? limits : undefined;
}

/** `0`, which turns off, counts for nothing. */
function longest(directives: readonly Directive[], text: string, findings: Findings): number | null {
  let most = 0;
  for (const directive of directives) {
    most = Math.max(most, timeMs(directive.args[0] ?? "") ?? 0);
    findings.approximated(directive, text);
  }
  return most === 0 ? null : Math.min(Math.max(most, LEAST_MS), MOST_MS);
}
