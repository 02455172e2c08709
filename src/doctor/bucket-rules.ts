import type { RouteConfig } from "../config/gateway-config.js";
import { readOssError, unescapeXml } from "../gateway/oss-error.js";
import type { QueryPairs } from "../signing/types.js";
import { judgeAnswer } from "./answers.js";
import { type Asker, missingKey, reportFailure } from "./bucket-requests.js";
import type { Report } from "./finding.js";
import type { Question } from "./questions.js";

/** What is known of one set of the bucket's own rules. */
interface OwnRules {
  /** `null`: it cannot be told. */
  readonly exist: boolean | null;
  readonly words: string;
}

/** The bucket's own CORS and Referer rules, and what becomes of them behind the gateway's. */
export async function examineRules(report: Report, asker: Asker, question: Question): Promise<void> {
  try {
    const cors = await corsRules(asker, question);
    for (const route of question.routes) reportCors(report, route, cors);
    const referer = await refererRules(asker, question);
    for (const route of question.routes) reportReferer(report, route, referer);
  } catch (error) {
    reportFailure(report, "rules", error);
  }
}

async function corsRules(asker: Asker, { routes, keyPrefix }: Question): Promise<OwnRules> {
  const xml = await configuration(asker, "cors");
  if (xml !== null) {
    const count = xml.match(/<CORSRule>/g)?.length ?? 0;
    return { exist: count > 0, words: count === 0 ? "the bucket has none" : `the bucket has ${count}` };
  }
  // Anybody may ask so (oss-semantics §6.3).
  const origins = routes.flatMap(({ cors }) => cors?.rules.flatMap(({ allowedOrigins }) => allowedOrigins) ?? []);
  const origin = origins.find((one) => !one.includes("*")) ?? "https://ossgate-doctor.invalid";
  const headers = ["Origin", origin, "Access-Control-Request-Method", "GET"];
  const answer = await asker.anonymously("OPTIONS", missingKey(keyPrefix), headers);
  if (answer.status === 200) return { exist: true, words: `the bucket allows ${origin} to GET` };
  if (readOssError(answer.headers, answer.body)?.code === "AccessForbidden") {
    return { exist: null, words: `the bucket does not allow ${origin} to GET` };
  }
  return { exist: null, words: `a preflight was answered ${answer.status}` };
}

/** A document of the bucket's; `""`: there is none; `null`: it may not be read, or nobody signs. */
async function configuration(asker: Asker, name: "cors" | "referer"): Promise<string | null> {
  if (!asker.canSign) return null;
  const query: QueryPairs = [[name, null]];
  const answer = await asker.signed("GET", "", query);
  if (answer.status === 200) return answer.body.toString("utf8");
  return answer.status === 404 ? "" : null;
}

function reportCors(report: Report, { name, cors }: RouteConfig, { exist, words }: OwnRules): void {
  const check = "CORS";
  if (cors === null) {
    if (exist === null)
      report.skipped(check, `route ${name} has no rules; those of the bucket may not be read, and ${words}`);
    else report.ok(check, `route ${name} has no rules; ${words}, ${effectOf(exist)}`);
  } else if (exist === true) {
    const next = "Keep one of the two, lest people change the other; 'ossgate import-cors' takes the bucket's over.";
    report.add("warn", check, `${words}, and route ${name} has rules of its own, which alone count here`, next);
  } else report.ok(check, `route ${name} has rules of its own; ${words}`);
}

function effectOf(exist: boolean): string {
  return exist ? "and they are relayed" : "so pages of other origins may not read answers";
}

async function refererRules(asker: Asker, { keyPrefix }: Question): Promise<OwnRules> {
  const xml = await configuration(asker, "referer");
  if (xml !== null) return readRefererRules(xml);
  const foreign = await asker.anonymously("GET", missingKey(keyPrefix), ["Referer", "https://ossgate-doctor.invalid/"]);
  if (judgeAnswer(foreign, asker.asked(false)).cause === "referer-denied") {
    return { exist: true, words: "the bucket refuses Referers that it does not know" };
  }
  const empty = await asker.anonymously("GET", missingKey(keyPrefix));
  if (judgeAnswer(empty, asker.asked(false)).cause === "referer-denied") {
    return { exist: true, words: "the bucket refuses requests without a Referer" };
  }
  return { exist: false, words: "the bucket refuses no Referer that was tried" };
}

/** Without a list nothing is refused, whatever is said of empty ones (oss-semantics §5.2). */
function readRefererRules(xml: string): OwnRules {
  const black = xml.slice(Math.max(0, xml.indexOf("<RefererBlacklist>")));
  const isBlack = xml.includes("<RefererBlacklist>") && black.includes("<Referer>");
  const all = [...xml.matchAll(/<Referer>([^<]*)<\/Referer>/g)].map(([, entry = ""]) => unescapeXml(entry));
  if (all.length === 0) return { exist: false, words: "the bucket has none" };
  return {
    exist: true,
    words: `the bucket has ${isBlack ? "lists" : "a list"} of ${all.length} (${all.slice(0, 3).join(", ")})`,
  };
}

function reportReferer(report: Report, route: RouteConfig, { exist, words }: OwnRules): void {
  const { name, referer, sign } = route;
  const check = "Referer";
  if (exist !== true) {
    report.ok(check, `${words}; route ${name} has ${referer === null ? "none either" : "rules of its own"}`);
  } else if (sign !== null && referer === null) {
    const next =
      "Write them on the route: OSS asks nobody for a Referer whose request is signed in its headers; 'ossgate import-referer' converts them.";
    report.add("warn", check, `${words}, and the signatures of route ${name} switch them off`, next);
  } else if (sign !== null) report.ok(check, `${words}; of route ${name} its own count, for it signs`);
  else if (referer !== null) {
    const next = "Keep one of the two: a request must pass both, and what one list has the other must have as well.";
    report.add("warn", check, `${words}, and route ${name} has rules of its own: both are asked`, next);
  } else report.ok(check, `${words}, and they hold for route ${name}`);
}
