import { isIP } from "node:net";
import { parseRouteHost } from "../config/host-name.js";
import { Refusal } from "../config/refusal.js";
import type { Directive } from "./directive.js";
import type { Findings } from "./findings.js";

/** What a server answers to. */
export interface ServerNames {
  /** As `match.hosts` takes them. */
  readonly hosts: readonly string[];
  /** The directive that they come from; `undefined`: there is none. */
  readonly directive: Directive | undefined;
  /** It is for hosts that it does not name: `_`, none at all. */
  readonly isCatchAll: boolean;
}

/** Reads the `server_name`s of a server; those that cannot be taken over are reported. */
export function readServerNames(directives: readonly Directive[], findings: Findings): ServerNames {
  const hosts = new Set<string>();
  let isCatchAll = directives.length === 0;
  for (const directive of directives) {
    for (const name of directive.args) {
      if (name === "_" || name === "" || name === "__") {
        isCatchAll = true;
        findings.approximated(directive, "hosts that no route names are answered 404; name those that are meant");
      } else if (name.startsWith(".") && hosts.has(name.slice(1).toLowerCase()))
        findings.dangerous(
          directive,
          `NGINX passes over ${name}, because ${name.slice(1)} is named before it: it is left out`,
        );
      else for (const host of hostsOf(name, directive, findings)) hosts.add(host);
    }
    if (!findings.has(directive)) findings.taken(directive, "routes[].match.hosts");
  }
  return { hosts: [...hosts], directive: directives[0], isCatchAll };
}

/** `.example.com` is the name and every name below it. */
function hostsOf(name: string, directive: Directive, findings: Findings): readonly string[] {
  if (name.startsWith("~")) {
    findings.unsupported(
      directive,
      "a name is no expression here: write the names, or a wildcard such as *.example.com",
    );
    return [];
  }
  if (name.endsWith(".*")) {
    findings.unsupported(directive, "a wildcard can only be the first label: write the names");
    return [];
  }
  if (name.includes("$")) {
    findings.unsupported(directive, "write the name itself");
    return [];
  }
  const texts = name.startsWith(".") ? [name.slice(1), `*${name}`] : [name];
  const parsed = texts.map(parseRouteHost);
  const refusal = parsed.find((host) => host instanceof Refusal);
  if (refusal instanceof Refusal) findings.unsupported(directive, `${name}: ${refusal.hint || refusal.expected}`);
  return parsed.filter((host) => typeof host === "string");
}

/** Whether OSS can know it: a name of its own, no address and no wildcard. */
export function isDomain(host: string): boolean {
  return isIP(host) === 0 && !host.startsWith("*.") && host.includes(".");
}
