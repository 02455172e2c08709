import { Transform, type TransformCallback } from "node:stream";
import type { Flow, FlowOptions } from "../limits/pacer.js";
import type { CompiledPace } from "../route/compile-bandwidth.js";
import type { CompiledBucket, CompiledRoute } from "../route/compiled-route.js";
import type { HeldBody } from "../transport/upload.js";
import { groupOf } from "./paced-answer.js";
import type { RequestContext } from "./request-context.js";

/** What slows down the body of the request; `null`: nothing does. */
export function openIngress(ctx: RequestContext): HeldBody | null {
  const { alias } = ctx.bucket as CompiledBucket;
  const pace = (ctx.route as CompiledRoute).bandwidth?.get(alias)?.ingress ?? null;
  return pace === null || !ctx.hasBody ? null : new PacedBody(ctx, pace);
}

/**
 * A body whose bytes go to the upstream as they are granted: a chunk is held until all of it has gone on, and what comes
 * behind it waits in the client's socket.
 */
class PacedBody extends Transform implements HeldBody, FlowOptions {
  readonly group: string;
  readonly #ctx: RequestContext;
  readonly #flow: Flow;
  readonly #party: CompiledPace["party"];
  #held: Buffer | null = null;
  #onPassed: TransformCallback = () => {};
  #passedBytes = 0;
  #isOpen = true;
  #wasHeld = false;

  constructor(ctx: RequestContext, { pace, party }: CompiledPace) {
    super();
    this.#ctx = ctx;
    this.#party = party;
    this.group = groupOf(ctx);
    this.#flow = pace.open(this);
    ctx.routeStats.pacedIngress += 1;
  }

  get isHeld(): boolean {
    return this.#held !== null;
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, onPassed: TransformCallback): void {
    if (chunk.length === 0) {
      onPassed();
      return;
    }
    this.#held = chunk;
    this.#onPassed = onPassed;
    this.#pass();
  }

  override _flush(onFlushed: TransformCallback): void {
    this.#close();
    onFlushed();
  }

  override _destroy(error: Error | null, onDestroyed: (error: Error | null) => void): void {
    this.#close();
    onDestroyed(error);
  }

  onGrant(byteCount: number): void {
    if (!this.#hand(byteCount)) this.#pass();
  }

  #pass(): void {
    while (this.#held !== null) {
      const byteCount = this.#flow.ask(this.#held.length, this.#leftBytes());
      if (byteCount === 0) {
        this.#noteHeld();
        return;
      }
      // The next chunk, if there is one, has come by then and was asked for.
      if (this.#hand(byteCount)) return;
    }
  }

  #leftBytes(): number {
    const { contentLength } = this.#ctx.framing;
    return contentLength === null ? Number.POSITIVE_INFINITY : contentLength - this.#passedBytes;
  }

  /** @returns whether that was all of the chunk */
  #hand(byteCount: number): boolean {
    const held = this.#held as Buffer;
    const isAll = byteCount === held.length;
    this.#held = isAll ? null : held.subarray(byteCount);
    this.#passedBytes += byteCount;
    this.push(isAll ? held : held.subarray(0, byteCount));
    if (isAll) this.#onPassed();
    return isAll;
  }

  #noteHeld(): void {
    if (this.#wasHeld || this.#party === null) return;
    this.#wasHeld = true;
    this.#ctx.routeStats.countLimited("ingress", this.#party, true);
  }

  #close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#held = null;
    this.#flow.close();
    this.#ctx.routeStats.pacedIngress -= 1;
  }
}
