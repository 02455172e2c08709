import { parseHttpDateMs } from "../signing/time.js";

/** A difference that OSS would not mind is none: it allows 15 minutes, and signatures hold whole seconds. */
const TOLERATED_MS = 60_000;

/** No clock is so wrong by mistake; whoever says so must not make what has long expired valid again. */
const MAX_CORRECTION_MS = 24 * 3_600_000;

/** `beyond`: too far to be believed, so nothing is corrected. */
export type ClockState = "agrees" | "corrected" | "beyond";

/**
 * What OSS's clock says of ours, by the `Date` of its answers: a gateway whose clock is wrong by more than a minute
 * signs with OSS's time (oss-semantics §2.5), up to a day's difference.
 */
export class UpstreamClock {
  readonly #onChange: (skewMs: number, state: ClockState) => void;
  #isBeyond = false;
  #lastDate = "";
  #skewMs = 0;
  #offsetMs = 0;

  /** @param onChange told when the state changes, and when the correction does by more than a minute */
  constructor(onChange: (skewMs: number, state: ClockState) => void) {
    this.#onChange = onChange;
  }

  /** OSS's clock less ours, as last seen, in milliseconds; `null` before the first answer. */
  get skewMs(): number | null {
    return this.#lastDate === "" ? null : this.#skewMs;
  }

  /** What our time is corrected by, in milliseconds. */
  get offsetMs(): number {
    return this.#offsetMs;
  }

  /** OSS's time, which is signed with. @param nowMs ours, Unix milliseconds */
  at(nowMs: number): number {
    return nowMs + this.#offsetMs;
  }

  /**
   * Takes the `Date` of an answer.
   * @param date in RFC 1123's form; anything else is none
   * @param nowMs our time when it arrived
   */
  observe(date: string, nowMs: number): void {
    // Dates change once a second, answers come by the thousand.
    if (date === this.#lastDate) return;
    const upstreamMs = parseHttpDateMs(date);
    if (upstreamMs === null) return;
    this.#lastDate = date;
    this.#skewMs = upstreamMs - nowMs;
    const distanceMs = Math.abs(this.#skewMs);
    const offsetMs = distanceMs > TOLERATED_MS && distanceMs <= MAX_CORRECTION_MS ? this.#skewMs : 0;
    const isSame = Math.abs(offsetMs - this.#offsetMs) <= TOLERATED_MS && (offsetMs === 0) === (this.#offsetMs === 0);
    const isBeyond = distanceMs > MAX_CORRECTION_MS;
    if (isSame && isBeyond === this.#isBeyond) return;
    this.#offsetMs = offsetMs;
    this.#isBeyond = isBeyond;
    if (isBeyond) this.#onChange(this.#skewMs, "beyond");
    else this.#onChange(this.#skewMs, offsetMs === 0 ? "agrees" : "corrected");
  }
}
