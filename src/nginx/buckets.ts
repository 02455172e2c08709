import type { Backend } from "./backend.js";
import type { Findings } from "./findings.js";
import type { Scope } from "./scope.js";
import { durationText, timeMs } from "./units.js";
import { COMMENTS, type YamlMap } from "./yaml-text.js";

interface Draft {
  readonly alias: string;
  readonly yaml: YamlMap;
  readonly comments: readonly string[];
  readonly domains: Set<string>;
}

/** The buckets of all routes: one entry for each bucket and way to reach it. */
export class Buckets {
  readonly #drafts = new Map<string, Draft>();
  readonly #aliases = new Set<string>();
  /** By domain the bucket that it is bound to. */
  readonly #owners = new Map<string, string>();

  /** @returns the alias */
  add(backend: Backend, settings: YamlMap): string {
    const { bucket, region, endpoint, tls, addresses, isGuess } = backend;
    const dns = { ...(settings.dns as YamlMap | undefined), addresses: addresses.length === 0 ? undefined : addresses };
    const hasDns = Object.values(dns).some((value) => value !== undefined);
    const yaml = { ...settings, dns: hasDns ? dns : undefined };
    const key = JSON.stringify([bucket, region, endpoint, tls, yaml]);
    const known = this.#drafts.get(key);
    if (known !== undefined) return known.alias;
    const alias = freeName(bucket, this.#aliases);
    const comments = isGuess ? ["The bucket's name does not stand in the file: write it."] : [];
    this.#drafts.set(key, { alias, yaml: { bucket, region, endpoint, tls, ...yaml }, comments, domains: new Set() });
    return alias;
  }

  /** Takes a domain for one of the bucket's. @returns whether OSS can have it bound to this bucket: it binds it to one */
  bind(alias: string, domain: string): boolean {
    const draft = [...this.#drafts.values()].find((one) => one.alias === alias);
    const bucket = String(draft?.yaml.bucket);
    const owner = this.#owners.get(domain) ?? bucket;
    if (draft === undefined || owner !== bucket) return false;
    this.#owners.set(domain, bucket);
    draft.domains.add(domain);
    return true;
  }

  get size(): number {
    return this.#drafts.size;
  }

  /** `buckets` of the file. */
  yaml(): YamlMap {
    return Object.fromEntries(
      [...this.#drafts.values()].map(({ alias, yaml, domains, comments }) => {
        const { bucket, region, ...rest } = yaml;
        return [
          alias,
          { [COMMENTS]: comments, bucket, region, domains: domains.size === 0 ? undefined : [...domains], ...rest },
        ];
      }),
    );
  }
}

/** A name that is not taken yet, which it takes. */
export function freeName(wanted: string, taken: Set<string>): string {
  const short = wanted.slice(0, 56);
  let name = short;
  for (let count = 2; taken.has(name); count += 1) name = `${short}-${count}`;
  taken.add(name);
  return name;
}

/** How a location reaches its upstream, as `buckets.<alias>` says it. */
export function readBucketSettings(scope: Scope, isTls: boolean, looksUpNames: boolean, findings: Findings): YamlMap {
  return {
    timeouts: readTimeouts(scope, findings),
    caFile: readCaFile(scope, isTls, findings),
    dns: readResolver(scope, looksUpNames, findings),
  };
}

function readTimeouts(scope: Scope, findings: Findings): YamlMap | undefined {
  const connect = timeOf(scope, "proxy_connect_timeout", "buckets.*.timeouts.connect", findings);
  const read = timeOf(scope, "proxy_read_timeout", "buckets.*.timeouts.headers and idle", findings);
  const send = timeOf(scope, "proxy_send_timeout", "buckets.*.timeouts.idle", findings);
  if (connect === null && read === null && send === null) return undefined;
  const idle = Math.max(read ?? 0, send ?? 0);
  return {
    connect: connect === null ? undefined : durationText(connect),
    headers: read === null ? undefined : durationText(read),
    idle: idle === 0 ? undefined : durationText(idle),
  };
}

function timeOf(scope: Scope, name: string, text: string, findings: Findings): number | null {
  const directive = scope.one(name);
  const ms = timeMs(directive?.args[0] ?? "");
  if (ms === null) findings.unsupported(directive, `write ${text}`);
  else findings.taken(directive, text);
  return ms === null || ms === 0 ? null : Math.min(ms, 86_400_000);
}

/** The system's own authorities are trusted anyway. */
const SYSTEM_BUNDLE = /\/(?:ca-certificates\.crt|ca-bundle\.(?:crt|pem)|tls-ca-bundle\.pem|cert\.pem|cacert\.pem)$/;

function readCaFile(scope: Scope, isTls: boolean, findings: Findings): string | undefined {
  const trusted = scope.one("proxy_ssl_trusted_certificate");
  const verify = scope.one("proxy_ssl_verify");
  findings.taken(
    verify,
    verify?.args[0] === "on" ? "nothing to write: always" : "certificates of OSS are always verified here",
  );
  const [file = ""] = trusted?.args ?? [];
  if (trusted === undefined || !isTls || SYSTEM_BUNDLE.test(file) || file.includes("$")) {
    findings.taken(trusted, "nothing to write: the usual authorities are trusted");
    return undefined;
  }
  findings.taken(trusted, "buckets.*.caFile");
  return file;
}

function readResolver(scope: Scope, looksUpNames: boolean, findings: Findings): YamlMap | undefined {
  const directive = scope.one("resolver");
  if (directive === undefined) return undefined;
  if (!looksUpNames) {
    findings.taken(directive, "nothing to write: nothing asked it, and ossgate asks the system's resolver");
    return undefined;
  }
  const servers = directive.args.filter((argument) => !argument.includes("="));
  const isUsable =
    servers.length > 0 && servers.every((server) => /^(?:[\d.]+(?::\d+)?|\[[0-9a-f:]+\](?::\d+)?)$/i.test(server));
  const valid = timeMs(directive.args.find((argument) => argument.startsWith("valid="))?.slice(6) ?? "");
  if (isUsable) findings.taken(directive, "buckets.*.dns.servers");
  else findings.approximated(directive, "the system's resolver is asked: dns.servers takes addresses alone");
  const maxTtl = valid === null || valid === 0 ? undefined : durationText(valid);
  return {
    servers: isUsable ? servers.map(bare) : undefined,
    maxTtl,
    minTtl: valid !== null && valid > 0 && valid < 5_000 ? maxTtl : undefined,
  };
}

/** Brackets stand only where a port follows. */
function bare(server: string): string {
  return server.endsWith("]") ? server.slice(1, -1) : server;
}
