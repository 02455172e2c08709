import type { AccessEntry } from "./access-entry.js";
import { type Mask, maskTarget } from "./mask.js";

/** What went wrong with one request, or with several of the same kind one soon after the other. Plain, for it travels. */
export interface RecentEvent {
  /** Unix milliseconds of the first and of the last. */
  readonly firstMs: number;
  readonly lastMs: number;
  /** How many requests. */
  readonly count: number;
  /** `-`: no route took it. */
  readonly route: string;
  /** The gateway's own code, `OSS` where OSS refused or failed. */
  readonly code: string;
  readonly status: number;
  /** The latest that was looked at; what clients wrote is cut, and masked like the log. */
  readonly sample: EventSample;
}

export interface EventSample {
  readonly requestId: string;
  readonly client: string;
  readonly method: string;
  readonly host: string;
  readonly target: string;
  readonly bucket: string | null;
  /** One sentence. */
  readonly detail: string;
  readonly ossRequestId: string | null;
  readonly ossEc: string | null;
}

/** Requests of one route and code this soon after the first of them are one event. */
const TOGETHER_MS = 10_000;
/** How often the sample of an event is renewed. */
const SAMPLE_MS = 1_000;
/** Of one route and code, and of all: a flood pushes out nothing but itself. */
const MAX_OF_KIND = 5;
const MAX_EVENTS = 200;
const MAX_CHARACTERS = 512;

/** Clients that leave are no news for an operator. */
const NO_NEWS: ReadonlySet<string> = new Set(["CLIENT_GONE"]);
const FORBIDDEN = 403;

/** One kind: a route and a code. */
interface Kind {
  /** Oldest first. */
  readonly events: OpenEvent[];
  sampledMs: number;
}

type OpenEvent = { -readonly [Name in keyof RecentEvent]: RecentEvent[Name] } & {
  /** Counted since {@link RecentEvents.take} was called last. */
  untold: number;
};

/**
 * The last refusals and errors, for people: bounded, whatever clients do. Costs two look-ups per refusal in a flood; a
 * sample of each kind is kept at most once a second.
 */
export class RecentEvents {
  readonly #kinds = new Map<string, Map<string, Kind>>();
  #size = 0;

  /**
   * Notes how a request ended, if it is worth telling.
   * @param atMs Unix milliseconds; absent: now
   * @param mask for its target, which the log may be told to show
   */
  note(entry: AccessEntry, atMs?: number, mask: Mask = maskTarget): void {
    const { status, route } = entry;
    const code = entry.error ?? (status >= 500 || status === FORBIDDEN ? "OSS" : null);
    if (code === null || NO_NEWS.has(code)) return;
    const nowMs = atMs ?? Date.now();
    const kind = this.#kind(route, code);
    const last = kind.events.at(-1);
    if (last !== undefined && isTogether(last, nowMs)) {
      last.count += 1;
      last.untold += 1;
      last.lastMs = Math.max(last.lastMs, nowMs);
      if (nowMs - kind.sampledMs < SAMPLE_MS) return;
      last.sample = sampleOf(entry, mask);
      last.status = status;
    } else {
      const sample = sampleOf(entry, mask);
      this.#open(kind, { firstMs: nowMs, lastMs: nowMs, count: 1, route, code, status, sample, untold: 1 });
    }
    kind.sampledMs = nowMs;
  }

  /** What was noted since this was called last, to be {@link add}ed elsewhere; counts are of that time alone. */
  take(): readonly RecentEvent[] {
    const taken: RecentEvent[] = [];
    for (const event of this.#all()) {
      if (event.untold === 0) continue;
      const { untold, ...rest } = event;
      taken.push({ ...rest, count: untold });
      event.untold = 0;
    }
    return taken;
  }

  /** Joins what another process has noted. */
  add(events: readonly RecentEvent[]): void {
    for (const event of events) {
      const kind = this.#kind(event.route, event.code);
      const last = kind.events.at(-1);
      if (last !== undefined && isTogether(last, event.lastMs)) {
        last.count += event.count;
        last.untold += event.count;
        if (event.lastMs >= last.lastMs) {
          last.sample = event.sample;
          last.status = event.status;
          last.lastMs = event.lastMs;
        }
      } else this.#open(kind, { ...event, untold: event.count });
    }
  }

  /** The last `limit` events, the latest first. */
  latest(limit: number): readonly RecentEvent[] {
    const events = [...this.#all()].sort((a, b) => b.lastMs - a.lastMs).slice(0, limit);
    return events.map(({ untold: _, ...event }) => event);
  }

  #kind(route: string, code: string): Kind {
    let codes = this.#kinds.get(route);
    if (codes === undefined) {
      codes = new Map();
      this.#kinds.set(route, codes);
    }
    let kind = codes.get(code);
    if (kind === undefined) {
      kind = { events: [], sampledMs: Number.NEGATIVE_INFINITY };
      codes.set(code, kind);
    }
    return kind;
  }

  #open(kind: Kind, event: OpenEvent): void {
    kind.events.push(event);
    this.#size += 1;
    if (kind.events.length > MAX_OF_KIND) this.#dropFirst(kind);
    if (this.#size > MAX_EVENTS) this.#dropOne();
  }

  /** Of the kinds with most events the one that is silent for longest loses its oldest. */
  #dropOne(): void {
    let worst: Kind | null = null;
    for (const codes of this.#kinds.values()) {
      for (const kind of codes.values()) if (worst === null || isMoreDispensable(kind, worst)) worst = kind;
    }
    if (worst !== null) this.#dropFirst(worst);
    this.#forgetEmpty();
  }

  #dropFirst(kind: Kind): void {
    kind.events.shift();
    this.#size -= 1;
  }

  /** Routes come and go with configurations. */
  #forgetEmpty(): void {
    for (const [route, codes] of this.#kinds) {
      for (const [code, { events }] of codes) if (events.length === 0) codes.delete(code);
      if (codes.size === 0) this.#kinds.delete(route);
    }
  }

  *#all(): Generator<OpenEvent> {
    for (const codes of this.#kinds.values()) for (const { events } of codes.values()) yield* events;
  }
}

/** Clocks of processes may differ a little, and go back. */
function isTogether(event: OpenEvent, nowMs: number): boolean {
  return Math.abs(nowMs - event.firstMs) < TOGETHER_MS;
}

function isMoreDispensable(a: Kind, b: Kind): boolean {
  if (a.events.length !== b.events.length) return a.events.length > b.events.length;
  return (a.events.at(-1)?.lastMs ?? 0) < (b.events.at(-1)?.lastMs ?? 0);
}

function sampleOf(entry: AccessEntry, mask: Mask): EventSample {
  return {
    requestId: entry.requestId,
    client: entry.client,
    method: cut(entry.method),
    host: cut(entry.host),
    target: cut(mask(entry.target)),
    bucket: entry.bucket ?? null,
    detail: cut(entry.detail ?? whatOssSaid(entry)),
    ossRequestId: entry.ossRequestId ?? null,
    ossEc: entry.ossEc ?? null,
  };
}

function whatOssSaid({ status, ossEc }: AccessEntry): string {
  const which = ossEc === undefined ? "" : ` (EC ${ossEc})`;
  return status === FORBIDDEN ? `OSS refused the request${which}.` : `OSS answered ${status}${which}.`;
}

/** Copied, so that a short piece does not hold a long text. */
function cut(text: string): string {
  if (text.length <= MAX_CHARACTERS) return text;
  return `${Buffer.from(text.slice(0, MAX_CHARACTERS - 1)).toString()}…`;
}
