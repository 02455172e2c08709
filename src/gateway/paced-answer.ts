import type { Flow, FlowOptions } from "../limits/pacer.js";
import { clientGroup } from "../policy/client-group.js";
import { canonicalClient } from "../policy/clients.js";
import type { CompiledPace } from "../route/compile-bandwidth.js";
import type { CompiledBucket, CompiledRoute } from "../route/compiled-route.js";
import type { Egress, RequestContext } from "./request-context.js";
import { countSent } from "./traffic.js";

/** What slows down the answer; `null`: nothing does. */
export function openEgress(ctx: RequestContext): Egress | null {
  const pace = egressPace(ctx);
  return pace === null || ctx.req.method === "HEAD" ? null : new PacedAnswer(ctx, pace);
}

/** Counts an answer that went out as a whole: it was small, or could not wait, and is owed. */
export function chargeEgress(ctx: RequestContext): void {
  const pace = egressPace(ctx);
  if (pace === null || ctx.sentBytes === 0) return;
  const flow = pace.pace.open({ group: groupOf(ctx), onGrant() {} });
  flow.charge(ctx.sentBytes);
  flow.close();
}

function egressPace({ route, bucket }: RequestContext): CompiledPace | null {
  return (route as CompiledRoute).bandwidth?.get((bucket as CompiledBucket).alias)?.egress ?? null;
}

/** Whose turn it is that the request shares. */
export function groupOf(ctx: RequestContext): string {
  if (ctx.client === "") ctx.client = canonicalClient(ctx.clientIp);
  return clientGroup(ctx.client);
}

/**
 * An answer whose bytes go to the client as they are granted. What came last is held until all of it has gone out, and
 * meanwhile the upstream is paused: no more is held than one chunk, and what the upstream's connection has read.
 * While bytes wait for a grant, `ctx.isPaused` is not set: then it is not the client that is waited for.
 */
class PacedAnswer implements Egress, FlowOptions {
  readonly group: string;
  readonly #ctx: RequestContext;
  readonly #flow: Flow;
  readonly #party: CompiledPace["party"];
  #held: Buffer | null = null;
  /** A grant for what is held is to come. */
  #isAsking = false;
  /** What went out before it was granted; the next grants pay for it. */
  #earlyBytes = 0;
  /** The upstream has sent all. */
  #hasEnded = false;
  #isOpen = true;
  #wasHeld = false;

  constructor(ctx: RequestContext, { pace, party }: CompiledPace) {
    this.#ctx = ctx;
    this.#party = party;
    this.group = groupOf(ctx);
    this.#flow = pace.open(this);
    ctx.routeStats.pacedEgress += 1;
  }

  push(chunk: Buffer): boolean {
    const ctx = this.#ctx;
    if (ctx.remainingBytes > 0) {
      ctx.remainingBytes -= chunk.length;
      this.#hasEnded = ctx.remainingBytes === 0;
    }
    this.#held = chunk;
    const isLast = this.#hasEnded;
    this.#pass();
    // What is held last needs its upstream connection no longer.
    return isLast || this.#isReady();
  }

  end(): void {
    this.#hasEnded = true;
    if (this.#held !== null) return;
    this.close();
    if (!this.#ctx.res.writableEnded) this.#ctx.res.end();
  }

  onDrain(): void {
    this.#ctx.isPaused = false;
    if (this.#isAsking) return;
    this.#goOn();
  }

  onGrant(byteCount: number): void {
    this.#isAsking = false;
    const paidBytes = Math.min(byteCount, this.#earlyBytes);
    this.#earlyBytes -= paidBytes;
    if (byteCount > paidBytes) this.#write(byteCount - paidBytes);
    this.#goOn();
  }

  probe(): boolean {
    if (!this.#isAsking || this.#held === null) return false;
    // The last byte would end the answer, which is for the grant to do.
    if (this.#held.length > 1 && !this.#ctx.isPaused) {
      this.#earlyBytes += 1;
      this.#write(1);
    }
    return true;
  }

  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#held = null;
    this.#flow.close();
    this.#ctx.routeStats.pacedEgress -= 1;
  }

  #goOn(): void {
    if (!this.#isOpen) return;
    if (this.#held !== null && !this.#ctx.isPaused) this.#pass();
    if (this.#isReady()) this.#ctx.exchange?.resume();
  }

  #isReady(): boolean {
    return this.#isOpen && this.#held === null && !this.#ctx.isPaused;
  }

  /** Writes in one piece what is granted at once. */
  #pass(): void {
    const held = this.#held as Buffer;
    let grantedBytes = 0;
    while (grantedBytes < held.length && !this.#isAsking) {
      const nextBytes = this.#flow.ask(held.length - grantedBytes, this.#leftBytes(held.length - grantedBytes));
      if (nextBytes === 0) this.#noteHeld();
      grantedBytes += nextBytes;
    }
    if (grantedBytes > 0) this.#write(grantedBytes);
  }

  #leftBytes(heldBytes: number): number {
    const { remainingBytes } = this.#ctx;
    return remainingBytes < 0 ? Number.POSITIVE_INFINITY : heldBytes + remainingBytes;
  }

  #noteHeld(): void {
    this.#isAsking = true;
    if (this.#wasHeld || this.#party === null) return;
    this.#wasHeld = true;
    this.#ctx.routeStats.countLimited("egress", this.#party, true);
  }

  #write(byteCount: number): void {
    const ctx = this.#ctx;
    const held = this.#held as Buffer;
    const isAll = byteCount === held.length;
    this.#held = isAll ? null : held.subarray(byteCount);
    countSent(ctx, byteCount);
    if (isAll && this.#hasEnded) {
      this.close();
      ctx.res.end(held);
    } else ctx.isPaused = !ctx.res.write(isAll ? held : held.subarray(0, byteCount));
  }
}
