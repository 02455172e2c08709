import { Refusal } from "./refusal.js";
import { keyTextProblem } from "./values.js";

/** Values of routes that the gateway signs and of those that ask who may use them. */

/** The `response-*` parameters (oss-semantics §11.4). */
export const RESPONSE_OVERRIDES = [
  "response-content-type",
  "response-content-language",
  "response-expires",
  "response-cache-control",
  "response-content-disposition",
  "response-content-encoding",
] as const;

export function responseOverrideHint(input: string): string {
  const full = RESPONSE_OVERRIDES.find((name) => name === `response-${input.toLowerCase()}`);
  return full === undefined ? "" : `Write ${full}.`;
}

export const PROCESS_EXPECTED = "a value of x-oss-process such as style/thumb or image/resize,w_*";

/** A value of `x-oss-process` that clients may ask for; none that writes objects or that signs. */
export function parseProcess(text: string): string | Refusal {
  const refuse = (hint: string): Refusal => new Refusal(PROCESS_EXPECTED, hint);
  if (/^sys\//i.test(text) || text.includes("|")) return refuse("What follows a '|', or begins with sys/, can write.");
  if (/^hls\//i.test(text)) return refuse("The gateway itself asks for it, where hls.mode is ossSign.");
  if (text.slice(0, -1).includes("*")) return refuse("A '*' can only be the end.");
  if (!text.includes("/")) return refuse("Name what it does before a slash: style/ or image/ say.");
  return /^[A-Za-z0-9_-]+\/[A-Za-z0-9_.,=~!@:/+-]*[A-Za-z0-9_.,=~!@:/+*-]$/.test(text) ? text : refuse("");
}

/** The decoded path of a directory: begins and ends with `/`. */
export function parseDirectory(text: string): string | Refusal {
  const expected = "a decoded path that begins and ends with a slash, /vod/ say";
  if (!text.startsWith("/") || !text.endsWith("/")) return new Refusal(expected);
  if (/[%?#]/.test(text)) return new Refusal(expected, "It is compared decoded: no '%', '?' or '#'.");
  if (text.includes("//")) return new Refusal(expected, "No empty segments.");
  const wrong = keyTextProblem(text);
  return wrong === null ? text : new Refusal(expected, wrong);
}

const VARIABLES = /^(?:secure_link_expires|uri|remote_addr|host|secret|arg_[a-z0-9_]+)$/;
const KNOWN = "$secure_link_expires, $uri, $remote_addr, $host, $arg_NAME and $secret";
export const EXPRESSION_EXPECTED = "an expression such as $secure_link_expires$uri$remote_addr $secret";

/** Variables that must be there, and what it would mean if they were not. */
const NEEDED: readonly (readonly [name: string, why: string])[] = [
  ["secret", "$secret is missing: it stands for the secret, which is never written here."],
  ["secure_link_expires", "$secure_link_expires is missing: no link is good for ever."],
  ["uri", "$uri is missing: a link is for one path."],
];

/** NGINX's `secure_link_md5`: text with variables, whose names have no case. */
export function parseExpression(text: string): string | Refusal {
  const refuse = (hint: string): Refusal => new Refusal(EXPRESSION_EXPECTED, hint);
  if (text.includes("${")) return refuse("Write variables without braces.");
  const names = [...text.matchAll(/\$(\w*)/g)].map((match) => (match[1] ?? "").toLowerCase());
  if (names.some((name) => !VARIABLES.test(name))) return refuse(`The variables are ${KNOWN}.`);
  const missing = NEEDED.find(([name]) => !names.includes(name));
  return missing === undefined ? text : refuse(missing[1]);
}

/** Parameters that mean something to OSS or to our own links (oss-semantics §2). */
const TAKEN = /^(?:ossgate-.*|x-oss-.*|response-.*|OSSAccessKeyId|Expires|Signature|security-token)$/;

/** The name of a query parameter that the gateway takes off before OSS. */
export function parseParameterName(text: string): string | Refusal {
  const expected = "the name of a query parameter such as md5";
  if (!/^[A-Za-z0-9_.-]{1,64}$/.test(text)) return new Refusal(expected);
  return TAKEN.test(text) ? new Refusal(expected, "This one has a meaning already.") : text;
}
