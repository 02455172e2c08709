import type { Socket } from "node:net";

/** Connections that may wait; more are closed. */
const MAX_HELD = 4_096;

/** Connections that were accepted before anybody serves them. Some of what they send may be read, and is kept. */
export class HeldConnections {
  readonly #sockets = new Set<Socket>();

  hold(socket: Socket): void {
    if (this.#sockets.size >= MAX_HELD) {
      socket.destroy();
      return;
    }
    this.#sockets.add(socket.pause());
    socket.on("error", ignore).on("close", () => this.#sockets.delete(socket));
  }

  /** Hands over those that are still there, paused. */
  release(): readonly Socket[] {
    const sockets = [...this.#sockets];
    this.#sockets.clear();
    for (const socket of sockets) socket.off("error", ignore);
    return sockets;
  }

  destroy(): void {
    for (const socket of this.#sockets) socket.destroy();
  }
}

function ignore(): void {}
