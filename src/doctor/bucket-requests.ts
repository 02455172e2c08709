import { randomBytes } from "node:crypto";
import { parseOssHost } from "../config/oss-host.js";
import { type HeaderList, headerValue } from "../core/headers.js";
import type { OssCredentials } from "../core/secret.js";
import { encodePath } from "../core/target.js";
import { unescapeXml } from "../gateway/oss-error.js";
import { canonicalQuery } from "../signing/canonical.js";
import { HeaderSigner } from "../signing/header-signer.js";
import { explainMismatch } from "../signing/mismatch.js";
import type { Mismatch } from "../signing/mismatch-causes.js";
import { statedSignature } from "../signing/signed-text.js";
import { parseHttpDateMs } from "../signing/time.js";
import type { QueryPairs } from "../signing/types.js";
import { type AnswerVerdict, type Asked, judgeAnswer } from "./answers.js";
import { inWords, type Report } from "./finding.js";
import { ask, type Place, type ProbeAnswer, ProbeError } from "./probe.js";
import type { Question } from "./questions.js";

/** Asks OSS as the routes of a question do, and remembers what it needs to. */
export class Asker {
  readonly #place: Place;
  readonly #question: Question;
  readonly #credentials: OssCredentials | null;
  readonly #signer: HeaderSigner | null;
  /** What OSS's clock says more than ours; `null`: not known yet. */
  skewMs: number | null = null;

  constructor(place: Place, question: Question, credentials: OssCredentials | null) {
    this.#place = place;
    this.#question = question;
    this.#credentials = credentials;
    const { bucket, sign } = question;
    this.#signer =
      sign === null
        ? null
        : new HeaderSigner({
            bucket: bucket.bucket,
            region: bucket.region ?? "",
            product: "oss",
            version: sign.version,
          });
  }

  get canSign(): boolean {
    return this.#signer !== null && this.#credentials !== null;
  }

