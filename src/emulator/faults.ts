import type { HeaderList } from "../core/headers.js";
import { type Answer, bodilessAnswer, bytesAnswer } from "./answer.js";
import type { CapturedRequest } from "./capture.js";
import { type OssErrorCode, type Refusal, refuse } from "./errors.js";

/** What can be made to go wrong with one request. Counts are in bytes of the answer's body unless they say otherwise. */
export type Fault =
  /** The connection is reset (RST) when the request's head has arrived. */
  | { readonly kind: "resetBeforeHead" }
  /** As `resetBeforeHead`, but only a request on a connection that served one before: a stale keep-alive connection. */
  | { readonly kind: "resetOnReuse" }
  /** The request takes effect, and then the connection is reset without an answer. */
  | { readonly kind: "resetAfterEffect" }
  /** The head, so many bytes, and RST; a peer in another process may see it as an end, if both arrive together. */
  | { readonly kind: "resetMidBody"; readonly afterBytes: number }
  /** Nothing is answered until `releaseStalled()`. */
  | { readonly kind: "stallBeforeHead" }
  | { readonly kind: "stallMidBody"; readonly afterBytes: number }
  /** The true length is announced, fewer bytes are sent, and the connection ends in good order (FIN). */
  | { readonly kind: "shortBody"; readonly missingBytes: number }
  /** More bytes than announced are sent on a connection that stays open. */
  | { readonly kind: "longBody"; readonly extraBytes: number }
  /** This text instead of the true `Content-Length`, with the true body; the connection ends after it. */
  | { readonly kind: "wrongLength"; readonly contentLength: string }
  | { readonly kind: "slowBytes"; readonly bytesPerTick: number; readonly tickMs: number }
  /** The error with `x-oss-qos-delay-time` (oss-semantics §7.2, §12.2); the answer itself is not delayed. */
  | { readonly kind: "throttle"; readonly delayMs: number; readonly code: ThrottleCode }
  /** This answer, with OSS's usual headers where `headers` has none of the name. The request takes no effect. */
  | { readonly kind: "answer"; readonly status: number; readonly headers?: HeaderList; readonly body?: string | Buffer }
  /** These bytes and the end of the connection, without any effect. */
  | { readonly kind: "rawAnswer"; readonly bytes: string | Buffer }
  /** An interim answer (102, 103) before the true one. */
  | { readonly kind: "informational"; readonly status: 102 | 103; readonly headers?: HeaderList }
  /**
   * An error after `afterBytes` of the request's body, while the rest is still arriving. With `closes` the connection
   * ends at once, otherwise the rest is read and dropped.
   */
  | {
      readonly kind: "refuseUpload";
      readonly afterBytes: number;
      readonly code: OssErrorCode;
      readonly closes: boolean;
    };

/** The codes of OSS's refusals for load: 503, and 429 for `QpsLimitExceeded` (oss-semantics §7.2). */
export type ThrottleCode =
  | "DownloadTrafficRateLimitExceeded"
  | "MetaOperationQpsLimitExceeded"
  | "QpsLimitExceeded"
  | "ServiceUnavailable"
  | "TotalQpsLimitExceeded"
  | "UploadTrafficRateLimitExceeded";

export type FaultPredicate = (request: CapturedRequest) => boolean;

/** Where tests order faults. */
export interface Faults {
  /** The next `which` requests, or the next one for which it says so. Orders are served in the order they were given. */
  failNext(which: number | FaultPredicate, fault: Fault): void;
  /** Every request for which the predicate says so, until `clear()`. */
  failEvery(predicate: FaultPredicate, fault: Fault): void;
  /** Orders that wait for a request; those of `failEvery` not counted. */
  readonly pending: number;
  /** Requests that stand still now. */
  readonly stalled: number;
  /** Lets all stalled answers go on. */
  releaseStalled(): void;
  /** Forgets all orders. */
  clear(): void;
}

interface Order {
  left: number;
  readonly matches: FaultPredicate;
  readonly fault: Fault;
}

/** The orders of one emulator, and who stands still because of them. */
export class FaultPlan implements Faults {
  #orders: Order[] = [];
  readonly #stalled = new Set<() => void>();

  failNext(which: number | FaultPredicate, fault: Fault): void {
    const isCount = typeof which === "number";
    this.#orders.push({ left: isCount ? which : 1, matches: isCount ? () => true : which, fault });
  }

  failEvery(predicate: FaultPredicate, fault: Fault): void {
    this.#orders.push({ left: Number.POSITIVE_INFINITY, matches: predicate, fault });
  }

  get pending(): number {
    return this.#orders.reduce((sum, { left }) => sum + (Number.isFinite(left) ? left : 0), 0);
  }

  get stalled(): number {
    return this.#stalled.size;
  }

  releaseStalled(): void {
    for (const release of [...this.#stalled]) release();
  }

  clear(): void {
    this.#orders = [];
  }

  /** The fault of this request; its order is used up. */
  take(request: CapturedRequest): Fault | null {
    const order = this.#orders.find(
      ({ fault, matches }) => (fault.kind !== "resetOnReuse" || request.numberOnSocket > 1) && matches(request),
    );
    if (order === undefined) return null;
    order.left -= 1;
    if (order.left <= 0) this.#orders = this.#orders.filter((other) => other !== order);
    return order.fault;
  }

  /**
   * Stands still until released or until `onGone` calls back.
   * @param onGone registers what is called when the connection ends
   */
  stall(onGone: (callback: () => void) => void): Promise<void> {
    return new Promise((resolve) => {
      const release = (): void => {
        this.#stalled.delete(release);
        resolve();
      };
      this.#stalled.add(release);
      onGone(release);
    });
  }
}

/** The error of a `throttle` fault. */
export function throttleRefusal(fault: Fault & { readonly kind: "throttle" }): Refusal {
  return refuse(fault.code, { headers: ["x-oss-qos-delay-time", String(fault.delayMs)] });
}

/** The answer of an `answer` fault; 204 and 304 have no body. */
export function cannedAnswer(fault: Fault & { readonly kind: "answer" }): Answer {
  const headers = fault.headers ?? [];
  const hasBody = fault.status !== 204 && fault.status !== 304;
  return hasBody
    ? bytesAnswer(fault.status, headers, Buffer.from(fault.body ?? ""))
    : bodilessAnswer(fault.status, headers);
}
