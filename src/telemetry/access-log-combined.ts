import type { AccessEntry } from "./access-entry.js";

/**
 * An entry as NGINX's `combined` has it, byte for byte:
 * `$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent"`.
 * What is absent is `-`, what is empty is empty (ngx_http_log_module.c). The framing of chunked answers is not counted.
 * @param nowMs Unix milliseconds
 */
export function combinedLine(entry: AccessEntry, nowMs: number): string {
  const { client, remoteUser, status, sentBytes, referer, userAgent } = entry;
  return `${orDash(client === "" ? undefined : client)} - ${orDash(remoteUser)} [${localTime(nowMs)}] "${orDash(requestLine(entry))}" ${String(status).padStart(3, "0")} ${sentBytes} "${orDash(referer)}" "${orDash(userAgent)}"\n`;
}

/** `undefined`: nothing of it was read. */
function requestLine({ requestLine, method, target, protocol }: AccessEntry): string | undefined {
  if (requestLine !== undefined) return requestLine;
  return method === "" ? undefined : `${method} ${target} ${protocol}`;
}

const NEEDS_ESCAPE = /[^\x20\x21\x23-\x5b\x5d-\x7e]/;

/** NGINX's escaping: one `\xHH` for each byte that is a control, a quote, a backslash or beyond ASCII. */
function orDash(text: string | undefined): string {
  if (text === undefined) return "-";
  return NEEDS_ESCAPE.test(text) ? text.replace(/[^\x20\x21\x23-\x5b\x5d-\x7e]/gu, escapeBytes) : text;
}

/** Node hands in each byte of a head as one character; what lies beyond is text of ours, in UTF-8. */
function escapeBytes(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  return code < 0x100 ? hex(code) : Array.from(Buffer.from(character), hex).join("");
}

function hex(byte: number): string {
  return `\\x${byte.toString(16).toUpperCase().padStart(2, "0")}`;
}

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"] as const;
const two = (value: number): string => String(value).padStart(2, "0");

let cachedSecond = Number.NaN;
let cachedTime = "";

/** `22/Nov/2026:14:03:22 +0000` where this machine is; made once a second. */
function localTime(nowMs: number): string {
  const second = Math.floor(nowMs / 1_000);
  if (second === cachedSecond) return cachedTime;
  const time = new Date(second * 1_000);
  const ahead = -time.getTimezoneOffset();
  const away = Math.abs(ahead);
  cachedSecond = second;
  cachedTime = `${two(time.getDate())}/${MONTHS[time.getMonth()]}/${time.getFullYear()}:${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())} ${ahead < 0 ? "-" : "+"}${two(Math.trunc(away / 60))}${two(away % 60)}`;
  return cachedTime;
}

const BASIC = /^basic +([^ ].*)$/is;
/** NGINX takes base64 up to the first `=` and asks for whole bytes. */
const BASE64 = /^[A-Za-z0-9+/]*/;

/**
 * The name in a Basic `Authorization`, as NGINX has it in `$remote_user` (ngx_http_auth_basic_user): whatever its
 * password; one character a byte; `undefined` where there is none, or an empty one.
 */
export function remoteUser(authorization: string): string | undefined {
  const encoded = BASIC.exec(authorization)?.[1];
  if (encoded === undefined) return undefined;
  const digits = BASE64.exec(encoded)?.[0] ?? "";
  const isWhole = digits.length === encoded.length || encoded[digits.length] === "=";
  if (!isWhole || digits.length % 4 === 1) return undefined;
  const text = Buffer.from(digits, "base64").toString("latin1");
  const colon = text.indexOf(":");
  return colon < 1 ? undefined : text.slice(0, colon);
}
