import { isIP } from "node:net";
import { parseSubjectText } from "../core/certificate-subject.js";
import { HOP_BY_HOP } from "../core/headers.js";
import { canonicalIp, isMetadataAddress } from "./address.js";
import { Refusal } from "./refusal.js";
import { keyTextProblem } from "./values.js";

/** Values of policies: referers, origins, headers of answers, documents, and services that are asked. */

export const HEADER_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

export const REFERER_EXPECTED = "a referer such as https://www.example.com or https://*.example.com/";

/** An entry of OSS's lists: what a Referer begins with. */
export function parseReferer(text: string): string | Refusal {
  if (/^[!-~]{1,1000}$/.test(text)) return text;
  return new Refusal(REFERER_EXPECTED, textHint(text, 1000));
}

export const VALID_REFERER_EXPECTED =
  'none, blocked, server_names, a name such as *.example.com, or "~" and an expression';

export const PATTERN_EXPECTED = "an RE2 expression such as /\\. that is searched for in the decoded path";

/** Whether it is an expression is seen where it is compiled. */
export function parsePathPattern(text: string): string | Refusal {
  if (text === "") return new Refusal(PATTERN_EXPECTED, "It is empty.");
  return hasControl(text) ? new Refusal(PATTERN_EXPECTED, "No control characters.") : text;
}

/** An entry of NGINX's `valid_referers`; whether an expression is one is seen where it is compiled. */
export function parseValidReferer(text: string): string | Refusal {
  if (text === "" || text.length > 1000) return new Refusal(VALID_REFERER_EXPECTED, textHint(text, 1000));
  if (!text.startsWith("~") && text.includes("://"))
    return new Refusal(VALID_REFERER_EXPECTED, "Names are compared without the scheme; leave it out.");
  return hasControl(text) ? new Refusal(VALID_REFERER_EXPECTED, "No control characters.") : text;
}

function textHint(text: string, most: number): string {
  if (text === "") return "It is empty.";
  if (text.length > most) return `At most ${most} characters.`;
  return /[^\0-\x7f]/.test(text)
    ? "Browsers send ASCII: names in punycode, paths with %."
    : "No blanks and no control characters.";
}

function hasControl(text: string): boolean {
  for (const character of text) if (character < " " || character === "\x7f") return true;
  return false;
}

export const ORIGIN_EXPECTED = "an origin such as https://www.example.com, at most one * in it, or null";

/** What a page's `Origin` is compared with, as text (oss-semantics §6.2). */
export function parseOrigin(text: string): string | Refusal {
  if (text === "*" || text === "null") return text;
  const hint = originHint(text);
  return hint === null ? text : new Refusal(ORIGIN_EXPECTED, hint);
}

const DEFAULT_PORT = /^(?:https:\/\/.*:443|http:\/\/.*:80)$/;

