/** What OSS is shown as Host. */
import { parseDomain } from "../config/host-name.js";
import { parseOssHost } from "../config/oss-host.js";
import type { Backend } from "./backend.js";
import type { Buckets } from "./buckets.js";
import type { Directive } from "./directive.js";
import type { Findings } from "./findings.js";
import type { Scope } from "./scope.js";
import { isDomain } from "./server-names.js";
import { hasVariables } from "./variables.js";

interface HostParts {
  readonly buckets: Buckets;
  readonly findings: Findings;
}

/** The `proxy_set_header Host` that holds. */
export function hostDirective(scope: Scope): Directive | undefined {
  return scope.all("proxy_set_header").findLast(({ args }) => args[0]?.toLowerCase() === "host");
}

const SCRIPTS_RUN =
  "HTML and SVG of the bucket run script on this host, those that others put there too; kept as trusted: true, without which they are shown in a sandbox";

export interface HostInput {
  readonly hosts: readonly string[];
  readonly hostHeader: string;
  readonly scope: Scope;
  readonly alias: string;
  readonly backend: Backend;
  readonly target: { readonly authority: string };
}

interface HostChoice {
  readonly hosts: readonly string[];
  readonly hostHeader: string;
}

/** What OSS is shown as Host, which picks the bucket there (oss-semantics §1.3). */
export function hostChoices(input: HostInput, parts: HostParts): readonly HostChoice[] {
  const { hosts, hostHeader, scope, backend, target } = input;
  const { findings } = parts;
  const directive = hostDirective(scope);
  if (hostHeader.startsWith("$proxy_host")) {
    findings.taken(directive, "routes[].hostHeader bucket, the default");
    if (target.authority.split(":")[0] !== backend.hostName)
      findings.dangerous(
        directive ?? scope.one("proxy_pass"),
        `OSS was sent ${target.authority} as Host, which is no bucket's; here it is sent the bucket's own`,
      );
    return [{ hosts, hostHeader: "bucket" }];
  }
  if (hostHeader === "$host") return clientHosts(input, directive, parts);
  const literal = hostHeader.toLowerCase().replace(/:\d+$/, "");
  if (hasVariables(hostHeader) || hostHeader === "") {
    findings.unsupported(directive, "write hostHeader; the bucket's own is sent");
    return [{ hosts, hostHeader: "bucket" }];
  }
  if (literal === backend.hostName || parseOssHost(literal) !== null) {
    if (parseOssHost(literal)?.bucket === backend.bucket || literal === backend.hostName)
      findings.taken(directive, "routes[].hostHeader bucket, the default");
    else
      findings.dangerous(
        directive,
        `OSS was sent ${literal}, which is another bucket's or none; here it is sent the bucket's own`,
      );
    return [{ hosts, hostHeader: "bucket" }];
  }
  if (typeof parseDomain(literal) === "string" && isDomain(literal) && parts.buckets.bind(input.alias, literal)) {
    findings.dangerous(directive, SCRIPTS_RUN);
    findings.approximated(directive, `routes[].hostHeader ${literal}, taken for a domain that is bound to the bucket`);
    return [{ hosts, hostHeader: literal }];
  }
  findings.dangerous(
    directive,
    `OSS was sent ${literal} as Host, which it knows no bucket by; here it is sent the bucket's own`,
  );
  return [{ hosts, hostHeader: "bucket" }];
}

/** `Host $host`: right for domains that are bound to the bucket, and for nothing else. */
function clientHosts(
  { hosts, alias, backend }: HostInput,
  directive: Directive | undefined,
  { buckets, findings }: HostParts,
): readonly HostChoice[] {
  const known = hosts.filter(
    (host) =>
      parseOssHost(host)?.bucket === backend.bucket ||
      (isDomain(host) && parseOssHost(host) === null && buckets.bind(alias, host)),
  );
  const unknown = hosts.filter((host) => !known.includes(host));
  const domains = known.filter((host) => parseOssHost(host) === null);
  if (domains.length > 0) findings.dangerous(directive, SCRIPTS_RUN);
  if (domains.length > 0)
    findings.approximated(
      directive,
      `routes[].hostHeader client; ${domains.join(", ")} must be bound to the bucket at OSS, which answers 403 else`,
    );
  else if (known.length > 0) findings.taken(directive, "routes[].hostHeader client");
  if (unknown.length > 0)
    findings.dangerous(
      directive,
      `for ${unknown.join(", ")} OSS was sent a Host that it knows no bucket by, and answered 403 NonStandardHostForbidden; here it is sent the bucket's own (hostHeader bucket)`,
    );
  return [
    { hosts: known, hostHeader: "client" },
    { hosts: unknown, hostHeader: "bucket" },
  ].filter((choice) => choice.hosts.length > 0);
}
