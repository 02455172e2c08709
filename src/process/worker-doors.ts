import type { AddressInfo, Socket } from "node:net";
import type { Door, DoorOptions, Doors } from "../server/doors.js";
import { doorKey } from "./door-key.js";
import type { DoorTable } from "./messages.js";

/**
 * A worker's doors: the main process has the sockets, accepts, and hands each connection to one of its workers. So a
 * worker that begins, drains or dies closes and opens no socket, and no connection waits for one that is gone.
 */
export class WorkerDoors implements Doors {
  /** Of each door the listeners that opened it and did not close it, the latest last. */
  readonly #open = new Map<string, DoorOptions[]>();
  /** Where the main process accepts, as it told last. */
  #table: DoorTable;
  readonly #onLeft: (count: number) => void;
  /** Connections that ended in this turn of the event loop. */
  #left = 0;

  /** @param onLeft told how many connections ended, all of a turn of the event loop at once */
  constructor(table: DoorTable, onLeft: (count: number) => void) {
    this.#table = table;
    this.#onLeft = onLeft;
  }

  /** @param table of the configuration that is opened next */
  expect(table: DoorTable): void {
    this.#table = table;
  }

  async open(options: DoorOptions): Promise<Door> {
    const key = doorKey(options.name, options.address);
    const address: AddressInfo | undefined = this.#table[key];
    if (address === undefined) throw new Error("the main process does not listen there");
    const opened = this.#open.get(key) ?? [];
    this.#open.set(key, opened);
    opened.push(options);
    return { address, close: () => this.#close(key, options) };
  }

  has(key: string): boolean {
    return this.#open.has(key);
  }

  enter(key: string, socket: Socket): void {
    // Node makes sockets that come from another process without the half-open connections that clients may ask for.
    socket.allowHalfOpen = true;
    socket.on("close", () => this.left());
    this.#open.get(key)?.at(-1)?.onConnection(socket);
  }

  /** One that was given to this worker is no more. */
  left(): void {
    this.#left += 1;
    if (this.#left === 1) setImmediate(() => this.tellLeft());
  }

  /** At once, not at the end of the turn. */
  tellLeft(): void {
    if (this.#left === 0) return;
    const count = this.#left;
    this.#left = 0;
    this.#onLeft(count);
  }

  #close(key: string, options: DoorOptions): void {
    const left = (this.#open.get(key) ?? []).filter((each) => each !== options);
    if (left.length === 0) this.#open.delete(key);
    else this.#open.set(key, left);
  }
}
