import type { OssCredentials } from "../core/secret.js";

/** Sets that are known together, the current one among them. */
const MOST_SETS = 8;
/** How long a replaced key that does not expire still verifies links. */
const REPLACED_KEY_MS = 15 * 60_000;

interface ReplacedSet {
  readonly credentials: OssCredentials;
  readonly untilMs: number;
}

/** The set in use and the few before it that have not expired. Times in milliseconds since 1970. */
export class RecentSets {
  #current: OssCredentials | null = null;
  /** The newest first. */
  #replaced: readonly ReplacedSet[] = [];

  /** The newest set, expired or not. */
  get newest(): OssCredentials | null {
    return this.#current;
  }

  /** The set to sign with; `null` when there is none or it has expired. */
  current(nowMs: number): OssCredentials | null {
    const current = this.#current;
    return current !== null && isAlive(current, nowMs) ? current : null;
  }

  find(accessKeyId: string, nowMs: number): OssCredentials | null {
    const current = this.current(nowMs);
    if (current?.accessKeyId === accessKeyId) return current;
    const found = this.#replaced.find(({ credentials }) => credentials.accessKeyId === accessKeyId);
    return found !== undefined && found.untilMs > nowMs ? found.credentials : null;
  }

  /** Takes a new set into use. Of two with the same id the newer one counts. */
  add(next: OssCredentials, nowMs: number): void {
    const before = this.#current;
    const all = before === null ? this.#replaced : [replaced(before, nowMs), ...this.#replaced];
    this.#replaced = all
      .filter(({ credentials, untilMs }) => untilMs > nowMs && credentials.accessKeyId !== next.accessKeyId)
      .slice(0, MOST_SETS - 1);
    this.#current = next;
  }
}

function replaced(credentials: OssCredentials, nowMs: number): ReplacedSet {
  return { credentials, untilMs: credentials.expiresAtMs ?? nowMs + REPLACED_KEY_MS };
}

function isAlive({ expiresAtMs }: OssCredentials, nowMs: number): boolean {
  return expiresAtMs === undefined || expiresAtMs > nowMs;
}
