import type { EventNames, QosType, QuotaScope } from "./throttling-events.js";
import type { ThrottlingWindow } from "./throttling-window.js";

/** What is known of one bucket's or account's thresholds. */
export class QuotaStats {
  readonly scope: QuotaScope;
  readonly name: string;
  /** How often each event was told, from the first of them on. */
  readonly events = new Map<string, number>();
  /** The thresholds that are watched now. */
  readonly windows = new Map<QosType, ThrottlingWindow>();

  constructor(scope: QuotaScope, name: string) {
    this.scope = scope;
    this.name = name;
  }

  /** Both events are shown from the start, with 0, so that an increase can be seen. */
  watch(qos: QosType, window: ThrottlingWindow, names: EventNames): void {
    this.windows.set(qos, window);
    for (const name of [names.throttle, names.alert]) if (!this.events.has(name)) this.events.set(name, 0);
  }

  countEvent(name: string): void {
    this.events.set(name, (this.events.get(name) ?? 0) + 1);
  }
}
