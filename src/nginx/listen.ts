import { isIPv6 } from "node:net";
import { formatSocketAddress, parseSocketAddress } from "../config/address.js";
import { Refusal } from "../config/refusal.js";
import type { Directive } from "./directive.js";
import type { Findings } from "./findings.js";

/** One `listen` of a server. */
export interface Listen {
  /** `ip:port` as `listeners[].address` takes it. */
  readonly address: string;
  readonly port: number;
  readonly isTls: boolean;
  readonly isProxied: boolean;
  readonly isDefault: boolean;
  readonly hasHttp2: boolean;
}

const FLAGS: ReadonlySet<string> = new Set([
  "ssl",
  "http2",
  "proxy_protocol",
  "default_server",
  "default",
  "deferred",
  "reuseport",
  "bind",
]);
const PARAMETERS = /^(?:backlog|rcvbuf|sndbuf|fastopen|so_keepalive|ipv6only|setfib|accept_filter)=/;

/** Reads the `listen`s of a server, none of which is one on port 80 as well. */
export function readListens(directives: readonly Directive[], findings: Findings): readonly Listen[] {
  if (directives.length === 0) return [toListen("0.0.0.0:80", [])].filter((listen) => listen !== null);
  return directives.flatMap((directive) => readListen(directive, findings) ?? []);
}

function readListen(directive: Directive, findings: Findings): Listen | null {
  const [where = "", ...options] = directive.args;
  if (where.startsWith("unix:")) {
    findings.unsupported(directive, "no unix sockets: write 127.0.0.1 and a port");
    return null;
  }
  const listen = toListen(addressText(where), options);
  if (listen === null) {
    findings.unsupported(directive, "write an address and a port: 0.0.0.0:80 say");
    return null;
  }
  const unknown = options.filter((option) => !FLAGS.has(option) && !PARAMETERS.test(option));
  if (unknown.length > 0) findings.unsupported(directive, `${unknown.join(" ")}`);
  if (options.some((option) => option === "default_server" || option === "default"))
    findings.dangerous(
      directive,
      "every unknown host came here; ossgate answers those 404: name in match.hosts what is meant",
    );
  if (options.some((option) => PARAMETERS.test(option) || option === "reuseport" || option === "deferred"))
    findings.approximated(
      directive,
      `listeners[].address ${listen.address}; options of the socket are left to the system`,
    );
  else findings.taken(directive, `listeners[].address ${listen.address}`);
  return listen;
}

/** `80`, `*:80`, `localhost:80`, `127.0.0.1`, `[::]:80`. */
function addressText(where: string): string {
  if (/^\d+$/.test(where)) return `0.0.0.0:${where}`;
  const named = where.replace(/^\*:/, "0.0.0.0:").replace(/^localhost(?=:|$)/, "127.0.0.1");
  return /:\d+$/.test(named) && !isIPv6(named) ? named : `${named === "*" ? "0.0.0.0" : named}:80`;
}

function toListen(text: string, options: readonly string[]): Listen | null {
  const parsed = parseSocketAddress(text);
  if (parsed instanceof Refusal) return null;
  return {
    address: formatSocketAddress(parsed),
    port: parsed.port,
    isTls: options.includes("ssl"),
    isProxied: options.includes("proxy_protocol"),
    isDefault: options.includes("default_server") || options.includes("default"),
    hasHttp2: options.includes("http2"),
  };
}
