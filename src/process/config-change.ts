import type { Logger } from "../telemetry/log.js";
import type { Crew } from "./crew.js";
import type { ConfigMessage } from "./messages.js";
import type { WorkerHandle } from "./worker-handle.js";

/** How long a worker may take to begin. */
export const BEGIN_LIMIT_MS = 30_000;
/** How long a worker may take to compile another configuration, its first credentials included, and to take it. */
const PREPARE_LIMIT_MS = 15_000;
const COMMIT_LIMIT_MS = 15_000;
/** Nothing depends on it: a worker that is told another configuration forgets the one before by itself. */
const ABORT_LIMIT_MS = 1_000;

/** What the main process does about the change. */
export interface Turn {
  /** This worker is told next. */
  beforeTold(worker: WorkerHandle): void;
  /** All workers are ready. @returns why nothing is to change all the same; `null`: from here on nothing is taken back */
  begin(): string | null;
  /** All workers serve by the other configuration. */
  end(): void;
}

/** Brings workers to another configuration: all of them, or none. */
export class ConfigChange {
  readonly #crew: Crew;
  readonly #log: Logger;
  #telling: Promise<void> | null = null;

  constructor(crew: Crew, log: Logger) {
    this.#crew = crew;
    this.#log = log;
  }

  /** Resolves when no change is under way: a worker that begins in the middle of one gets what comes of it. */
  async settled(): Promise<void> {
    await this.#telling;
  }

  /** @returns why they cannot; then none has changed anything */
  async tell(config: ConfigMessage, turn: Turn): Promise<readonly string[]> {
    // Who has begun was told the configuration of before: it serves before it is told another.
    await this.#crew.settle(BEGIN_LIMIT_MS);
    let settled = () => {};
    this.#telling = new Promise((resolve) => {
      settled = resolve;
    });
    try {
      return await this.#tell(config, turn);
    } finally {
      this.#telling = null;
      settled();
    }
  }

  async #tell(config: ConfigMessage, turn: Turn): Promise<readonly string[]> {
    const workers = this.#crew.serving;
    const answers = await prepareAll(workers, config, turn);
    const refusal = answers.length > 0 ? null : turn.begin();
    const problems = refusal === null ? answers : [refusal];
    if (problems.length > 0) {
      await Promise.all(workers.map((worker) => worker.ask((id) => ({ say: "abort", id }), ABORT_LIMIT_MS)));
      return problems;
    }
    await Promise.all(workers.map((worker) => this.#commit(worker)));
    turn.end();
    return [];
  }

  /** What cannot be taken back: a worker that fails here must not serve on by the configuration of before. */
  async #commit(worker: WorkerHandle): Promise<void> {
    const problem = await worker.ask((id) => ({ say: "commit", id }), COMMIT_LIMIT_MS);
    if (problem === null || !worker.isServing) return;
    const fields = { worker: worker.number, cause: problem };
    this.#log.error(fields, "a worker did not take the configuration, and is replaced");
    worker.kill();
  }
}

async function prepareAll(
  workers: readonly WorkerHandle[],
  config: ConfigMessage,
  turn: Turn,
): Promise<readonly string[]> {
  const answers = await Promise.all(
    workers.map(async (worker) => {
      turn.beforeTold(worker);
      const problem = await worker.ask((id) => ({ say: "prepare", id, config }), PREPARE_LIMIT_MS);
      // One that died meanwhile is replaced by one of the configuration that is served then.
      return worker.isServing ? problem : null;
    }),
  );
  return [...new Set(answers.filter((problem) => problem !== null))];
}
