/** Where a request comes from, as the connection and its head tell it. */
export interface ClientIpFacts {
  /** The peer, of the socket or of a PROXY header that is believed. Canonical (see `canonicalClient`). */
  readonly peer: string;
  /** All values of X-Forwarded-For, joined with commas in order; `""` for none. */
  readonly forwardedFor: string;
}

/** The client's address, canonical. The rightmost address that is no trusted proxy's wins (RFC 7239 §8.1 on trust). */
export type FindClientIp = (facts: ClientIpFacts) => string;
