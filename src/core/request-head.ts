import type { HeaderList } from "./headers.js";

/** All that pure code may see of a request. */
export interface RequestHead {
  readonly method: string;
  /** `Host` in lower case, without port and trailing dot. */
  readonly host: string;
  /** The request target as it arrived; this is what is sent. */
  readonly rawTarget: string;
  /** The path decoded exactly once; this is what decides. */
  readonly path: string;
  /** The raw query without `?`; empty when there is none. */
  readonly rawQuery: string;
  readonly headers: HeaderList;
  /** Textual IPv4 or IPv6 address. */
  readonly clientIp: string;
  readonly isTls: boolean;
}
