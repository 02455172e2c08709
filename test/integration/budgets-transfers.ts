/**
 * A process of its own whose transfers share bandwidth with others', as a gateway on another machine. Its arguments: the
 * server's URL, and how many share.
 */
import { setTimeout } from "node:timers/promises";
import { createLocalBudgets } from "../../src/limits/local-budgets.js";
import { type Lane, Pacer, REAL_CLOCK } from "../../src/limits/pacer.js";
import { createSharedBudgets } from "../../src/limits/shared-budgets.js";
import { byteSpec, turnBytesOf } from "../../src/route/compile-bandwidth.js";
import type { Passed } from "../unit/limits/windows.js";
import { machineMs } from "./budgets-flood.js";
import { obey } from "./budgets-program.js";

export interface Command {
  readonly spanMs: number;
  readonly transfers: number;
}

const CHUNK_BYTES = 64 * 1024;

export const SPEC = byteSpec("route/a/egress", 2 * 1024 * 1024);

/** Passes chunks on as they are granted, one after the other, until it is stopped. */
function transfer(lane: Lane, group: string, onPass: (byteCount: number) => void): () => void {
  let isOpen = true;
  let heldBytes = CHUNK_BYTES;
  const pass = (byteCount: number): void => {
    heldBytes -= byteCount;
    onPass(byteCount);
    setImmediate(ask);
  };
  const flow = lane.open({ group, onGrant: pass });
  const ask = (): void => {
    if (!isOpen) return;
    if (heldBytes === 0) heldBytes = CHUNK_BYTES;
    const byteCount = flow.ask(heldBytes, Number.POSITIVE_INFINITY);
    if (byteCount > 0) pass(byteCount);
  };
  ask();
  return () => {
    isOpen = false;
    flow.close();
  };
}

async function run(url: string, processes: number): Promise<void> {
  const budgets = createSharedBudgets({
    url: new URL(url),
    password: null,
    prefix: "ossgate-test",
    slots: createLocalBudgets(),
    onState() {},
  });
  while (budgets.sharers < processes) await setTimeout(10);
  const lane = new Pacer(REAL_CLOCK).lane({
    budgets: [budgets.rate(SPEC)],
    budgetsOfGroup: null,
    turnBytes: turnBytesOf(SPEC.ratePerSecond),
  });
  process.once("disconnect", () => budgets.close());
  obey<Command>(async ({ spanMs, transfers }) => {
    const passed: Passed[] = [];
    const note = (count: number): void => {
      passed.push({ atMs: machineMs(), count });
    };
    const stops = Array.from({ length: transfers }, (_, i) => transfer(lane, `192.0.2.${i}`, note));
    await setTimeout(spanMs);
    for (const stop of stops) stop();
    return passed;
  });
}

const [, program, url, processes] = process.argv;
if (process.send !== undefined && program?.endsWith("budgets-transfers.ts")) void run(url ?? "", Number(processes));
