import type { OssCredentials } from "../core/secret.js";
import { type Clock, SYSTEM_CLOCK } from "./clock.js";
import { CredentialSet } from "./credential-set.js";
import { CredentialsError, type CredentialsProvider, errorCode } from "./provider.js";
import { RecentSets } from "./recent-sets.js";
import { refreshDelayMs, retryDelayMs } from "./refresh-times.js";
import type { CredentialsEvents, CredentialsSource } from "./source.js";

/** Longer waits are cut into pieces, so that a clock that was set or a machine that slept is noticed. */
const LONGEST_TIMER_MS = 60_000;
/** One try, whatever the provider does. */
const ATTEMPT_MS = 30_000;
/** Between a try and one that a refusal of OSS asks for. */
const REFUSED_PAUSE_MS = 5_000;

export interface RefreshingOptions {
  /** The name in the configuration. */
  readonly name: string;
  readonly provider: CredentialsProvider;
  readonly events: CredentialsEvents;
  readonly clock?: Clock;
}

/**
 * Keeps the credentials of one provider fresh: asks again well before they expire, one question at a time; a failed one
 * keeps the last good set until it expires and is repeated after 1 to 60 s. Signing reads a field.
 */
export class RefreshingSource implements CredentialsSource {
  readonly name: string;
  readonly #provider: CredentialsProvider;
  readonly #events: CredentialsEvents;
  readonly #clock: Clock;
  readonly #sets = new RecentSets();
  #started: Promise<void> | null = null;
  #running: AbortController | null = null;
  #endWatch: (() => void) | null = null;
  #timer: unknown = null;
  /** When the next try begins, on the wall clock. */
  #nextAtMs = Number.POSITIVE_INFINITY;
  #lastTryMs = Number.NEGATIVE_INFINITY;
  /** When the set in use was first seen. */
  #sinceMs = 0;
  #failures = 0;
  #changedMeanwhile = false;
  #isClosed = false;

  constructor({ name, provider, events, clock = SYSTEM_CLOCK }: RefreshingOptions) {
    this.name = name;
    this.#provider = provider;
    this.#events = events;
    this.#clock = clock;
  }

  current(nowMs: number): OssCredentials | null {
    return this.#sets.current(nowMs);
  }

  find(accessKeyId: string, nowMs: number): OssCredentials | null {
    return this.#sets.find(accessKeyId, nowMs);
  }

  /** Called again it waits for the same first try. */
  start(): Promise<void> {
    if (this.#isClosed) return Promise.resolve();
    this.#started ??= this.#begin();
    return this.#started;
  }

  noteRefused(accessKeyId: string): void {
    if (this.#isClosed || this.#running !== null || this.#sets.newest?.accessKeyId !== accessKeyId) return;
    const nowMs = this.#clock.nowMs();
    const sinceTryMs = nowMs - this.#lastTryMs;
    // A clock that was set back must not put the refresh off.
    const delayMs = sinceTryMs >= 0 && sinceTryMs < REFUSED_PAUSE_MS ? REFUSED_PAUSE_MS - sinceTryMs : 0;
    if (nowMs + delayMs < this.#nextAtMs) this.#plan(delayMs);
  }

  /** The sets that are known stay known, for the requests that still run. */
  close(): void {
    this.#isClosed = true;
    this.#clock.clearTimer(this.#timer);
    this.#endWatch?.();
    this.#running?.abort(new CredentialsError("closed"));
  }

  async #begin(): Promise<void> {
    this.#endWatch = this.#provider.watch?.(() => this.#onChange()) ?? null;
    await this.#refresh();
  }

  #onChange(): void {
    if (this.#isClosed) return;
    if (this.#running !== null) this.#changedMeanwhile = true;
    else void this.#refresh();
  }

  async #refresh(): Promise<void> {
    if (this.#isClosed || this.#running !== null) return;
    const flight = new AbortController();
    this.#running = flight;
    this.#changedMeanwhile = false;
    this.#clock.clearTimer(this.#timer);
    this.#lastTryMs = this.#clock.nowMs();
    const result = await this.#ask(flight);
    this.#running = null;
    if (this.#isClosed) return;
    if (result instanceof CredentialSet) this.#onSuccess(result);
    else this.#onFailure(result);
    if (this.#changedMeanwhile) this.#plan(0);
  }

  /** One question with an end. An error is a value here, so that no way leads from it to the set in use. */
  async #ask(flight: AbortController): Promise<CredentialSet | { readonly message: string }> {
    const timer = this.#clock.setTimer(
      () => flight.abort(new CredentialsError(`no credentials came within ${ATTEMPT_MS / 1_000} s`)),
      ATTEMPT_MS,
    );
    try {
      const fetched = await unlessAborted(this.#provider.fetch(flight.signal), flight.signal);
      return usable(fetched, this.#clock.nowMs());
    } catch (error) {
      if (error instanceof CredentialsError) return { message: error.message };
      return { message: `credentials could not be had (${errorCode(error)})` };
    } finally {
      this.#clock.clearTimer(timer);
    }
  }

  #onSuccess(set: CredentialSet): void {
    const nowMs = this.#clock.nowMs();
    if (!isSame(set, this.#sets.newest)) this.#sinceMs = nowMs;
    this.#sets.add(set, nowMs);
    this.#failures = 0;
    this.#nextAtMs = Number.POSITIVE_INFINITY;
    const { expiresAtMs } = set;
    if (expiresAtMs !== undefined) {
      this.#plan(refreshDelayMs({ sinceMs: this.#sinceMs, expiresAtMs, nowMs }, this.#clock.random()));
    }
    this.#events.onRefreshed(this.name, expiresAtMs ?? null);
  }

  #onFailure({ message }: { readonly message: string }): void {
    this.#failures += 1;
    this.#plan(retryDelayMs(this.#failures, this.#clock.random()));
    this.#events.onRefreshFailed(this.name, message);
  }

  #plan(delayMs: number): void {
    this.#nextAtMs = this.#clock.nowMs() + delayMs;
    this.#arm(delayMs);
  }

  #arm(delayMs: number): void {
    this.#clock.clearTimer(this.#timer);
    if (this.#isClosed) return;
    const isLastPiece = delayMs <= LONGEST_TIMER_MS;
    this.#timer = this.#clock.setTimer(
      () => (isLastPiece ? void this.#refresh() : this.#arm(this.#nextAtMs - this.#clock.nowMs())),
      Math.min(Math.max(delayMs, 0), LONGEST_TIMER_MS),
    );
  }
}

/** A provider that does not heed its signal must not hold the source for ever. */
function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    promise.then(resolve, reject);
  });
}

/** @throws CredentialsError for a set that cannot sign */
function usable(fetched: OssCredentials, nowMs: number): CredentialSet {
  if (!fetched.accessKeyId || !fetched.accessKeySecret.reveal()) {
    throw new CredentialsError("the credentials that came lack a field");
  }
  const { expiresAtMs } = fetched;
  // `not above`, so that what is no number is refused as well.
  if (expiresAtMs !== undefined && !(expiresAtMs > nowMs)) {
    throw new CredentialsError("the credentials that came have expired already, by the clock of this machine");
  }
  return fetched instanceof CredentialSet ? fetched : new CredentialSet(fetched);
}

function isSame(a: OssCredentials, b: OssCredentials | null): boolean {
  return b !== null && a.accessKeyId === b.accessKeyId && a.expiresAtMs === b.expiresAtMs;
}
