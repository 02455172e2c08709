/** Waiting until a started program can be used. */
import { once } from "node:events";
import { get } from "node:http";
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

const READY_LIMIT_MS = 10_000;
const RETRY_AFTER_MS = 50;

/** Waits until something accepts connections on the port of 127.0.0.1. */
export async function untilListening(port: number): Promise<void> {
  await untilTrue(() => accepts(port), `port ${port} to open`);
}

/** Waits until the URL answers 200. */
export async function untilOk(url: string): Promise<void> {
  await untilTrue(async () => (await fetchWhole(url)).status === 200, `${url} to answer 200`);
}

/** Fetches a URL on a connection of its own. */
export function fetchWhole(url: string): Promise<{ readonly status: number; readonly body: Buffer }> {
  return new Promise((resolve, reject) => {
    const request = get(url, { agent: false, timeout: READY_LIMIT_MS }, (response) => {
      const pieces: Buffer[] = [];
      response.on("data", (piece: Buffer) => pieces.push(piece));
      response.on("error", reject);
      response.on("end", () => resolve({ status: response.statusCode ?? 0, body: Buffer.concat(pieces) }));
    });
    request.on("timeout", () => request.destroy(new Error(`${url}: no answer`)));
    request.on("error", reject);
  });
}

async function untilTrue(isReady: () => Promise<boolean>, what: string): Promise<void> {
  const deadlineMs = performance.now() + READY_LIMIT_MS;
  while (performance.now() < deadlineMs) {
    if (await isReady().catch(() => false)) return;
    await sleep(RETRY_AFTER_MS);
  }
  throw new Error(`waited ${READY_LIMIT_MS} ms for ${what}`);
}

async function accepts(port: number): Promise<boolean> {
  const socket = connect(port, "127.0.0.1");
  await once(socket, "connect");
  socket.destroy();
  return true;
}