/** `null`: it is one. */
function originHint(text: string): string | null {
  if (text.split("*").length > 2) return "One * at most.";
  if (!/^[!-~]{1,1000}$/.test(text)) return textHint(text, 1000);
  if (text !== text.toLowerCase()) return "Browsers send it in lower case, and it is compared as text.";
  const end = text.indexOf("://");
  const authority = end === -1 ? text : text.slice(end + 3);
  if (authority.endsWith("/")) return "An origin has no path: leave the slash at the end out.";
  if (/[/?#@\\]/.test(authority)) return "An origin has no path, no query and no user.";
  if (DEFAULT_PORT.test(text)) return "Browsers leave the default port out; so must this.";
  if (authority === "" || !/^[a-z0-9_.:*[\]-]+$/.test(authority)) return "";
  // Without a scheme the * must be where the scheme would be: in front of all, or https*.
  if (end === -1) return /^\*|^[a-z]+\*$/.test(text) ? null : "Write the scheme too: https:// or http://.";
  return /^[a-z*][a-z0-9+.*-]*$/.test(text.slice(0, end)) ? null : "";
}

export const CORS_HEADER_EXPECTED = "the name of a request header, at most one * in it";

export function parseCorsHeader(text: string): string | Refusal {
  if (!HEADER_NAME.test(text)) return new Refusal(CORS_HEADER_EXPECTED);
  return text.split("*").length > 2 ? new Refusal(CORS_HEADER_EXPECTED, "One * at most.") : text;
}

export const EXPOSED_EXPECTED = "the name of a response header such as ETag";

export function parseExposedHeader(text: string): string | Refusal {
  if (text.includes("*")) return new Refusal(EXPOSED_EXPECTED, "A * stands for nothing here: name them.");
  return HEADER_NAME.test(text) ? text : new Refusal(EXPOSED_EXPECTED);
}

/** What frames a message, ends with a connection, or says what the bytes of the body are. */
const FIXED: ReadonlySet<string> = new Set([
  ...HOP_BY_HOP,
  "content-length",
  "content-range",
  "content-encoding",
  "date",
]);

export function isSettableHeader(name: string): boolean {
  return !FIXED.has(name.toLowerCase()) && name.toLowerCase() !== "etag";
}

const REMOVED_EXPECTED = "the name of a response header such as server";

/** A response header that clients do not get, in lower case. */
export function parseRemovedResponseHeader(text: string): string | Refusal {
  if (!HEADER_NAME.test(text)) return new Refusal(REMOVED_EXPECTED);
  const name = text.toLowerCase();
  if (FIXED.has(name)) return new Refusal(`${REMOVED_EXPECTED}, and none that the body depends on`);
  const hint = "Browsers would guess a type, of uploads too.";
  return name === "content-type" ? new Refusal(`${REMOVED_EXPECTED}, and not content-type`, hint) : name;
}

export const HEADER_VALUE_EXPECTED = "a header's value of printable ASCII, without blanks at its ends";

export function parseHeaderValue(text: string): string | Refusal {
  if (text === "") return new Refusal(HEADER_VALUE_EXPECTED, "To take a header away, name it in remove.");
  return /^[!-~](?:[ -~]*[!-~])?$/.test(text) && text.length <= 4096 ? text : new Refusal(HEADER_VALUE_EXPECTED);
}

export const INDEX_EXPECTED = "the name of a file such as index.html";

/** Put behind a path that ends at a slash. */
export function parseIndexDocument(text: string): string | Refusal {
  if (/[/\\]/.test(text)) return new Refusal(INDEX_EXPECTED, "A name without slashes: each directory has its own.");
  return documentProblem(text, INDEX_EXPECTED) ?? text;
}

export const ERROR_DOCUMENT_EXPECTED = "a key such as 404.html";

/** A key, below the route's `keyPrefix`. */
export function parseErrorDocument(text: string): string | Refusal {
  if (/^[/\\]/.test(text)) return new Refusal(ERROR_DOCUMENT_EXPECTED, "A key of OSS does not begin with a slash.");
  if (text.endsWith("/")) return new Refusal(ERROR_DOCUMENT_EXPECTED, "It is a file, not a directory.");
  return documentProblem(text, ERROR_DOCUMENT_EXPECTED) ?? text;
}

function documentProblem(text: string, expected: string): Refusal | null {
  if (text === "") return new Refusal(expected, "It is empty.");
  if (Buffer.byteLength(text) > 1023) return new Refusal("at most 1023 bytes, as long as a key of OSS can be");
  const wrong = keyTextProblem(text);
  return wrong === null ? null : new Refusal(expected, wrong);
}

export const SHARED_EXPECTED = "a URL such as redis://10.0.0.5:6379/0, or rediss:// for TLS";

/** A Redis or Valkey server; its database may stand in the path. */
export function parseSharedUrl(text: string): URL | Refusal {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || !/^rediss?:\/\//i.test(text) || url.hostname === "" || url.port === "0")
    return new Refusal(SHARED_EXPECTED, sharedHint(text));
  if (url.username !== "" || url.password !== "" || text.includes("@")) {
    return new Refusal(
      SHARED_EXPECTED,
      "Neither user nor password belongs here: limits.sharedPassword names where it is.",
    );
  }
  if (/[?#]/.test(text) || !/^(?:\/\d{0,3})?$/.test(url.pathname))
    return new Refusal(SHARED_EXPECTED, "Behind the port only the number of a database can stand.");
  return url;
}

/** Repeats an address alone: all else may be a password. */
function sharedHint(text: string): string {
  if (text.includes("://")) return "";
  const [host = "", port, ...rest] = text.split(":");
  const isAddress = isIP(host) !== 0 && rest.length === 0 && (port === undefined || /^\d{1,5}$/.test(port));
  return isAddress ? `Write redis://${text}.` : "Write the scheme too: redis:// or rediss://.";
}

export const REALM_EXPECTED = "a text of 1 to 100 printable ASCII characters without quotes and backslashes";

export function parseRealm(text: string): string | Refusal {
  return /^[ !#-[\]-~]{1,100}$/.test(text) ? text : new Refusal(REALM_EXPECTED);
}

export const AUTH_URL_EXPECTED = "a URL such as http://127.0.0.1:9000/auth";

/** A service that says who may pass; path and query are used as they are. */
export function parseAuthUrl(text: string): URL | Refusal {
  const url = /^https?:\/\//i.test(text) && URL.canParse(text) ? new URL(text) : null;
  if (url === null || url.hostname === "" || url.port === "0")
    return new Refusal(AUTH_URL_EXPECTED, text.includes("://") ? "" : "Write the scheme too: https:// or http://.");
  if (url.username !== "" || url.password !== "") return new Refusal(`${AUTH_URL_EXPECTED}, without user and password`);
  if (text.includes("#")) return new Refusal(`${AUTH_URL_EXPECTED}, without '#'`);
  const ip = canonicalIp(url.hostname.replace(/^\[|\]$/g, ""));
  if (ip === null || !isMetadataAddress(ip)) return url;
  return new Refusal("a URL of a service of your own", "This address is the metadata service of ECS.");
}

/** What the gateway writes itself when it asks, or what frames the request that asks. */
const NOT_ASKED_WITH = /^(?:host|expect|content-.+|x-forwarded-.+|x-real-ip|forwarded)$/;

export const ASKED_EXPECTED = "the name of a request header such as cookie";

/** A request header that the service is sent, in lower case. */
export function parseAskedHeader(text: string): string | Refusal {
  if (!HEADER_NAME.test(text)) return new Refusal(ASKED_EXPECTED);
  const name = text.toLowerCase();
  if (!NOT_ASKED_WITH.test(name) && !HOP_BY_HOP.has(name)) return name;
  return new Refusal(ASKED_EXPECTED, "The gateway writes this one itself, or it belongs to one connection.");
}

export const SUBJECT_EXPECTED =
  'the subject of a certificate such as CN=partner.example.com or O=Example/CN=partner, or "*"';

/** `NAME=value`, several with `/` between; values are compared as they stand, a backslash goes before their `/` and `=`. */
export function parseSubject(text: string): string | Refusal {
  if (text === "*") return text;
  return parseSubjectText(text) === null ? new Refusal(SUBJECT_EXPECTED, subjectHint(text)) : text;
}

function subjectHint(text: string): string {
  if (/,\s*[A-Za-z]+=/.test(text)) return "Write '/' between two attributes, not a comma.";
  return /=.*=/.test(text) ? "Write a backslash before '=' and '/' in a value." : "";
}