  /** @throws ProbeError */
  anonymously(method: string, key: string, headers: HeaderList = [], query: QueryPairs = []): Promise<ProbeAnswer> {
    const sent = { method, rawTarget: targetOf(key, query), headers: [...this.#host(), ...headers] };
    return this.#ask(sent);
  }

  /** @throws ProbeError */
  signed(
    method: string,
    key: string,
    query: QueryPairs = [],
    more: HeaderList = [],
  ): Promise<ProbeAnswer & { readonly sent: HeaderList }> {
    const headers = [...this.#host(), ...more];
    const nowMs = Date.now() + correctionOf(this.skewMs);
    const credentials = this.#credentials as OssCredentials;
    const added = (this.#signer as HeaderSigner).sign({ method, key, query, headers, credentials, nowMs });
    const sent = [...headers, ...added];
    const request = { method, rawTarget: targetOf(key, query), headers: sent };
    return this.#ask(request).then((answer) => ({ ...answer, sent }));
  }

  /** Who the gateway is to OSS. */
  asked(isSigned: boolean): Asked {
    const { bucket, keyPrefix } = this.#question;
    return {
      accessKeyId: isSigned ? (this.#credentials?.accessKeyId ?? null) : null,
      hasSecurityToken: this.#credentials?.securityToken !== undefined,
      resource: `${bucket.bucket}/${keyPrefix}`,
    };
  }

  /** Where OSS's string to sign is another than what was sent, somebody on the way changed the request. */
  explain(answer: ProbeAnswer & { readonly sent: HeaderList }, key: string, verdict: AnswerVerdict): Mismatch | null {
    if (verdict.cause !== "signature-mismatch" || verdict.error === null) return null;
    const { bucket, sign, host } = this.#question;
    const reading = { method: "GET", bucket: bucket.bucket, key, query: [], headers: answer.sent };
    const stated = statedSignature(reading, sign?.version === "v1" ? "v1-header" : "v4-header");
    if (stated === null) return null;
    const { elements } = verdict.error;
    return explainMismatch({
      oss: {
        stringToSign: elements.get("StringToSign") ?? "",
        canonicalRequest: elements.get("CanonicalRequest") ?? null,
      },
      stated,
      received: reading,
      sent: reading,
      rawPath: targetOf(key, []),
      hosts: [host],
      credentials: this.#credentials,
    });
  }

  #host(): string[] {
    return ["Host", this.#question.host, "User-Agent", "ossgate-doctor"];
  }

  async #ask(request: Parameters<typeof ask>[1]): Promise<ProbeAnswer> {
    const answer = await ask(this.#place, request);
    const dateMs = parseHttpDateMs(headerValue(answer.headers, "date") ?? "");
    // Dates hold whole seconds.
    if (dateMs !== null) this.skewMs = dateMs + 500 - answer.atMs;
    return answer;
  }
}

function targetOf(key: string, query: QueryPairs): string {
  const path = `/${encodePath(key)}`;
  return query.length === 0 ? path : `${path}?${canonicalQuery(query)}`;
}

const TOLERATED_MS = 60_000;
const MAX_CORRECTION_MS = 86_400_000;

/** As the gateway corrects its own: see `UpstreamClock`. */
function correctionOf(skewMs: number | null): number {
  const distanceMs = Math.abs(skewMs ?? 0);
  return distanceMs > TOLERATED_MS && distanceMs <= MAX_CORRECTION_MS ? (skewMs as number) : 0;
}

/** A key that nobody has. */
export const missingKey = (keyPrefix: string): string => `${keyPrefix}ossgate-doctor-${randomBytes(8).toString("hex")}`;

/**
 * An anonymous and a signed read of an object that does not exist: of all calls the one that needs least rights.
 * @returns whether OSS answered as OSS does, so that further questions make sense
 */
export async function examineReads(report: Report, asker: Asker, question: Question): Promise<boolean> {
  const key = missingKey(question.keyPrefix);
  try {
    const anonymous = await asker.anonymously("GET", key);
    const verdict = judgeAnswer(anonymous, asker.asked(false));
    reportAnonymous(report, question, verdict);
    if (asker.skewMs !== null) reportClock(report, asker.skewMs);
    if (question.sign === null) return isOfOss(verdict);
    if (!asker.canSign) {
      report.skipped("signed request", `there are no credentials ${question.sign.credentials}`);
      return isOfOss(verdict);
    }
    const signed = await asker.signed("GET", key);
    const first = judgeAnswer(signed, asker.asked(true));
    const { level, result, next } = judgeAnswer(signed, asker.asked(true), asker.explain(signed, key, first));
    report.add(level, "signed request", `${question.sign.version}: ${result}`, next);
    return isOfOss(verdict);
  } catch (error) {
    reportFailure(report, "request", error);
    return false;
  }
}

const isOfOss = ({ error, level, cause }: AnswerVerdict): boolean =>
  (level === "ok" || cause === "referer-denied" || cause === "not-permitted") && error !== null;

/** @throws what is no ProbeError */
export function reportFailure(report: Report, check: string, error: unknown): void {
  if (!(error instanceof ProbeError)) throw error;
  const next =
    "The connection stood, and no answer came over it: look at the network path, and for a proxy on the way.";
  report.add("broken", check, `${error.code}: ${error.message}`, next);
}

function reportAnonymous(report: Report, { routes, sign }: Question, verdict: AnswerVerdict): void {
  const { level, result, next, cause, error } = verdict;
  if (cause === "bucket-private") {
    const who = sign === null ? "clients must sign" : "as it should be where the gateway signs";
    report.ok("anonymous request", `${result}: ${who}`);
  } else if (error?.code === "NoSuchKey" && sign !== null) {
    const isOpen = routes.every(({ allow }) => allow?.anyone === true);
    const advice = "Make the bucket private: whoever knows its name reads it at OSS, past the gateway and its rules.";
    report.add(isOpen ? "ok" : "warn", "anonymous request", result, isOpen ? null : advice);
  } else report.add(level, "anonymous request", result, next);
}

const BEYOND_MS = 86_400_000;

function reportClock(report: Report, skewMs: number): void {
  const distanceMs = Math.abs(skewMs);
  const result = `this machine is ${inWords(distanceMs)} ${skewMs > 0 ? "behind" : "ahead of"} OSS`;
  if (distanceMs <= TOLERATED_MS)
    report.ok("clock", `agrees with OSS's within ${inWords(Math.max(1_000, distanceMs))}`);
  else if (distanceMs <= BEYOND_MS) {
    const next =
      "Set this machine's clock (chrony): the gateway signs with OSS's time meanwhile, and links expire by this one.";
    report.add("warn", "clock", result, next);
  } else report.add("broken", "clock", result, "Set this machine's clock: no signature is valid until then.");
}

/** OSS forces nothing on a HEAD. */
const FIRST_BYTE: HeaderList = ["Range", "bytes=0-0"];

const SHOWN = /\.(?:jpe?g|png|gif|webp|svg|bmp|tiff?|html?)$/i;

/** Whether OSS makes browsers download what they should show (oss-semantics §1.4). */
export async function examineForcedDownload(report: Report, asker: Asker, question: Question): Promise<void> {
  const { host, routes, keyPrefix } = question;
  if (parseOssHost(host.replace(/:\d+$/, "").toLowerCase()) === null) {
    report.ok("forced download", `never under a bound domain (${host})`);
    return;
  }
  try {
    const key = await findShown(asker, keyPrefix);
    if (key === null) {
      report.skipped("forced download", "no image or page was found to try it with");
      return;
    }
    const answer = asker.canSign
      ? await asker.signed("GET", key, [], FIRST_BYTE)
      : await asker.anonymously("GET", key, FIRST_BYTE);
    if (answer.status >= 300) report.skipped("forced download", `GET of ${key} was answered ${answer.status}`);
    else if (headerValue(answer.headers, "x-oss-force-download") !== "true")
      report.ok("forced download", `not of ${key}`);
    else if (routes.every(({ preview }) => preview))
      report.ok("forced download", `of ${key}, and preview takes it back`);
    else {
      const next = "Set hostHeader to a domain that is bound to the bucket, or preview: true, and browsers show it.";
      report.add("warn", "forced download", `OSS makes browsers download ${key}`, next);
    }
  } catch (error) {
    reportFailure(report, "forced download", error);
  }
}

const LISTED = 100;

async function findShown(asker: Asker, keyPrefix: string): Promise<string | null> {
  const query: QueryPairs = [
    ["list-type", "2"],
    ["max-keys", String(LISTED)],
    ...(keyPrefix === "" ? [] : [["prefix", keyPrefix] as const]),
  ];
  const answer = asker.canSign ? await asker.signed("GET", "", query) : await asker.anonymously("GET", "", [], query);
  if (answer.status !== 200) return null;
  const keys = [...answer.body.toString("utf8").matchAll(/<Key>([^<]*)<\/Key>/g)].map(([, key = ""]) =>
    unescapeXml(key),
  );
  return keys.find((key) => SHOWN.test(key)) ?? null;
}
