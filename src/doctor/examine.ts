import type { BucketConfig, GatewayConfig } from "../config/gateway-config.js";
import type { OssCredentials } from "../core/secret.js";
import { examineNetwork } from "./bucket-network.js";
import { Asker, examineForcedDownload, examineReads } from "./bucket-requests.js";
import { examineRules } from "./bucket-rules.js";
import { examineCredentials, type FetchedCredentials } from "./credentials.js";
import { examineFiles } from "./files.js";
import { type Finding, Report } from "./finding.js";
import { examineListeners } from "./listeners.js";
import { examineMachine } from "./machine.js";
import { type Question, questionsOf, usesBucket } from "./questions.js";
import { examineServices } from "./services.js";
import { inTurns, within } from "./within.js";

export interface ExamineOptions {
  /** Of each step: a look-up, a connection, a request. */
  readonly timeoutMs: number;
  /** Told what is looked at next, in a few words. */
  readonly onProgress?: (what: string) => void;
}

/** Buckets that are examined at once. */
const AT_ONCE = 4;
/** Steps that a bucket may take with every one of them slow. */
const STEPS_PER_BUCKET = 12;

/**
 * Looks at all that the configuration needs, from this machine: the machine, files, credentials, listeners, services,
 * and each bucket as its routes use it. Nothing is changed anywhere.
 */
export async function examine(
  config: GatewayConfig,
  { timeoutMs, onProgress }: ExamineOptions,
): Promise<readonly Finding[]> {
  onProgress?.("this machine, files and listeners");
  const [files, listeners] = await Promise.all([examineFiles(config, Date.now()), examineListeners(config, timeoutMs)]);
  onProgress?.("credentials and services");
  const [credentials, services] = await Promise.all([
    examineCredentials(config, timeoutMs),
    examineServices(config, timeoutMs),
  ]);
  try {
    const buckets = [...config.buckets.values()];
    let done = 0;
    const tasks = buckets.map((bucket) => async () => {
      done += 1;
      onProgress?.(`bucket ${bucket.alias} (${done} of ${buckets.length})`);
      return examineInTime(config, bucket, { credentials, timeoutMs });
    });
    const reports = await inTurns(tasks, AT_ONCE);
    return bySubject([
      ...examineMachine(config).findings,
      ...[...files, ...listeners, ...services, ...credentials.reports, ...reports.flat()].flatMap(
        ({ findings }) => findings,
      ),
    ]);
  } finally {
    credentials.close();
  }
}

/** What concerns one thing stands together, wherever it was found. */
function bySubject(findings: readonly Finding[]): readonly Finding[] {
  const subjects = [...new Set(findings.map(({ subject }) => subject))];
  return subjects.flatMap((wanted) => findings.filter(({ subject }) => subject === wanted));
}

interface BucketOptions {
  readonly credentials: FetchedCredentials;
  readonly timeoutMs: number;
}

async function examineInTime(
  config: GatewayConfig,
  bucket: BucketConfig,
  options: BucketOptions,
): Promise<readonly Report[]> {
  const reports = [new Report(`bucket ${bucket.alias}`)];
  const task = examineBucket(config, { bucket, reports, ...options });
  const limitMs = STEPS_PER_BUCKET * options.timeoutMs;
  if (!(await within(task, limitMs))) {
    reports[0]?.add(
      "broken",
      "time",
      `not done after ${limitMs} ms`,
      "Look at what is slow above; --timeout gives each step more.",
    );
    return reports;
  }
  await task;
  return reports;
}

interface BucketTask extends BucketOptions {
  readonly bucket: BucketConfig;
  /** The bucket's own; those of its routes are added. */
  readonly reports: Report[];
}

async function examineBucket(
  config: GatewayConfig,
  { bucket, reports, credentials, timeoutMs }: BucketTask,
): Promise<void> {
  const [own] = reports as [Report];
  const questions = questionsOf(config, bucket);
  const place = await examineNetwork(own, bucket, timeoutMs);
  if (!config.routes.some((route) => usesBucket(route, bucket.alias))) own.skipped("requests", "no route uses it");
  for (const question of questions) {
    const report = new Report(subjectOf(question));
    reports.push(report);
    if (place === null) {
      report.skipped("requests", `nothing can be asked of bucket ${bucket.alias}`);
      continue;
    }
    const asker = new Asker(place, question, currentOf(credentials, question));
    if (!(await examineReads(report, asker, question))) continue;
    await examineForcedDownload(report, asker, question);
    await examineRules(report, asker, question);
  }
}

function subjectOf({ routes, bucket, host }: Question): string {
  const names = routes.map(({ name }) => name);
  const shown = names.length > 3 ? `${names.slice(0, 3).join(", ")} and ${names.length - 3} more` : names.join(", ");
  return `route ${shown} → ${bucket.alias} (${host})`;
}

function currentOf({ sources }: FetchedCredentials, { sign }: Question): OssCredentials | null {
  return sign === null ? null : (sources.get(sign.credentials)?.current(Date.now()) ?? null);
}

/** The configuration as far as one route needs it; `null`: there is no such route. */
export function onlyRoute(config: GatewayConfig, name: string): GatewayConfig | null {
  const routes = config.routes.filter((route) => route.name === name);
  if (routes.length === 0) return null;
  const buckets = [...config.buckets].filter(([alias]) => routes.some((route) => usesBucket(route, alias)));
  const wanted = new Set(routes.flatMap(({ sign }) => (sign === null ? [] : [sign.credentials])));
  for (const from of wanted) {
    const source = config.credentials.get(from);
    if (source?.type === "assumeRole") wanted.add(source.from);
  }
  const credentials = [...config.credentials].filter(([credentialsName]) => wanted.has(credentialsName));
  return { ...config, routes, buckets: new Map(buckets), credentials: new Map(credentials) };
}
