import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { addressesOverlap, formatSocketAddress } from "../config/address.js";
import type { ListenAddress, ListenerConfig } from "../config/gateway-config.js";
import type { Logger } from "../telemetry/log.js";
import { partOf } from "./divided.js";
import { doorKey } from "./door-key.js";
import { listenOrExplain } from "./listen-or-explain.js";
import type { DoorTable } from "./messages.js";

/** Who may take a connection. */
export interface Taker {
  readonly isServing: boolean;
  /** From 1; of those that serve each has another. */
  readonly number: number;
  /** Connections that it took and has still. */
  readonly open: number;
  /** Connections that it was given and has not taken yet. */
  readonly untaken: number;
  /** @param onEnd told once whether it took it; a taker that dies before has not */
  give(door: string, socket: Socket, onEnd: (isTaken: boolean) => void): void;
}

interface FrontDoor {
  readonly servers: readonly Server[];
  readonly address: ListenAddress;
  readonly bound: AddressInfo;
}

/** A connection that no worker has taken yet. */
interface Waiting {
  readonly key: string;
  readonly socket: Socket;
  tries: number;
}

/** Workers that die with it in hand, or drain. */
const MAX_TRIES = 16;
/** So many connections wait for a worker, or as many as may be open; more are closed. */
const MIN_WAITING = 4_096;
/** A worker that does not take what it was given is given no more than this. */
const MAX_UNTAKEN = 256;

/** Where a systemd socket is found; S's. */
export type FindSockets = (name: string) => readonly number[];

export interface FrontDoorsOptions {
  readonly log: Logger;
  /** @returns file descriptors of systemd's sockets of this name; empty: none was passed */
  readonly systemdSockets: FindSockets;
  /** A connection was closed, for too many waited. */
  onRefused?(): void;
}

/** Doors of another configuration. What comes in by its new ones waits until they are in use. */
export interface PreparedDoors {
  readonly table: DoorTable;
  /** Closes what the new configuration does not have; before the workers do. */
  closeOld(): void;
  /** Hands out what comes in by its new doors; after the workers have opened them. */
  useNew(): void;
  /** Closes what it alone has. */
  abort(): void;
}

/**
 * The listening sockets of the whole program, which the main process has: it accepts, and hands each connection to a
 * worker, one after the other. So no socket closes when workers die, are replaced or drain, and what they did not take
 * goes to another.
 */
export class FrontDoors {
  readonly #log: Logger;
  readonly #systemdSockets: FindSockets;
  readonly #doors = new Map<string, FrontDoor>();
  /** Opened, and not in use yet. */
  readonly #prepared = new Map<string, FrontDoor>();
  readonly #takers: Taker[] = [];
  #next = 0;
  readonly #waiting: Waiting[] = [];
  readonly #onRefused: () => void;
  /** It is told once, until there is room again. */
  #hasToldRefusals = false;
  #isClosed = false;
  /** See {@link divide}. */
  #connections = 0;
  #sharers = 1;

  constructor({ log, systemdSockets, onRefused = () => {} }: FrontDoorsOptions) {
    this.#log = log;
    this.#onRefused = onRefused;
    this.#systemdSockets = systemdSockets;
  }

