import { canonicalIp, isMetadataAddress, metadataRefusal } from "./address.js";
import type { EndpointKind } from "./gateway-config.js";
import { Refusal } from "./refusal.js";

/** The name of a listener, a bucket or a route: a label in logs and metrics. */
export const NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/;
export const NAME_EXPECTED = "a name of 1 to 63 letters, digits, '.', '-' or '_', the first a letter or digit";

export function parseName(text: string): string | Refusal {
  return NAME.test(text) ? text : new Refusal(NAME_EXPECTED);
}

/** oss-semantics §1.3: the rule for access, which also takes old names with `_`. */
export const BUCKET_NAME = /^[a-z0-9_][a-z0-9_-]{1,61}[a-z0-9_]$/;
export const BUCKET_EXPECTED =
  "the bucket's name at OSS: 3 to 63 lower-case letters, digits, '-' or '_', no '-' at its ends";

export function parseBucketName(text: string): string | Refusal {
  if (BUCKET_NAME.test(text)) return text;
  const hint = text.includes(".") ? "Write the name alone, not the host name." : "";
  return new Refusal(BUCKET_EXPECTED, hint);
}

export const REGION = /^[a-z0-9-]+$/;
export const REGION_EXPECTED = "a region id, cn-beijing say";

/** Any id is taken (oss-semantics §1.2), but not a part of a host name. */
export function parseRegion(text: string): string | Refusal {
  if (text.includes(".")) return new Refusal(REGION_EXPECTED, "Write the id alone, not a host name.");
  const bare = text.replace(/^(?:vpc100-)?oss-/, "");
  const id = bare.replace(/-internal$/, "");
  if (!REGION.test(text) || id === "") return new Refusal(REGION_EXPECTED);
  if (bare !== text) return new Refusal(REGION_EXPECTED, `Leave the prefix out: ${id}.`);
  // The internal-only names of the finance cloud differ from their regions (oss-semantics §1.1) but never end like this.
  return id === text ? text : new Refusal(REGION_EXPECTED, `Write ${id}, and endpoint: internal.`);
}

export const ENDPOINT_KINDS: readonly EndpointKind[] = ["internal", "public", "accelerate", "dualStack"];
export const ENDPOINT_EXPECTED = `${ENDPOINT_KINDS.join(", ")}, or a URL such as http://oss.test:9000`;

/** A kind of OSS endpoint, or the origin of a URL. */
export function parseEndpoint(text: string): EndpointKind | URL | Refusal {
  const kind = ENDPOINT_KINDS.find((name) => name === text);
  if (kind !== undefined) return kind;
  if (!/^https?:\/\//i.test(text)) return new Refusal(ENDPOINT_EXPECTED, endpointHint(text));
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || url.hostname === "" || url.port === "0")
    return new Refusal("a URL with a host, and perhaps a port");
  if (url.username !== "" || url.password !== "") return new Refusal("a URL without user and password");
  if (url.pathname !== "/" || /[?#]/.test(text)) {
    return new Refusal(
      "a URL of scheme, host and port alone",
      "Take the path away; keyPrefix of a route is the place for it.",
    );
  }
  const ip = canonicalIp(url.hostname.replace(/^\[|\]$/g, ""));
  return ip !== null && isMetadataAddress(ip) ? metadataRefusal() : url;
}

function endpointHint(text: string): string {
  const sameWord = ENDPOINT_KINDS.find((kind) => kind.toLowerCase() === text.toLowerCase().replace(/[-_ ]/g, ""));
  if (sameWord !== undefined) return `Write ${sameWord}.`;
  return /^[a-z0-9.-]+\.[a-z0-9-]+(?::\d+)?$/i.test(text) ? "Write the scheme too: https:// or http://." : "";
}

/** Begins with `/`, decoded; gives it without a trailing slash, which means the same. */
export function parsePathPrefix(text: string): string | Refusal {
  const expected = "a decoded path prefix such as / or /media";
  if (!text.startsWith("/")) return new Refusal(expected, "It begins with a slash.");
  if (/[%?#]/.test(text)) return new Refusal(expected, "It is compared decoded: no '%', '?' or '#'.");
  if (text.includes("//")) return new Refusal(expected, "No empty segments.");
  const wrong = keyTextProblem(text);
  if (wrong !== null) return new Refusal(expected, wrong);
  return text.length > 1 && text.endsWith("/") ? text.slice(0, -1) : text;
}

/** Put before every key: no leading slash, since keys have none; a trailing one is up to the writer. */
export function parseKeyPrefix(text: string): string | Refusal {
  const expected = 'the beginning of a key such as site/ or ""';
  if (text.startsWith("/") || text.startsWith("\\"))
    return new Refusal(expected, "A key of OSS does not begin with a slash.");
  if (Buffer.byteLength(text) > 1023) return new Refusal("at most 1023 bytes, as long as a key of OSS can be");
  const wrong = keyTextProblem(text);
  return wrong === null ? text : new Refusal(expected, wrong);
}

export function keyTextProblem(text: string): string | null {
  if (text.split("/").some((segment) => segment === "." || segment === "..")) return "No '.' or '..' segments.";
  if (Buffer.from(text).toString() !== text) return "It must be UTF-8; a lone surrogate is not.";
  for (const character of text) {
    if (character < " " || character === "\x7f") return "No control characters.";
  }
  return null;
}

export function parseHostHeader(parseDomain: (text: string) => string | Refusal): (text: string) => string | Refusal {
  return (text) => {
    if (text === "bucket" || text === "client") return text;
    const domain = parseDomain(text);
    return domain instanceof Refusal ? new Refusal("bucket, client or a domain of the bucket", domain.hint) : domain;
  };
}

/** What a signature covers or what says where a message ends (oss-semantics §2), and what ends with a connection anyway. */
const NOT_REMOVABLE =
  /^(?:host|authorization|date|expect|security-token|content-.+|x-oss-.+|transfer-encoding|te|trailer|upgrade|connection|keep-alive|proxy-.+)$/;

/** A request header that is not sent upstream, in lower case. */
export function parseRemovedHeader(text: string): string | Refusal {
  const expected = "the name of a request header such as cookie";
  if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(text)) return new Refusal(expected);
  const name = text.toLowerCase();
  if (!NOT_REMOVABLE.test(name)) return name;
  return new Refusal(`${expected}, and none that a signature or the framing of the message depends on`);
}

export function parseFilePath(expected: string): (text: string) => string | Refusal {
  return (text) => {
    if (text.includes("-----BEGIN")) return new Refusal(expected, "Write where the file is, not what is in it.");
    return text === "" || text.includes("\0") ? new Refusal(expected) : text;
  };
}

/** `stdout` or `stderr`, `journald`, or an absolute path. */
export function parseLogOutput(stream: "stdout" | "stderr", expected: string): (text: string) => string | Refusal {
  return (text) => {
    if (text === stream || text === "journald") return text;
    if (text.startsWith("syslog")) return new Refusal(expected, "journald hands lines on to syslog.");
    const isPath = text.startsWith("/") && !text.endsWith("/") && !text.includes("\0");
    return isPath ? text : new Refusal(expected);
  };
}

export const parsePemPath = parseFilePath("the path of a PEM file");

/** For keys whose values are names of other things. */
export const REFERENCE_EXPECTED = {
  bucket: "the alias of a bucket",
  listener: "the name of a listener",
  credentials: "the name of credentials",
};
