import { isIP } from "node:net";
import type { ListenerConfig } from "../config/gateway-config.js";
import { type Explanation, explainRequest, type RequestToExplain } from "../gateway/explain.js";
import { mergeCredentials } from "../telemetry/process-report.js";
import { type AdminAnswer, jsonAnswer, textAnswer } from "./admin-answer.js";
import type { Asked } from "./admin-asked.js";
import { explainText } from "./explain-text.js";

const USAGE = `/routes/explain?url=…   what would become of a request

  url       http://HOST/PATH, percent-encoded as a parameter
  method    GET when absent
  header    NAME:VALUE, as often as there are headers
  client    the address that it comes from; your own when absent
  listener  by name; by the URL's port or scheme when absent
  format    json or text; when absent JSON for who accepts it, else text

  curl -G --data-urlencode 'url=https://img.example.com/a.png' --data-urlencode 'header=Referer: https://x.test/' ADDRESS/routes/explain
`;

const NAMES: ReadonlySet<string> = new Set(["url", "method", "header", "client", "listener", "format"]);
const FORMATS: ReadonlySet<string> = new Set(["json", "text"]);
const MAX_HEADERS = 100;

/** `/routes/explain`: text for people, JSON for programs that ask for it. */
export async function answerExplain({ req, rawQuery, source }: Asked): Promise<AdminAnswer> {
  const parameters = readParameters(rawQuery);
  if (typeof parameters === "string") return textAnswer(400, `${parameters}\n\n${USAGE}`);
  const runtime = source.runtime();
  const peer = (req.socket.remoteAddress ?? "").replace(/^::ffff:(?=\d+\.)/, "");
  const request = readRequest(parameters, runtime.config.listeners, peer);
  if (typeof request === "string") return textAnswer(400, `${request}\n\n${USAGE}`);
  const credentials = mergeCredentials(await source.collect());
  const isValid = (name: string): boolean => credentials.find((each) => each.name === name)?.isValid ?? false;
  const explanation = await explainRequest(request, { runtime, isValid });
  return wantsJson(parameters, req.headers.accept)
    ? jsonAnswer(200, jsonOf(request, explanation))
    : textAnswer(200, explainText(request, explanation));
}

type Parameters = ReadonlyMap<string, readonly string[]>;

/** What is wrong, in a sentence, or the parameters, encoded as forms are: a plus is a space (curl writes it so). */
function readParameters(rawQuery: string): Parameters | string {
  const parameters = new Map<string, string[]>();
  for (const pair of rawQuery.split("&")) {
    if (pair === "") continue;
    const [rawName = "", ...rest] = pair.split("=");
    const name = decode(rawName);
    const value = decode(rest.join("=").replaceAll("+", " "));
    if (name === null || value === null) return "The query is not percent-encoded UTF-8.";
    if (!NAMES.has(name)) return `There is no parameter ${name}. An '&' inside of url= is written %26.`;
    parameters.set(name, [...(parameters.get(name) ?? []), value]);
  }
  if (!parameters.has("url")) return "Which URL?";
  return wrongParameter(parameters) ?? parameters;
}

/** What is wrong with the words that stand alone, in a sentence. */
function wrongParameter(parameters: Parameters): string | null {
  const twice = [...parameters].find(([name, values]) => name !== "header" && values.length > 1)?.[0];
  if (twice !== undefined) return `${twice} is there twice; only header may be.`;
  const client = parameters.get("client")?.[0];
  if (client !== undefined && isIP(client) === 0) {
    return "client is an address, 203.0.113.7 or 2001:db8::7; neither a name nor part of one.";
  }
  const format = parameters.get("format")?.[0];
  return format === undefined || FORMATS.has(format) ? null : "format is json or text.";
}

function decode(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}

const ABSOLUTE = /^(https?):\/\/([^/?#]+)([^#]*)/i;
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

function readRequest(
  parameters: Parameters,
  listeners: readonly ListenerConfig[],
  peer: string,
): RequestToExplain | string {
  const one = (name: string): string | undefined => parameters.get(name)?.[0];
  const [, scheme, authority, rest] = ABSOLUTE.exec(one("url") ?? "") ?? [];
  if (scheme === undefined || authority === undefined) return "url begins with http:// or https:// and a host.";
  const headers = readHeaders(parameters.get("header") ?? []);
  if (typeof headers === "string") return headers;
  const method = (one("method") ?? "GET").toUpperCase();
  if (!TOKEN.test(method)) return "method is a word: GET, PUT.";
  const listener = findListener(listeners, one("listener"), { scheme, authority });
  if (listener === undefined) return `There is no listener ${one("listener")}.`;
  const target = encodeAsBrowsersDo((rest ?? "").startsWith("/") ? (rest ?? "") : `/${rest ?? ""}`);
  return {
    method,
    listener: listener.name,
    target,
    headers: withFraming(method, withHost(headers, authority)),
    client: one("client") ?? peer,
  };
}

/** What nobody could send raw. */
function encodeAsBrowsersDo(target: string): string {
  return target.replace(/[^\x21-\x7e]+/g, (part) => encodeURIComponent(part));
}

function readHeaders(lines: readonly string[]): string[] | string {
  if (lines.length > MAX_HEADERS) return `At most ${MAX_HEADERS} headers.`;
  const headers: string[] = [];
  for (const line of lines) {
    const colon = line.indexOf(":");
    const name = line.slice(0, Math.max(0, colon)).trim();
    const value = line.slice(colon + 1);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: no header may hold them
    if (!TOKEN.test(name) || /[\0-\x08\x0a-\x1f\x7f]/.test(value)) return "header is NAME:VALUE.";
    headers.push(name, Buffer.from(value.trim()).toString("latin1"));
  }
  return headers;
}

function withHost(headers: readonly string[], authority: string): readonly string[] {
  const hasHost = headers.some((name, i) => i % 2 === 0 && name.toLowerCase() === "host");
  return hasHost ? headers : ["Host", authority, ...headers];
}

/** A request that has a body says how long it is; without a word from who asks, nothing. */
function withFraming(method: string, headers: readonly string[]): readonly string[] {
  const isFramed = headers.some((name, i) => i % 2 === 0 && /^(?:content-length|transfer-encoding)$/i.test(name));
  return isFramed || (method !== "PUT" && method !== "POST") ? headers : [...headers, "Content-Length", "0"];
}

/** By name; else by port, else by scheme, else the first. */
function findListener(
  listeners: readonly ListenerConfig[],
  name: string | undefined,
  { scheme, authority }: { readonly scheme: string; readonly authority: string },
): ListenerConfig | undefined {
  if (name !== undefined) return listeners.find((listener) => listener.name === name);
  const isTls = scheme.toLowerCase() === "https";
  const port = Number(/:(\d+)$/.exec(authority)?.[1] ?? (isTls ? 443 : 80));
  const ofScheme = listeners.filter(({ tls }) => (tls !== null) === isTls);
  return ofScheme.find(({ address }) => address.port === port) ?? ofScheme[0] ?? listeners[0];
}

function wantsJson(parameters: Parameters, accept = ""): boolean {
  const format = parameters.get("format")?.[0];
  return format === undefined ? /\bapplication\/json\b/i.test(accept) : format === "json";
}

function jsonOf(request: RequestToExplain, explanation: Explanation): object {
  return {
    request: {
      ...request,
      target: explanation.target,
      headers: explanation.headers,
    },
    ...explanation,
  };
}