  /** @throws Error one sentence about an address that cannot be had; then nothing has changed */
  async prepare(listeners: readonly ListenerConfig[]): Promise<PreparedDoors> {
    const wanted = new Map(listeners.map((listener) => [doorKey(listener.name, listener.address), listener]));
    const abort = () => {
      for (const [key, door] of this.#prepared) this.#close(key, door);
      this.#prepared.clear();
    };
    try {
      for (const [key, { name, address }] of wanted) {
        if (this.#doors.has(key)) continue;
        const door = await this.#open(key, name, address);
        this.#prepared.set(key, door);
        // Closed meanwhile, and for good: nobody else closes this one.
        if (this.#isClosed) throw new Error("the gateway is ending");
      }
    } catch (error) {
      abort();
      throw error;
    }
    const all = [...this.#doors, ...this.#prepared].filter(([key]) => wanted.has(key));
    return {
      table: Object.fromEntries(all.map(([key, { bound }]) => [key, bound])),
      closeOld: () => this.#closeAllBut(wanted),
      useNew: () => this.#usePrepared(),
      abort,
    };
  }

  /**
   * Each taker may have its part of so many connections, see `partOf`, and refuses more: it is given none while another
   * has room.
   */
  divide(connections: number, sharers: number): void {
    this.#connections = connections;
    this.#sharers = sharers;
  }

  /** A worker that may be given connections from when it serves. */
  add(taker: Taker): void {
    this.#takers.push(taker);
  }

  remove(taker: Taker): void {
    const index = this.#takers.indexOf(taker);
    if (index !== -1) this.#takers.splice(index, 1);
  }

  /** What waits is handed out, as far as workers take it; to be called when another serves. */
  handOut(): void {
    // What waits for a door that is not in use yet waits on, behind the others.
    for (let count = this.#waiting.length; count > 0 && this.#choose() !== null; count -= 1) {
      const waiting = this.#waiting.shift();
      if (waiting !== undefined) this.#enter(waiting);
    }
    if (this.#waiting.length === 0) this.#hasToldRefusals = false;
  }

  /** Nothing more is accepted, ever. */
  close(): void {
    this.#isClosed = true;
    for (const doors of [this.#doors, this.#prepared]) {
      for (const [key, door] of doors) this.#close(key, door);
      doors.clear();
    }
  }

  #closeAllBut(wanted: ReadonlyMap<string, unknown>): void {
    for (const [key, door] of this.#doors) {
      // A socket of systemd's that is closed is gone for good: another reload could not have it back.
      if (wanted.has(key) || door.address.systemd !== null) continue;
      this.#doors.delete(key);
      this.#close(key, door);
    }
  }

  #usePrepared(): void {
    for (const [key, door] of this.#prepared) this.#doors.set(key, door);
    this.#prepared.clear();
    this.handOut();
  }

  async #open(key: string, name: string, address: ListenAddress): Promise<FrontDoor> {
    if (address.systemd === null) {
      this.#refuseOwnOverlap(name, address);
      const { host, port } = address;
      const server = await listenOrExplain(`listener ${name}`, address, () => this.#listen(key, { host, port }));
      return { servers: [server], address, bound: server.address() as AddressInfo };
    }
    const fds = this.#systemdSockets(address.systemd);
    if (fds.length === 0) {
      const hint = `systemd passed no socket of that name; see FileDescriptorName= of its socket unit`;
      throw new Error(`listener ${name}: cannot listen on systemd:${address.systemd}: ${hint}`);
    }
    const servers: Server[] = [];
    for (const fd of fds) {
      servers.push(await listenOrExplain(`listener ${name}`, address, () => this.#listen(key, { fd })));
    }
    return { servers, address, bound: servers[0]?.address() as AddressInfo };
  }

  /** The system would only say that the address is in use. */
  #refuseOwnOverlap(name: string, address: ListenAddress): void {
    for (const { address: own } of this.#doors.values()) {
      if (own.systemd !== null || !addressesOverlap(own, address)) continue;
      const [shown, ownShown] = [formatSocketAddress(address), formatSocketAddress(own)];
      throw new Error(
        `listener ${name}: cannot listen on ${shown} while the gateway still listens on ${ownShown}, which covers it; restart it for that change`,
      );
    }
  }

  #listen(key: string, where: { readonly host: string; readonly port: number } | { readonly fd: number }) {
    return new Promise<Server>((resolve, reject) => {
      const server = createServer({ pauseOnConnect: true, noDelay: true }, (socket) => this.#accept(key, socket));
      server.once("error", reject);
      server.listen({ ...where, backlog: 4096 }, () => {
        server.off("error", reject);
        // An accept that fails, for want of a file descriptor say, must not end the program.
        server.on("error", (error) => this.#log.error({ cause: error.message }, "accept failed"));
        resolve(server);
      });
    });
  }

  #close(key: string, { servers }: FrontDoor): void {
    for (const server of servers) server.close();
    const waiting = this.#waiting.splice(0);
    for (const each of waiting) {
      if (each.key === key) each.socket.destroy();
      else this.#waiting.push(each);
    }
  }

  #accept(key: string, socket: Socket): void {
    // It belongs to nobody here: Node would keep books with the workers about the connections of this server.
    (socket as { server?: unknown }).server = null;
    socket.on("error", () => {});
    this.#enter({ key, socket, tries: 0 });
  }

  #enter(waiting: Waiting): void {
    const { key, socket } = waiting;
    const isPrepared = this.#prepared.has(key);
    // Handed to a worker that did not take it, and by now the door is closed.
    if (!isPrepared && !this.#doors.has(key)) return void socket.destroy();
    const taker = isPrepared ? null : this.#choose();
    if (taker !== null) {
      taker.give(key, socket, (isTaken) => {
        waiting.tries += 1;
        if (isTaken || waiting.tries >= MAX_TRIES) socket.destroy();
        else this.#enter(waiting);
        if (this.#waiting.length > 0) this.handOut();
      });
    } else if (this.#waiting.length < Math.max(MIN_WAITING, this.#connections)) this.#waiting.push(waiting);
    else this.#refuse(socket);
  }

  #refuse(socket: Socket): void {
    socket.destroy();
    this.#onRefused();
    if (this.#hasToldRefusals) return;
    this.#hasToldRefusals = true;
    this.#log.error({ waiting: this.#waiting.length }, "connections are closed: too many wait for a worker");
  }

  /** Of those that serve: who has room, then who has taken most of what it was given, then who has most room, then the next. */
  #choose(): Taker | null {
    let chosen: Taker | null = null;
    let chosenRoom = 0;
    let place = 0;
    for (let i = 0; i < this.#takers.length; i += 1) {
      const index = (this.#next + i) % this.#takers.length;
      const taker = this.#takers[index] as Taker;
      if (!taker.isServing || taker.untaken >= MAX_UNTAKEN) continue;
      const room = this.#roomOf(taker);
      if (chosen !== null && !isBetter(taker, room, chosen, chosenRoom)) continue;
      chosen = taker;
      chosenRoom = room;
      place = index;
    }
    if (chosen !== null) this.#next = place + 1;
    return chosen;
  }

  #roomOf({ number, open, untaken }: Taker): number {
    return partOf(this.#connections, this.#sharers, number) - open - untaken;
  }
}

function isBetter(taker: Taker, room: number, other: Taker, otherRoom: number): boolean {
  if (room > 0 !== otherRoom > 0) return room > 0;
  if (taker.untaken !== other.untaken) return taker.untaken < other.untaken;
  return room > otherRoom;
}
