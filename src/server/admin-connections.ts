import type { Server } from "node:http";
import type { Socket } from "node:net";

/** Of one admin listener: operators, their browsers and what scrapes are far fewer. */
const MAX_CONNECTIONS = 64;
/** For one answer; who reads it slower has had it. */
const ANSWER_TIMEOUT_MS = 60_000;

/**
 * Keeps the connections of a server few. When there are too many, the oldest that has no request running makes room, so
 * that whoever opens connections and sends nothing keeps nobody out.
 */
export function limitConnections(server: Server, limit = MAX_CONNECTIONS): void {
  /** In the order of their opening, with the requests that run on each. */
  const running = new Map<Socket, number>();
  const count = (socket: Socket, change: number): void => {
    const before = running.get(socket);
    if (before !== undefined) running.set(socket, before + change);
  };
  server.on("connection", (socket) => {
    if (running.size >= limit) makeRoom(running, socket);
    if (socket.destroyed) return;
    running.set(socket, 0);
    socket.on("close", () => running.delete(socket));
  });
  server.prependListener("request", ({ socket }, res) => {
    count(socket, 1);
    // An answer that has not begun waits for the gateway, not for who reads it: an upgrade takes its time.
    const timer = setInterval(() => res.headersSent && socket.destroy(), ANSWER_TIMEOUT_MS).unref();
    res.on("close", () => {
      clearInterval(timer);
      count(socket, -1);
    });
  });
}

function makeRoom(running: Map<Socket, number>, newcomer: Socket): void {
  const idle = [...running].find(([, requests]) => requests === 0)?.[0] ?? newcomer;
  running.delete(idle);
  idle.destroy();
}
