import type { AddressInfo } from "node:net";
import type { TicketSeed } from "../server/ticket-keys.js";
import type { ProcessReport } from "../telemetry/process-report.js";
import type { StatsPatch } from "../telemetry/stats-transfer.js";
import type { Others } from "./balance.js";

/**
 * What the main process and its workers say to each other. A rolling upgrade brings together a main process of one
 * version and workers of the next: whoever changes a message so that the other side of before misreads it counts this up,
 * and then an upgrade is refused and says to restart.
 */
export const PROTOCOL = 2;

/** A configuration as the main process has read it; each worker compiles the same text. */
export interface ConfigMessage {
  readonly text: string;
  readonly file: string;
  /** From 1. */
  readonly generation: number;
}

/** Where connections come in by a configuration: by {@link doorKey}. */
export type DoorTable = Readonly<Record<string, AddressInfo>>;

export type ToWorker =
  | {
      readonly say: "start";
      readonly worker: number;
      readonly version: string;
      readonly workers: number;
      /** See `DataPlaneOptions`. */
      readonly ticketKeys: TicketSeed;
      readonly config: ConfigMessage;
    }
  | { readonly say: "prepare"; readonly id: number; readonly config: ConfigMessage }
  | { readonly say: "commit"; readonly id: number }
  | { readonly say: "abort"; readonly id: number }
  | { readonly say: "collect"; readonly id: number }
  | { readonly say: "reopen"; readonly id: number }
  | { readonly say: "drain"; readonly graceMs: number }
  /** With a handle, before a start or prepare that needs it: the socket, or one of several, of this {@link doorKey}. */
  | { readonly say: "door"; readonly door: string }
  /** With a handle: a connection that came in by this door, from another worker. `isLast`: nobody else has room. */
  | { readonly say: "connection"; readonly id: number; readonly door: string; readonly isLast: boolean }
  /** Of a connection that was taken: whether it was in time. Nobody reads it before. */
  | { readonly say: "yours"; readonly id: number; readonly isYours: boolean }
  | { readonly say: "others"; readonly others: Others };

export type FromWorker =
  | { readonly say: "hello"; readonly protocol: number }
  /** All its listeners take connections. */
  | { readonly say: "serving" }
  /** It cannot begin; one sentence. It ends then. */
  | { readonly say: "failed"; readonly problem: string }
  /** Of a prepare, commit, abort or reopen; `null`: it is done. */
  | { readonly say: "done"; readonly id: number; readonly problem: string | null }
  | {
      readonly say: "collected";
      readonly id: number;
      readonly patch: StatsPatch | null;
      readonly report: ProcessReport | null;
    }
  /** How many connections it has. */
  | { readonly say: "open"; readonly count: number }
  /** With a handle: a connection that came in by this door, and is one too many here. */
  | { readonly say: "connection"; readonly door: string }
  /** Of a connection: whether it may be this worker's. */
  | { readonly say: "taken"; readonly id: number; readonly isTaken: boolean };

interface Envelope<Body> {
  readonly ossgate: "worker";
  readonly body: Body;
}

/** Other messages use the same channel: see budget-messages.ts. */
export function wrap<Body>(body: Body): Envelope<Body> {
  return { ossgate: "worker", body };
}

export function unwrap<Body>(message: unknown): Body | null {
  if (typeof message !== "object" || message === null) return null;
  const { ossgate, body } = message as Partial<Envelope<Body>>;
  return ossgate === "worker" && body !== undefined ? body : null;
}
