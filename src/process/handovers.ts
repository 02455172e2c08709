import { isDeepStrictEqual } from "node:util";
import type { Logger } from "../telemetry/log.js";
import type { Others } from "./balance.js";
import { partOf } from "./divided.js";
import { Paced } from "./paced.js";
import type { TcpHandle } from "./tcp-handle.js";

/** A connection that came in by this door. */
export interface Gift {
  readonly door: string;
  readonly handle: TcpHandle;
  /** Nobody has room, as far as is known: who gets it refuses it where it has none either. */
  readonly isLast: boolean;
  /** Told once whether it was taken; a taker that dies before has not. */
  onEnd(isTaken: boolean): void;
}

/** Who may take a connection that another worker has passed on. */
export interface Taker {
  readonly isServing: boolean;
  /** From 1; of those that serve each has another. */
  readonly number: number;
  /** Connections that it has, as it told last. */
  readonly open: number;
  /** Connections that it was given and has not taken yet. */
  readonly untaken: number;
  /** It has not taken in time what it was given, and has not said so yet. */
  readonly isSlow: boolean;
  give(gift: Gift): void;
  tellOthers(others: Others): void;
}

/** A connection that no worker has. */
interface Homeless {
  readonly door: string;
  readonly handle: TcpHandle;
  tries: number;
}

/** Workers that die with it in hand, or drain. */
const MAX_TRIES = 16;
/** So many connections wait for a worker, where none serves; more are closed. */
const MAX_WAITING = 1_024;
/** A worker that does not take what it was given is given no more than this. */
const MAX_UNTAKEN = 64;
/** How often a worker is told of the others at most. */
const TELL_EVERY_MS = 100;

export interface HandoversOptions {
  readonly log: Logger;
  /** A connection was closed, for too many waited. */
  onRefused?(): void;
}

/**
 * Workers accept by themselves, and pass on what is one too many for them, see `Balance`: it goes to the worker that has
 * fewest. This tells each what it must know of the others for that.
 */
export class Handovers {
  readonly #log: Logger;
  readonly #onRefused: () => void;
  readonly #takers: Taker[] = [];
  readonly #told = new Map<Taker, Others>();
  /** How many connections it has passed on. */
  readonly #passed = new Map<Taker, number>();
  readonly #telling = new Paced(TELL_EVERY_MS, () => this.#tellAll());
  readonly #waiting: Homeless[] = [];
  /** It is told once, until there is room again. */
  #hasToldRefusals = false;
  #next = 0;
  /** See {@link divide}. */
  #connections = 0;
  #sharers = 1;

  constructor({ log, onRefused = () => {} }: HandoversOptions) {
    this.#log = log;
    this.#onRefused = onRefused;
  }

  /** Each taker may have its part of so many connections, see `partOf`, and refuses more. */
  divide(connections: number, sharers: number): void {
    this.#connections = connections;
    this.#sharers = sharers;
    this.#telling.ask();
  }

  /** A worker that may be given connections from when it serves. */
  add(taker: Taker): void {
    this.#takers.push(taker);
  }

  remove(taker: Taker): void {
    const index = this.#takers.indexOf(taker);
    if (index !== -1) this.#takers.splice(index, 1);
    this.#told.delete(taker);
    this.#passed.delete(taker);
    this.changed();
  }

  /** To be called when a worker serves, drains, or has told how many connections it has. */
  changed(): void {
    this.#telling.ask();
    for (let count = this.#waiting.length; count > 0 && this.#choose(null) !== null; count -= 1) {
      const homeless = this.#waiting.shift();
      if (homeless !== undefined) this.#place(homeless, null);
    }
    if (this.#waiting.length === 0) this.#hasToldRefusals = false;
  }

  /** Brings what workers know of each other up to date at once: who sees numbers may count on them. */
  tell(): void {
    this.#telling.now();
  }

  /** A worker has passed on a connection. */
  take(from: Taker, door: string, handle: TcpHandle): void {
    this.#passed.set(from, (this.#passed.get(from) ?? 0) + 1);
    this.#telling.ask();
    this.#place({ door, handle, tries: 0 }, from);
  }

  /** No worker is left: what waits is closed. */
  close(): void {
    this.#telling.stop();
    for (const { handle } of this.#waiting.splice(0)) handle.close();
  }

  /** @param from who has passed it on just now; it gets it back when nobody else has room, and answers so */
  #place(homeless: Homeless, from: Taker | null): void {
    const taker = this.#choose(from) ?? this.#choose(null);
    if (taker === null) {
      this.#keep(homeless);
      return;
    }
    const { door, handle } = homeless;
    const onEnd = (isTaken: boolean) => {
      homeless.tries += 1;
      if (isTaken || homeless.tries >= MAX_TRIES) handle.close();
      else this.#place(homeless, null);
      this.changed();
    };
    taker.give({ door, handle, isLast: this.#roomOf(taker) <= 0, onEnd });
  }

  #keep(homeless: Homeless): void {
    if (this.#waiting.length < MAX_WAITING) {
      this.#waiting.push(homeless);
      return;
    }
    homeless.handle.close();
    this.#onRefused();
    if (this.#hasToldRefusals) return;
    this.#hasToldRefusals = true;
    this.#log.error({ waiting: MAX_WAITING }, "connections are closed: too many wait for a worker");
  }

  /**
   * Of those that can take one: who has fewest, then the next.
   * @param from not this one, and only who has room; `null`: whoever there is, room first
   */
  #choose(from: Taker | null): Taker | null {
    let chosen: Taker | null = null;
    let place = 0;
    for (let i = 0; i < this.#takers.length; i += 1) {
      const index = (this.#next + i) % this.#takers.length;
      const taker = this.#takers[index] as Taker;
      if (taker === from || !canTake(taker)) continue;
      if (from !== null && this.#roomOf(taker) <= 0) continue;
      if (chosen !== null && !this.#isBetter(taker, chosen)) continue;
      chosen = taker;
      place = index;
    }
    if (chosen !== null) this.#next = place + 1;
    return chosen;
  }

  #isBetter(taker: Taker, other: Taker): boolean {
    const hasRoom = this.#roomOf(taker) > 0;
    if (hasRoom !== this.#roomOf(other) > 0) return hasRoom;
    return loadOf(taker) < loadOf(other);
  }

  #roomOf(taker: Taker): number {
    return partOf(this.#connections, this.#sharers, taker.number) - loadOf(taker);
  }

  #tellAll(): void {
    for (const taker of this.#takers) {
      if (!taker.isServing) continue;
      const others = this.#othersOf(taker);
      if (isDeepStrictEqual(this.#told.get(taker), others)) continue;
      this.#told.set(taker, others);
      taker.tellOthers(others);
    }
  }

  #othersOf(taker: Taker): Others {
    const others = this.#takers.filter((other) => other !== taker && canTake(other));
    return {
      count: others.length,
      least: Math.min(...others.map(loadOf)),
      room: others.reduce((room, other) => room + Math.max(0, this.#roomOf(other)), 0),
      passed: this.#passed.get(taker) ?? 0,
    };
  }
}

function canTake({ isServing, isSlow, untaken }: Taker): boolean {
  return isServing && !isSlow && untaken < MAX_UNTAKEN;
}

function loadOf({ open, untaken }: Taker): number {
  return open + untaken;
}
