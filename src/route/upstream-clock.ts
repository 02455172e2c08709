/** A difference that OSS would not mind is none: it allows 15 minutes, and signatures hold whole seconds. */
const TOLERATED_MS = 60_000;

/** `Wed, 01 Jan 2025 00:00:00 GMT`: anything longer is no date. */
const MAX_DATE_LENGTH = 40;

/**
 * What OSS's clock says of ours, by the `Date` of its answers: a gateway whose clock is wrong by more than a minute
 * signs with OSS's time (oss-semantics §2.5).
 */
export class UpstreamClock {
  readonly #onChange: (skewMs: number, isCorrecting: boolean) => void;
  #lastDate = "";
  #skewMs = 0;
  #offsetMs = 0;

  /** @param onChange told when correction begins, ends, or changes by more than a minute */
  constructor(onChange: (skewMs: number, isCorrecting: boolean) => void) {
    this.#onChange = onChange;
  }

  /** OSS's clock less ours, as last seen, in milliseconds; `null` before the first answer. */
  get skewMs(): number | null {
    return this.#lastDate === "" ? null : this.#skewMs;
  }

  /** The time to sign with. @param nowMs ours, Unix milliseconds */
  at(nowMs: number): number {
    return nowMs + this.#offsetMs;
  }

  /**
   * Takes the `Date` of an answer.
   * @param nowMs our time when it arrived
   * @returns whether the time to sign with has changed
   */
  observe(date: string, nowMs: number): boolean {
    // Dates change once a second, answers come by the thousand.
    if (date === this.#lastDate || date.length > MAX_DATE_LENGTH) return false;
    const upstreamMs = Date.parse(date);
    if (Number.isNaN(upstreamMs)) return false;
    this.#lastDate = date;
    this.#skewMs = upstreamMs - nowMs;
    const offsetMs = Math.abs(this.#skewMs) > TOLERATED_MS ? this.#skewMs : 0;
    if (Math.abs(offsetMs - this.#offsetMs) <= TOLERATED_MS && (offsetMs === 0) === (this.#offsetMs === 0))
      return false;
    this.#offsetMs = offsetMs;
    this.#onChange(this.#skewMs, offsetMs !== 0);
    return true;
  }
}
