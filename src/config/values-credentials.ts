import { canonicalIp, isMetadataAddress } from "./address.js";
import { Refusal } from "./refusal.js";

/** Values of `credentials` (oss-semantics §8.1) and URLs of services besides OSS. */

/** A URL of a service: no user, which would be a secret, and no query or fragment, which would get lost or in the way. */
function parseServiceUrl(example: string): (text: string) => URL | Refusal {
  const expected = `a URL such as ${example}`;
  return (text) => {
    if (!/^https?:\/\//i.test(text)) return new Refusal(expected, schemeHint(text));
    const url = URL.canParse(text) ? new URL(text) : null;
    if (url === null || url.hostname === "" || url.port === "0") return new Refusal(expected);
    if (url.username !== "" || url.password !== "") return new Refusal(`${expected}, without user and password`);
    if (/[?#]/.test(text)) return new Refusal(`${expected}, without '?' and '#'`);
    return url;
  };
}

function schemeHint(text: string): string {
  return /^[a-z0-9.-]+(?::\d+)?(?:\/|$)/i.test(text) ? "Write the scheme too: https:// or http://." : "";
}

/** The same as a text that paths can be put behind: without trailing slash. */
export function parseBaseUrl(example: string): (text: string) => string | Refusal {
  const parse = parseServiceUrl(example);
  return (text) => {
    const url = parse(text);
    return url instanceof Refusal ? url : url.origin + url.pathname.replace(/\/+$/, "");
  };
}

const STS_EXAMPLE = "https://sts.aliyuncs.com";
export const STS_EXPECTED = `a URL such as ${STS_EXAMPLE}`;

/** STS hands out credentials, so it is asked without TLS on this machine alone. */
export function parseStsEndpoint(text: string): string | Refusal {
  const url = parseBaseUrl(STS_EXAMPLE)(text);
  if (url instanceof Refusal || url.startsWith("https:") || isLoopback(new URL(url).hostname)) return url;
  return new Refusal(STS_EXPECTED, "Write https://: STS hands out credentials.");
}

/** @param host as WHATWG URLs write it */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "[::1]" || /^127(?:\.\d+){3}$/.test(host);
}

export function parseUrlText(example: string): (text: string) => string | Refusal {
  const parse = parseServiceUrl(example);
  return (text) => {
    const url = parse(text);
    return url instanceof Refusal ? url : url.href;
  };
}

/** Where upload callbacks go: an application, and not the service that hands out the machine's credentials. */
export function parseForwardUrl(text: string): URL | Refusal {
  const url = parseServiceUrl("https://app.example.com/uploaded")(text);
  if (url instanceof Refusal) return url;
  const ip = canonicalIp(url.hostname.replace(/^\[|\]$/g, ""));
  if (ip === null || !isMetadataAddress(ip)) return url;
  return new Refusal("a URL of an application", "This address is the metadata service of ECS.");
}

/** RAM's rule for the names of roles; it also goes into a path of the metadata service. */
export const ROLE_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
export const ROLE_ARN = /^acs:ram::\d+:role\/[A-Za-z0-9._-]{1,64}$/;
export const PROVIDER_ARN = /^acs:ram::\d+:oidc-provider\/[A-Za-z0-9._-]{1,128}$/;
/** STS, AssumeRole, RoleSessionName. */
export const SESSION_NAME = /^[A-Za-z0-9.@_-]{2,64}$/;
/** STS, AssumeRole, ExternalId. */
export const EXTERNAL_ID = /^[A-Za-z0-9+=,.@:/_-]{2,1224}$/;

/** A text that a pattern decides about. */
export function parseBy(pattern: RegExp, expected: string): (text: string) => string | Refusal {
  return (text) => (pattern.test(text) ? text : new Refusal(expected));
}

/** A session policy: what the session may do at most, as RAM writes policies. */
export function parsePolicy(text: string): string | Refusal {
  const refusal = new Refusal('a policy as JSON text, {"Version":"1","Statement":[…]}');
  try {
    const policy: unknown = JSON.parse(text);
    return typeof policy === "object" && policy !== null && "Statement" in policy ? text : refusal;
  } catch {
    return refusal;
  }
}
