import type { Backend, Upstreams } from "./backend.js";
import type { Directive } from "./directive.js";
import type { Findings } from "./findings.js";
import type { Scope } from "./scope.js";

export interface Reported {
  readonly proxyPass: Directive;
  readonly backend: Backend;
  readonly target: { readonly scheme: string; readonly authority: string };
  readonly isVariable: boolean;
  readonly scope: Scope;
  readonly upstreams: Upstreams;
}

/** What NGINX did with a backend, and what is done here. */
export function reportBackend(
  { proxyPass, backend, target, isVariable, scope, upstreams }: Reported,
  alias: string,
  findings: Findings,
): void {
  const { endpoint, region, isGuess } = backend;
  if (isGuess)
    findings.approximated(
      proxyPass,
      `${target.authority} is taken for a domain that is bound to a bucket; if it is none, take the route out, else write the bucket's name`,
    );
  else
    findings.taken(
      proxyPass,
      `buckets.${alias}: endpoint ${endpoint}${region === undefined ? "" : `, region ${region}`}`,
    );
  const upstream = upstreams.get(target.authority);
  const isName = backend.addresses.length === 0;
  if (!isVariable && isName && !(upstream?.block ?? []).some(({ args }) => args.includes("resolve")))
    findings.dangerous(
      proxyPass,
      "the name was looked up once, at the start: when OSS's addresses change, requests fail until a reload; ossgate follows them",
    );
  if (target.scheme === "https" && scope.one("proxy_ssl_verify")?.args[0] !== "on")
    findings.dangerous(
      proxyPass,
      "OSS's certificate was not verified (proxy_ssl_verify is off by default); ossgate verifies it always",
    );
  if (target.scheme === "http")
    findings.approximated(proxyPass, "plain HTTP to OSS, as it was; for TLS write tls: true or an https URL");
  if (scope.one("client_max_body_size") === undefined)
    findings.dangerous(
      proxyPass,
      "uploads beyond 1 MB were answered 413 (client_max_body_size is 1m by default); here 5 GiB pass: write limits.bodySize for less",
    );
  if (scope.one("proxy_max_temp_file_size")?.args[0] !== "0" && scope.one("proxy_buffering")?.args[0] !== "off")
    findings.dangerous(
      proxyPass,
      "answers were stored in temporary files of up to 1 GB for slow clients (proxy_max_temp_file_size); ossgate stores none",
    );
}
