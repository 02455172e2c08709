import type { Denial } from "../core/errors.js";
import type { HeaderList } from "../core/headers.js";
import type { Operation } from "../core/operations.js";
import type { QueryPairs } from "./types.js";

/** What clients of a route that the gateway signs may ask for; made once from the configuration. */
export interface SignedRequestRules {
  /** Whether the route's methods have PUT: then uploads and their headers are allowed. */
  readonly allowsPut: boolean;
  readonly operations: ReadonlySet<Operation>;
  /** Values of `x-oss-process`; a `*` at the end stands for letters, digits and `_,.-`. */
  readonly process: readonly string[];
  /** Full names, `response-content-type` say. */
  readonly responseOverrides: ReadonlySet<string>;
  /** Decoded; `""` for none. */
  readonly keyPrefix: string;
}

/** A request as the client made it. */
export interface AskedRequest {
  readonly method: string;
  /** Decoded, without leading slash and without the route's key prefix; `""` asks for the bucket itself. */
  readonly key: string;
  /** Without `?`, and without what the gateway's own links added. */
  readonly rawQuery: string;
  /** The client's header lines, all of them. */
  readonly headers: HeaderList;
  /** The request carries an OSS signature that was verified here: its parameters and headers are taken off. */
  readonly carriesVerifiedSignature: boolean;
}

/** What the gateway signs and sends, or why it does not. */
export type FilteredRequest =
  | {
      readonly ok: true;
      /** With the key prefix; `""` for a request on the bucket itself. */
      readonly key: string;
      /** Decoded, what OSS does not know taken out. */
      readonly query: QueryPairs;
      /** End-to-end headers of the client that go upstream, in their order and case; no Host, no framing. */
      readonly headers: HeaderList;
      /** The named operation it is; `null` for plain reads and writes of one object. */
      readonly operation: Operation | null;
    }
  | { readonly ok: false; readonly denial: Denial };
