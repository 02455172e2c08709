import { parseRemovedHeader } from "../config/values.js";
import { isSettableHeader, parseHeaderValue, parseRemovedResponseHeader } from "../config/values-policies.js";
import type { Findings } from "./findings.js";
import type { Scope } from "./scope.js";
import { timeMs } from "./units.js";
import type { YamlMap } from "./yaml-text.js";

/** Names that YAML, and JavaScript, take for nothing else. */
const PLAIN_NAME = /^[A-Za-z][A-Za-z0-9-]*$/;

/** What a route does to the headers of answers. */
export interface AnswerHeaders {
  readonly responseHeaders: YamlMap | undefined;
  readonly hsts: YamlMap | undefined;
}

/** `add_header`, `expires` and `proxy_hide_header`; CORS is read elsewhere. */
export function readAnswerHeaders(scope: Scope, findings: Findings): AnswerHeaders {
  const set = new Map<string, string>();
  let hsts: YamlMap | undefined;
  const added = scope.all("add_header").filter(({ args }) => !/^access-control-/i.test(args[0] ?? ""));
  const isAlways = added.some(({ args }) => args[2] === "always");
  for (const header of added) {
    const [name = "", value = "", always] = header.args;
    if (name.toLowerCase() === "strict-transport-security") {
      hsts = readHsts(value);
      findings.taken(header, "routes[].hsts, on answers over TLS");
    } else if (
      value.includes("$") ||
      !PLAIN_NAME.test(name) ||
      !isSettableHeader(name) ||
      typeof parseHeaderValue(value) !== "string"
    )
      findings.unsupported(
        header,
        value.includes("$") ? "no variables in headers" : "this header or value cannot be set",
      );
    else {
      set.set(name.toLowerCase(), value);
      const isSame = (always === "always") === isAlways;
      if (isSame) findings.taken(header, "routes[].responseHeaders.set");
      else findings.approximated(header, "routes[].responseHeaders.set, on every status, because another is");
    }
  }
  readExpires(scope, set, findings);
  const remove = readHidden(scope, set, findings);
  const isEmpty = set.size === 0 && remove.length === 0;
  const headers = {
    set: set.size === 0 ? undefined : Object.fromEntries(set),
    always: isAlways && set.size > 0 ? true : undefined,
    remove: remove.length === 0 ? undefined : remove,
  };
  return { responseHeaders: isEmpty ? undefined : headers, hsts };
}

function readHsts(value: string): YamlMap {
  const seconds = /max-age="?(\d{1,10})/i.exec(value)?.[1] ?? "31536000";
  return {
    maxAge: `${Math.min(Number(seconds), 3_650 * 86_400)}s`,
    includeSubDomains: /includesubdomains/i.test(value) ? true : undefined,
    preload: /preload/i.test(value) ? true : undefined,
  };
}

function readExpires(scope: Scope, set: Map<string, string>, findings: Findings): void {
  const expires = scope.one("expires");
  const [text = "off"] = expires?.args ?? [];
  if (expires === undefined || text === "off") {
    findings.taken(expires, "nothing to write");
    return;
  }
  const ms = text === "max" ? 315_360_000_000 : timeMs(text);
  if (text !== "epoch" && !text.startsWith("-") && ms === null) {
    findings.unsupported(expires, "write cache-control into responseHeaders.set");
    return;
  }
  if (!set.has("cache-control"))
    set.set("cache-control", ms === null ? "no-cache" : `max-age=${Math.trunc(ms / 1_000)}`);
  findings.approximated(expires, "responseHeaders.set cache-control, without Expires");
}

function readHidden(scope: Scope, set: ReadonlyMap<string, string>, findings: Findings): readonly string[] {
  const names = new Set<string>();
  for (const hidden of scope.all("proxy_hide_header")) {
    const name = parseRemovedResponseHeader(hidden.args[0] ?? "");
    if (typeof name !== "string") findings.unsupported(hidden, "this header cannot be taken away");
    else {
      findings.taken(hidden, "routes[].responseHeaders.remove");
      if (!set.has(name) && !name.startsWith("access-control-")) names.add(name);
    }
  }
  return [...names];
}

/** Headers that OSS has no use for, or that ossgate cares for. */
const NEEDLESS =
  /^(?:x-real-ip|x-forwarded-.+|x-scheme|x-client-.+|x-request-id|forwarded|via|proxy|remote-host|upgrade|connection|te|keep-alive|x-original-.+|x-nginx-.+|expect)$/i;

/** `proxy_set_header` but for Host. @returns request headers that are taken away */
export function readRequestHeaders(scope: Scope, findings: Findings): readonly string[] {
  const removed = new Set<string>();
  for (const header of scope.all("proxy_set_header")) {
    const [name = "", value = ""] = header.args;
    if (/^host$/i.test(name)) continue;
    const parsed = parseRemovedHeader(name);
    if (/^head$/i.test(name) && /host/.test(value))
      findings.dangerous(
        header,
        "a header called Head, which OSS does not know; Host was meant, and is not set by this",
      );
    else if (NEEDLESS.test(name))
      findings.taken(header, "nothing to write: OSS has no use for it, and the log has the client's address");
    else if (value === "" && typeof parsed === "string") {
      removed.add(parsed);
      findings.taken(header, "routes[].requestHeaders.remove");
    } else if (/^authorization$/i.test(name) && value === "")
      findings.unsupported(
        header,
        "signatures are not taken away here: OSS judges what clients send, and answers 403 where it is wrong; have them send none",
      );
    else if (/^authorization$/i.test(name))
      findings.unsupported(header, "to sign for clients, write auth: sign with credentials");
    else if (value.toLowerCase() === `$http_${name.toLowerCase().replaceAll("-", "_")}`)
      findings.taken(header, "nothing to write: what the client sends is sent on");
    else findings.unsupported(header, "no request headers are added: they would break signatures");
  }
  return [...removed];
}
