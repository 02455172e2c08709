import type { AddressInfo } from "node:net";
import { addressesOverlap } from "../config/address.js";
import type { ListenAddress, ListenerConfig } from "../config/gateway-config.js";
import { doorKey } from "./door-key.js";
import { cannotListen, shownAddress } from "./listen-or-explain.js";
import type { DoorTable } from "./messages.js";
import { type BoundHandle, bindHandle, handleOf, type TcpHandle } from "./tcp-handle.js";

/** Who is to listen by a door. */
export interface DoorTaker {
  /** It gets a copy; called once for each socket of the door. */
  sendDoor(key: string, handle: TcpHandle): void;
}

interface FrontDoor {
  readonly address: ListenAddress;
  /** One, or those that systemd has passed under one name. */
  readonly sockets: readonly BoundHandle[];
}

/** Where a systemd socket is found. */
export type FindSockets = (name: string) => readonly number[];

export interface FrontDoorsOptions {
  /** @returns file descriptors of systemd's sockets of this name; empty: none was passed */
  readonly systemdSockets: FindSockets;
}

/** Doors of another configuration. */
export interface PreparedDoors {
  readonly table: DoorTable;
  /** To a worker that has those of the configuration that is in use: the others. */
  sendNew(taker: DoorTaker): void;
  /** Closes what the new configuration does not have; behind the workers, so that nothing is refused before. */
  commit(): void;
  /** Closes what it alone has. */
  abort(): void;
}

/**
 * The sockets by which clients come, which the main process binds and holds as long as the program needs them. It never
 * listens: each worker gets a copy, listens and accepts by itself. So what waits in the system's queue is lost neither
 * when a worker dies nor when it drains or is replaced, and nobody is accepted before a worker serves.
 */
export class FrontDoors {
  readonly #systemdSockets: FindSockets;
  readonly #doors = new Map<string, FrontDoor>();
  /** Those of the configuration that is in use: what is kept beside them, workers have closed. */
  #inUse: ReadonlyMap<string, FrontDoor> = new Map();
  #isClosed = false;

  constructor({ systemdSockets }: FrontDoorsOptions) {
    this.#systemdSockets = systemdSockets;
  }

  /** @throws Error one sentence about an address that cannot be had; then nothing has changed */
  prepare(listeners: readonly ListenerConfig[]): PreparedDoors {
    if (this.#isClosed) throw new Error("the gateway is ending");
    const wanted = new Map<string, FrontDoor>();
    const added = new Map<string, FrontDoor>();
    const abort = () => closeAll(added);
    try {
      for (const { name, address } of listeners) {
        const key = doorKey(name, address);
        const door = this.#doors.get(key) ?? this.#open(name, address);
        if (!this.#doors.has(key)) added.set(key, door);
        wanted.set(key, door);
      }
    } catch (error) {
      abort();
      throw error;
    }
    const lacking = new Map([...wanted].filter(([key]) => !this.#inUse.has(key)));
    return {
      table: Object.fromEntries([...wanted].map(([key, { sockets }]) => [key, sockets[0]?.bound as AddressInfo])),
      sendNew: (taker) => send(taker, lacking),
      commit: () => this.#commit(wanted, added),
      abort,
    };
  }

  /** To a worker that has none: those of the configuration that is in use. */
  sendAll(taker: DoorTaker, table: DoorTable): void {
    send(taker, new Map([...this.#doors].filter(([key]) => key in table)));
  }

  /** Nothing more is opened, ever. */
  close(): void {
    this.#isClosed = true;
    closeAll(this.#doors);
  }

  #commit(wanted: ReadonlyMap<string, FrontDoor>, added: Map<string, FrontDoor>): void {
    for (const [key, door] of this.#doors) {
      // A socket of systemd's that is closed is gone for good: another reload could not have it back.
      if (wanted.has(key) || door.address.systemd !== null) continue;
      this.#doors.delete(key);
      close(door);
    }
    if (this.#isClosed) closeAll(added);
    for (const [key, door] of added) this.#doors.set(key, door);
    this.#inUse = wanted;
  }

  #open(name: string, address: ListenAddress): FrontDoor {
    const what = `listener ${name}`;
    if (address.systemd === null) {
      this.#refuseOwnOverlap(name, address);
      return { address, sockets: [bound(what, address, () => bindHandle(address.host, address.port))] };
    }
    const fds = this.#systemdSockets(address.systemd);
    if (fds.length === 0) {
      const hint = `systemd passed no socket of that name; see FileDescriptorName= of its socket unit`;
      throw new Error(`${what}: cannot listen on systemd:${address.systemd}: ${hint}`);
    }
    return { address, sockets: fds.map((fd) => bound(what, address, () => handleOf(fd))) };
  }

  /** The system would only say that the address is in use. */
  #refuseOwnOverlap(name: string, address: ListenAddress): void {
    for (const { address: own, sockets } of this.#doors.values()) {
      if (!sockets.some(({ bound }) => addressesOverlap({ host: bound.address, port: bound.port }, address))) continue;
      const ownShown = shownAddress(own.port === 0 ? { ...own, port: sockets[0]?.bound.port ?? 0 } : own);
      throw new Error(
        `listener ${name}: cannot listen on ${shownAddress(address)} while the gateway still listens on ${ownShown}, which covers it; restart it for that change`,
      );
    }
  }
}

function bound(what: string, address: ListenAddress, take: () => BoundHandle): BoundHandle {
  try {
    return take();
  } catch (error) {
    throw cannotListen(what, address, error as NodeJS.ErrnoException);
  }
}

function send(taker: DoorTaker, doors: ReadonlyMap<string, FrontDoor>): void {
  for (const [key, { sockets }] of doors) for (const { handle } of sockets) taker.sendDoor(key, handle);
}

function closeAll(doors: Map<string, FrontDoor>): void {
  for (const door of doors.values()) close(door);
  doors.clear();
}

function close({ sockets }: FrontDoor): void {
  for (const { handle } of sockets) handle.close();
}
