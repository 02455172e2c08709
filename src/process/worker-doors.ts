import type { AddressInfo, Server, Socket } from "node:net";
import { type Door, type DoorOptions, type Doors, openShared } from "../server/doors.js";
import { Balance, type Others, type OwnLoad } from "./balance.js";
import { doorKey } from "./door-key.js";
import type { ToWorker } from "./messages.js";
import { Paced } from "./paced.js";
import { attach, detach, type TcpHandle } from "./tcp-handle.js";

/** What a worker's doors say to the main process. */
export interface DoorsTalk {
  /** How many connections this worker has. */
  open(count: number): void;
  /** A connection that is one too many here; `onSent`: it is on its way, and the copy here may be closed. */
  passOn(door: string, handle: TcpHandle, onSent: () => void): void;
  /** Of a connection that was given: whether it may be this worker's. */
  taken(id: number, isTaken: boolean): void;
}

export interface WorkerDoorsOptions {
  readonly talk: DoorsTalk;
  /** Whether others serve beside this worker. */
  readonly isOneOfMany: boolean;
  load(): OwnLoad;
}

/** A connection that the main process has offered, and nobody reads yet. */
interface Offered {
  readonly door: string;
  readonly handle: TcpHandle;
}

type Offer = Extract<ToWorker, { readonly say: "connection" }>;

/** How often the main process is told how many connections are open, at most. */
const TELL_EVERY_MS = 100;
/** Connections that may be on their way to the main process; what comes then is kept. */
const MAX_PASSING = 64;

/**
 * A worker's doors. The main process has bound the sockets and sends copies; the worker listens and accepts by itself,
 * and passes on what is one too many, see `Balance`. What was passed on to it, it keeps.
 */
export class WorkerDoors implements Doors {
  readonly #options: WorkerDoorsOptions;
  readonly #balance = new Balance();
  /** Sockets that came, and by which nobody listens yet. */
  readonly #sockets = new Map<string, TcpHandle[]>();
  readonly #open = new Map<string, (socket: Socket) => void>();
  readonly #offered = new Map<number, Offered>();
  #whenSettled: (() => void) | null = null;
  readonly #telling: Paced;
  #passing = 0;
  /** What the main process was told last … */
  #told = 0;
  /** … and whether it has not counted on since: what was taken of others it counts by itself. */
  #isToldSo = true;
  #isDraining = false;

  constructor(options: WorkerDoorsOptions) {
    this.#options = options;
    this.#telling = new Paced(TELL_EVERY_MS, () => this.#tellNews());
  }

  /** A socket of a door that is opened next. */
  receive(door: string, handle: TcpHandle): void {
    this.#sockets.set(door, [...(this.#sockets.get(door) ?? []), handle]);
  }

  /** What came and was not opened is not needed. */
  closeRest(): void {
    for (const handle of [...this.#sockets.values()].flat()) handle.close();
    this.#sockets.clear();
  }

  async open({ name, address, onConnection, onError }: DoorOptions): Promise<Door> {
    const key = doorKey(name, address);
    const handles = this.#sockets.get(key);
    if (handles === undefined) throw new Error("the main process has no socket there");
    this.#sockets.delete(key);
    const servers: Server[] = [];
    const close = () => {
      for (const server of servers) server.close();
    };
    const accepted = (socket: Socket) => this.#accepted(key, socket, onConnection);
    try {
      for (let handle = handles.shift(); handle !== undefined; handle = handles.shift()) {
        servers.push(await openShared(handle, { onConnection: accepted, onError }));
      }
    } catch (error) {
      close();
      for (const handle of handles) handle.close();
      throw error;
    }
    this.#open.set(key, onConnection);
    return {
      address: servers[0]?.address() as AddressInfo,
      close: () => {
        close();
        if (this.#open.get(key) === onConnection) this.#open.delete(key);
      },
    };
  }

  told(others: Others): void {
    this.#balance.told(others);
  }

  /**
   * The main process offers a connection; it is not read before {@link confirm}, for another may get it meanwhile.
   * @param isLast nobody else has room
   */
  offer({ id, door, isLast }: Offer, handle: TcpHandle): void {
    const isTaken = !this.#isDraining && this.#open.has(door) && (isLast || this.#hasRoom());
    if (isTaken) this.#offered.set(id, { door, handle });
    else {
      handle.close();
      // Else it would be offered here again.
      this.tellOpen();
    }
    this.#options.talk.taken(id, isTaken);
  }

  confirm(id: number, isYours: boolean): void {
    const offered = this.#offered.get(id);
    if (offered === undefined) return;
    this.#offered.delete(id);
    const { door, handle } = offered;
    const onConnection = this.#open.get(door);
    this.#isToldSo = false;
    if (isYours && onConnection !== undefined) this.#enter(attach(handle), onConnection);
    else handle.close();
    this.#telling.ask();
    if (this.#offered.size === 0) this.#whenSettled?.();
  }

  /** Takes nothing more of others; resolves when what was taken is confirmed. */
  drain(): Promise<void> {
    this.#isDraining = true;
    if (this.#offered.size === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#whenSettled = resolve;
    });
  }

  /** Exactly, and at once. */
  tellOpen(): void {
    const { isOneOfMany, load } = this.#options;
    if (isOneOfMany) this.#tell(load().open);
  }

  #tellNews(): void {
    const load = this.#options.load();
    if (!this.#isToldSo || this.#balance.isNews(this.#told, load, performance.now())) this.#tell(load.open);
  }

  #tell(open: number): void {
    if (open === this.#told && this.#isToldSo) return;
    this.#told = open;
    this.#isToldSo = true;
    this.#options.talk.open(open);
  }

  #accepted(door: string, socket: Socket, onConnection: (socket: Socket) => void): void {
    const { isOneOfMany, load } = this.#options;
    if (!isOneOfMany) onConnection(socket);
    else if (this.#passing >= MAX_PASSING || this.#balance.keeps(load(), performance.now())) {
      this.#enter(socket, onConnection);
    } else this.#passOn(door, socket);
  }

  #hasRoom(): boolean {
    const { open, part } = this.#options.load();
    return open + this.#offered.size < part;
  }

  #enter(socket: Socket, onConnection: (socket: Socket) => void): void {
    onConnection(socket);
    // Behind the listener's own: it is counted no more.
    socket.on("close", this.#left);
    this.#telling.ask();
  }

  readonly #left = (): void => {
    this.#balance.ended(performance.now());
    this.#telling.ask();
  };

  #passOn(door: string, socket: Socket): void {
    const handle = detach(socket);
    if (handle === null) return;
    this.#balance.passed();
    this.#passing += 1;
    this.#options.talk.passOn(door, handle, () => {
      this.#passing -= 1;
      handle.close();
    });
  }
}
