import { parseOssHost } from "../config/oss-host.js";
import { type HeaderList, headerValue } from "../core/headers.js";
import { type OssError, readOssError } from "../gateway/oss-error.js";
import { causeOfAnswer, nextOfRefusal, type RefusalCause } from "../gateway/refused-by-oss.js";
import type { Mismatch } from "../signing/mismatch-causes.js";
import { parseHttpDateMs } from "../signing/time.js";
import type { Level } from "./finding.js";
import type { ProbeAnswer } from "./probe.js";

/** Who asked for an object that does not exist. */
export interface Asked {
  /** `null`: nobody, the request was not signed. */
  readonly accessKeyId: string | null;
  readonly hasSecurityToken: boolean;
  /** `bucket/prefix`, for sentences about rights. */
  readonly resource: string;
}

export interface AnswerVerdict {
  readonly level: Level;
  readonly result: string;
  readonly next: string | null;
  /** What OSS refused it for; `null`: nothing. */
  readonly cause: RefusalCause | null;
  readonly error: OssError | null;
}

/** What OSS's answer to a read of an object that does not exist says (oss-semantics §1.3, §2.6, §7.2). */
export function judgeAnswer(answer: ProbeAnswer, asked: Asked, mismatch: Mismatch | null = null): AnswerVerdict {
  const { status, headers } = answer;
  const error = readOssError(headers, answer.body);
  const plain = { cause: null, error } as const;
  if (headerValue(headers, "x-oss-request-id") === undefined) return { ...plain, ...notOss(status, headers) };
  const isSigned = asked.accessKeyId !== null;
  if (status < 300) return { ...plain, level: "ok", result: `${status}`, next: null };
  if (error?.code === "NoSuchKey") {
    const result = isSigned
      ? "NoSuchKey for an object that does not exist: the signature is good, and the key may read"
      : "NoSuchKey for an object that does not exist: anybody may read the bucket";
    return { ...plain, level: "ok", result, next: null };
  }
  if (error?.code === "NoSuchBucket" || error?.code === "InvalidBucketName") {
    const next = "Check the bucket's name, and whether it still exists; names are of one region each.";
    return { ...plain, level: "broken", result: `${error.code}: there is no such bucket`, next };
  }
  if (status === 429 || status >= 500) {
    const next = "Ask again later; if it lasts, ask the vendor's support.";
    return {
      ...plain,
      level: "warn",
      result: `${status} ${error?.code ?? ""}: OSS is throttling or has a fault`,
      next,
    };
  }
  return refused(answer, { asked, error, mismatch });
}

/** Something else answered: an NGINX in the way, a captive portal, a wrong endpoint. */
function notOss(status: number, headers: HeaderList): Pick<AnswerVerdict, "level" | "result" | "next"> {
  const server = headerValue(headers, "server") ?? "no name";
  return {
    level: "broken",
    result: `${status} from something that is not OSS (Server: ${server})`,
    next: "Check the endpoint and its port, and look for a proxy on the way.",
  };
}

interface Refused {
  readonly asked: Asked;
  readonly error: OssError | null;
  readonly mismatch: Mismatch | null;
}

function refused({ status, headers, atMs }: ProbeAnswer, { asked, error, mismatch }: Refused): AnswerVerdict {
  const isSigned = asked.accessKeyId !== null;
  const facts = { isSigned, accessKeyId: asked.accessKeyId ?? "", hasSecurityToken: asked.hasSecurityToken };
  const answered = error === null ? null : causeOfAnswer(status, error, facts);
  const cause = mismatch?.cause ?? answered;
  const said = `${error?.code ?? status}${cause === null ? "" : ` (${cause})`}`;
  if (cause === "bucket-private") {
    return { level: "ok", result: "AccessDenied: the bucket is private", next: null, cause, error };
  }
  if (cause === "not-permitted") {
    const result = `${said}: the signature is good, and the key may not read ${asked.resource}*`;
    const next = `Grant oss:GetObject on acs:oss:*:*:${asked.resource}* to the key's user or role; missing keys are answered 403 without it.`;
    return { level: "broken", result, next, cause, error };
  }
  const endpoint = error?.elements.get("Endpoint") ?? null;
  const region = endpoint === null ? null : (parseOssHost(endpoint.toLowerCase())?.region ?? null);
  const dateMs = parseHttpDateMs(headerValue(headers, "date") ?? "");
  const next =
    cause === null
      ? "Look the code up in the vendor's error reference."
      : nextOfRefusal({
          cause,
          mismatch,
          isOwnSignature: isSigned,
          endpoint,
          skewSeconds: dateMs === null ? null : Math.round((dateMs - atMs) / 1_000),
        });
  const where = region === null ? "" : `: the bucket is in ${region}`;
  return { level: "broken", result: said + where, next, cause, error };
}
