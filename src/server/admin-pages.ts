import { type AdminAnswer, jsonAnswer, textAnswer } from "./admin-answer.js";
import type { Asked } from "./admin-asked.js";
import { answerConfig } from "./admin-config.js";
import { answerExplain } from "./admin-explain.js";
import { type GuardedPage, mayReadAll } from "./admin-guard.js";
import { gzipFor } from "./admin-gzip.js";
import type { ReloadOutcome } from "./admin-source.js";
import { STATUS_PARTS } from "./status/status-page.js";

export interface AdminPage extends GuardedPage {
  readonly methods: readonly string[];
  /** In a few words, for who asks for a page that is not there; absent: part of another. */
  readonly about?: string;
  answer(asked: Asked): Promise<AdminAnswer> | AdminAnswer;
}

const READ = ["GET", "HEAD"];
const POST = ["POST"];

/** The pages by their path. */
export const PAGES: ReadonlyMap<string, AdminPage> = new Map<string, AdminPage>([
  ["/healthz", { access: "open", methods: READ, about: "whether it is alive", answer: () => textAnswer(200, "ok") }],
  ["/readyz", { access: "open", methods: READ, about: "whether it can serve, or why not", answer: answerReady }],
  ["/metrics", { access: "read", methods: READ, about: "for Prometheus", answer: answerMetrics }],
  [
    "/status",
    {
      access: "read",
      methods: READ,
      isDocument: true,
      about: "for people, in a browser",
      answer: ({ status }) => status.document(),
    },
  ],
  [
    "/status.json",
    { access: "read", methods: READ, answer: ({ status, source, rawQuery }) => status.data(source, rawQuery) },
  ],
  ...STATUS_PARTS.map((name): [string, AdminPage] => [
    `/status/${name}`,
    { access: "read", methods: READ, answer: ({ status }) => status.asset(name) },
  ]),
  [
    "/config",
    { access: "read", methods: READ, about: "the configuration as it is served (?format=yaml)", answer: answerConfig },
  ],
  [
    "/routes/explain",
    { access: "read", methods: READ, about: "what would become of a request (?url=…)", answer: answerExplain },
  ],
  [
    "/tops",
    {
      access: "read",
      methods: READ,
      about: "what is refused most",
      answer: ({ source }) => jsonAnswer(200, source.tops()),
    },
  ],
  [
    "/reload",
    {
      access: "change",
      methods: POST,
      about: "POST: read the configuration again",
      answer: async ({ source }) => outcomeAnswer(await source.reload()),
    },
  ],
  [
    "/upgrade",
    {
      access: "change",
      methods: POST,
      about: "POST: replace the workers by those of the program on disk",
      answer: async ({ source }) => outcomeAnswer(await source.upgrade()),
    },
  ],
]);

/** What there is, in words. */
export function listOfPages(hasIssuer: boolean): string {
  const lines = [...PAGES].flatMap(([path, { about }]) => (about === undefined ? [] : [`${path.padEnd(16)} ${about}`]));
  if (hasIssuer) lines.push("/sign, /policy   POST: links, presigned URLs and upload forms");
  return `There is no such page. Here are:\n\n${lines.join("\n")}\n`;
}

async function answerReady({ req, source, guard }: Asked): Promise<AdminAnswer> {
  const { state } = source;
  const { workersServing, workersWanted, isDraining } = state;
  const problems = isDraining ? ["shutting down"] : [...(await source.problems())];
  if (!isDraining && workersServing === 0) problems.push("no worker serves");
  const isReady = problems.length === 0;
  // Strangers need not know what is wrong.
  if (!mayReadAll(req, guard)) return textAnswer(isReady ? 200 : 503, isReady ? "ready" : "not ready");
  if (!isReady) return textAnswer(503, problems.join("\n"));
  const isShort = workersServing < workersWanted;
  return textAnswer(200, isShort ? `ready\n${workersServing} of ${workersWanted} workers serve` : "ready");
}

async function answerMetrics({ req, source }: Asked): Promise<AdminAnswer> {
  const { contentType, body } = await source.metrics();
  return gzipFor(req.headers["accept-encoding"], { status: 200, body, contentType });
}

/** 200, or 422 when nothing was changed. */
function outcomeAnswer(outcome: ReloadOutcome): AdminAnswer {
  return jsonAnswer(outcome.ok ? 200 : 422, outcome);
}
