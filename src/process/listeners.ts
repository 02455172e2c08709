import type { AddressInfo } from "node:net";
import type { ListenAddress } from "../config/gateway-config.js";
import type { Doors } from "../server/doors.js";
import { Listener, type ListenerTerms } from "../server/listener.js";
import { listenOrExplain, shownAddress } from "./listen-or-explain.js";
import { settlesWithin } from "./settles-within.js";

/** One listener of a configuration. */
export interface WantedListener {
  readonly address: ListenAddress;
  readonly terms: ListenerTerms;
}

/** The listeners of the next configuration; new ones have their addresses, and nothing is read from their connections. */
export interface PreparedListeners {
  /**
   * Serves by the next configuration. Connections of listeners that it does not have go on with the one before, and end
   * with their next answer.
   * @param graceMs how long they may take
   * @returns resolves when the last of them has ended
   */
  commit(graceMs: number): Promise<void>;
  abort(): void;
}

interface Open {
  readonly listener: Listener;
  readonly address: ListenAddress;
  readonly bound: AddressInfo;
}

/**
 * The listeners of one process, by where they listen: one whose address stays keeps its socket and its connections,
 * whatever else changes, its name included. So two listeners may change places.
 */
export class Listeners {
  /** By listener name. */
  readonly addresses = new Map<string, AddressInfo>();
  readonly #doors: Doors | undefined;
  #open: ReadonlyMap<string, Open> = new Map();
  readonly #leaving = new Map<Listener, Promise<void>>();

  /** @param doors where connections come from; absent: from sockets of this process */
  constructor(doors: Doors | undefined) {
    this.#doors = doors;
  }

  /** Rejects with one sentence when an address cannot be had; then nothing has changed. */
  async prepare(wanted: readonly WantedListener[]): Promise<PreparedListeners> {
    const next = new Map<string, Open>();
    const opened: Listener[] = [];
    const abort = (): void => {
      for (const listener of opened) void listener.drain();
    };
    try {
      for (const each of wanted) {
        const place = placeOf(each);
        const kept = this.#open.get(place);
        next.set(place, kept ?? (await this.#openNew(each, opened)));
      }
    } catch (error) {
      abort();
      throw error;
    }
    return { commit: (graceMs) => this.#commit(wanted, next, graceMs), abort };
  }

  /** Accepts nothing new, lets what runs finish, and ends the rest. @param graceMs how long what runs may take */
  async stop(graceMs: number): Promise<void> {
    for (const { listener } of this.#open.values()) this.#leaving.set(listener, listener.drain());
    this.#open = new Map();
    const all = [...this.#leaving];
    const drained = Promise.all(all.map(([, left]) => left));
    if (!(await settlesWithin(drained, graceMs))) {
      await Promise.all(all.map(([listener]) => listener.destroy()));
    }
    await drained;
  }

  async #openNew({ address, terms }: WantedListener, opened: Listener[]): Promise<Open> {
    const doors = this.#doors === undefined ? {} : { doors: this.#doors };
    const listener = new Listener({ address, ...doors, ...terms });
    const blocking = this.#blocking(address);
    const open = () => listener.listen(true);
    const bound =
      blocking === null
        ? await listenOrExplain(`listener ${terms.name}`, address, open)
        : await open().catch((cause) => {
            const both = `${shownAddress(address)} while ${blocking.listener.name} listens on ${shownAddress(blocking.address)}`;
            const what = `listener ${terms.name}: cannot listen on ${both}; take another port, or restart the program`;
            throw new Error(what, { cause });
          });
    opened.push(listener);
    return { listener, address, bound };
  }

  /** One of ours that may have the port, on another address of this machine. */
  #blocking({ port, systemd }: ListenAddress): Open | null {
    if (port === 0 || systemd !== null) return null;
    return [...this.#open.values()].find((open) => open.bound.port === port) ?? null;
  }

  async #commit(wanted: readonly WantedListener[], next: ReadonlyMap<string, Open>, graceMs: number): Promise<void> {
    const before = this.#open;
    this.#open = next;
    this.addresses.clear();
    for (const each of wanted) {
      const place = placeOf(each);
      const { listener, bound } = next.get(place) as Open;
      this.addresses.set(each.terms.name, bound);
      if (before.has(place)) listener.change(each.terms);
      else listener.open();
    }
    const left = [...before].filter(([place]) => !next.has(place)).map(([, { listener }]) => listener);
    await Promise.all(left.map((listener) => this.#leave(listener, graceMs)));
  }

  async #leave(listener: Listener, graceMs: number): Promise<void> {
    const drained = listener.drain();
    this.#leaving.set(listener, drained);
    if (!(await settlesWithin(drained, graceMs))) await listener.destroy();
    await drained;
    this.#leaving.delete(listener);
  }
}

/** Any free port is one of its listener's own. */
function placeOf({ address: { host, port, systemd }, terms: { name } }: WantedListener): string {
  if (systemd !== null) return `systemd:${systemd}`;
  return port === 0 ? `${host}:0 ${name}` : `${host}:${port}`;
}
