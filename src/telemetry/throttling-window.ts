/** How many full seconds are remembered: OSS looks at the last 60 for throttling, at the last 600 for its alert. */
const REMEMBERED_S = 600;
const THROTTLE_WINDOW_S = 60;
/** Of the 60 seconds so many over the threshold make the event (oss-semantics §12.2). */
const THROTTLE_OVER_S = 30;
const ALERT_SHARE = 0.8;
/** What adds up to just the threshold is not over it, however it was rounded. */
const ROUNDING = 1 + 1e-9;

/**
 * What passed in each of the last seconds, measured by a threshold as OSS does (oss-semantics §12.2). The seconds are
 * the window's own; what passed between two samples is laid evenly over the time between them, so a sample that comes
 * late makes no peak. Pure: the time is passed in.
 */
export class ThrottlingWindow {
  readonly threshold: number;
  readonly #alertThreshold: number;
  readonly #perSecond = new Float64Array(REMEMBERED_S);
  /** Full seconds so far; the second `s` is at `s % REMEMBERED_S`. */
  #fullSeconds = 0;
  /** Of the second that is not over yet. */
  #partialS = 0;
  #partialSum = 0;
  #lastMs: number;
  #lastTotal: number;
  #overThreshold = 0;
  #overAlert = 0;

  /**
   * @param threshold per second: requests or bytes
   * @param total what was counted until now
   * @param nowMs monotonic milliseconds
   */
  constructor(threshold: number, total: number, nowMs: number) {
    this.threshold = threshold;
    this.#alertThreshold = threshold * ALERT_SHARE;
    this.#lastTotal = total;
    this.#lastMs = nowMs;
  }

  /** Takes a counter's value; a time or a value that goes back counts as no time, or nothing, passed. */
  sample(total: number, nowMs: number): void {
    const passedS = Math.max(0, nowMs - this.#lastMs) / 1_000;
    const amount = Math.max(0, total - this.#lastTotal);
    this.#lastMs = nowMs;
    this.#lastTotal = total;
    if (passedS === 0) this.#partialSum += amount;
    else this.#spread(amount / passedS, passedS);
  }

  #spread(rate: number, passedS: number): void {
    // After a longer pause all that is remembered is the pause.
    let leftS = Math.min(passedS, REMEMBERED_S + 1);
    while (this.#partialS + leftS >= 1) {
      const neededS = 1 - this.#partialS;
      this.#push(this.#partialSum + rate * neededS);
      leftS -= neededS;
      this.#partialS = 0;
      this.#partialSum = 0;
    }
    this.#partialS += leftS;
    this.#partialSum += rate * leftS;
  }

  #push(amount: number): void {
    if (isOver(this.#ago(REMEMBERED_S), this.#alertThreshold)) this.#overAlert -= 1;
    if (isOver(this.#ago(THROTTLE_WINDOW_S), this.threshold)) this.#overThreshold -= 1;
    this.#perSecond[this.#fullSeconds % REMEMBERED_S] = amount;
    this.#fullSeconds += 1;
    if (isOver(amount, this.#alertThreshold)) this.#overAlert += 1;
    if (isOver(amount, this.threshold)) this.#overThreshold += 1;
  }

  /** What passed in a full second, 0 before the first; 1 is the last one. */
  #ago(seconds: number): number {
    return this.#perSecond[(this.#fullSeconds - seconds + REMEMBERED_S) % REMEMBERED_S] as number;
  }

  /** 30 s of the last 60 were over the threshold. */
  get isThrottled(): boolean {
    return this.#overThreshold >= THROTTLE_OVER_S;
  }

  /** A second of the last 600 was over 0.8 of the threshold. */
  get isAlert(): boolean {
    return this.#overAlert >= 1;
  }

  /** The busiest of the last 60 s, as a share of the threshold. */
  get usageRatio(): number {
    let peak = 0;
    for (let seconds = 1; seconds <= THROTTLE_WINDOW_S; seconds += 1) peak = Math.max(peak, this.#ago(seconds));
    return peak / this.threshold;
  }

  /** AvgSeverity of the throttling event: of the seconds over the threshold in the last 60. */
  throttleSeverity(): number {
    return this.#severity(THROTTLE_WINDOW_S, this.threshold);
  }

  /** AvgSeverity of the alert: of the seconds over 0.8 of the threshold in the last 600. */
  alertSeverity(): number {
    return this.#severity(REMEMBERED_S, this.#alertThreshold);
  }

  /** The mean of (1 − T ⁄ observed) · 100 over the seconds above `over`; below T that is 0, since OSS delays nothing. */
  #severity(windowS: number, over: number): number {
    let count = 0;
    let sum = 0;
    for (let seconds = 1; seconds <= windowS; seconds += 1) {
      const observed = this.#ago(seconds);
      if (!isOver(observed, over)) continue;
      count += 1;
      sum += Math.max(0, 1 - this.threshold / observed) * 100;
    }
    return count === 0 ? 0 : Math.round(sum / count);
  }
}

function isOver(amount: number, threshold: number): boolean {
  return amount > threshold * ROUNDING;
}
