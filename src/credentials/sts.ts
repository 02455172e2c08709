import type { OssCredentials } from "../core/secret.js";
import { ask, type Timeouts } from "./ask.js";
import { errorCodeIn, readCredentialsJson } from "./credentials-json.js";
import { CredentialsError } from "./provider.js";

/** As the vendor's library. */
const TIMEOUTS: Timeouts = { connectMs: 5_000, answerMs: 10_000 };

/** STS refused: `code` is its own word, without parentheses, or empty. */
export class StsRefusal extends CredentialsError {
  readonly code: string;

  constructor(message: string, code: string) {
    super(message);
    this.code = code;
  }
}

export interface StsQuestion {
  readonly endpoint: URL;
  /** `application/x-www-form-urlencoded`. */
  readonly form: string;
  readonly signal: AbortSignal;
  readonly timeouts?: Timeouts;
}

/**
 * The endpoint as an address: `sts.cn-beijing.aliyuncs.com`, or with its scheme. Plain http to this machine alone.
 * @throws CredentialsError in one sentence
 */
export function stsUrl(endpoint: string): URL {
  const text = endpoint.includes("://") ? endpoint : `https://${endpoint}`;
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null) throw new CredentialsError("the STS endpoint is neither a host name nor a URL");
  if (url.protocol === "https:" || (url.protocol === "http:" && isLoopback(url.hostname))) return url;
  throw new CredentialsError(`the STS endpoint ${url.host} has to be reached by https: it hands out credentials`);
}

function isLoopback(hostname: string): boolean {
  return hostname === "localhost" || hostname === "[::1]" || /^127(\.\d+){3}$/.test(hostname);
}

/** What every call of STS 2015-04-01 says. `nowMs`: milliseconds since 1970. */
export function commonParameters(action: string, nowMs: number): ReadonlyMap<string, string> {
  return new Map([
    ["Action", action],
    ["Format", "JSON"],
    ["Version", "2015-04-01"],
    ["Timestamp", new Date(nowMs).toISOString().replace(/\.\d+Z$/, "Z")],
  ]);
}

/**
 * Asks STS for credentials.
 * @throws StsRefusal when STS answers with an error, CredentialsError otherwise
 */
export async function askSts({ endpoint, form, signal, timeouts = TIMEOUTS }: StsQuestion): Promise<OssCredentials> {
  const who = `STS at ${endpoint.origin}`;
  const headers = { "content-type": "application/x-www-form-urlencoded" };
  const { status, body } = await ask({ method: "POST", url: endpoint, headers, body: form, who, timeouts, signal });
  if (status !== 200) {
    const code = errorCodeIn(body);
    throw new StsRefusal(`${who} answered ${status}${code === "" ? "" : ` (${code})`}`, code);
  }
  return readCredentialsJson(body, { where: who, isTemporary: true });
}
