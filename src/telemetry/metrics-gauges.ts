/** What is read from the upstreams at a scrape. */
export interface UpstreamGauges {
  readonly id: string;
  readonly addresses: number;
  readonly setAside: number;
  readonly inFlight: number;
  /** OSS's clock less ours; `null` where nothing was signed. */
  readonly clockSkewMs: number | null;
  /** The addresses themselves; absent where nobody tells. */
  readonly pools?: readonly AddressGauges[];
}

/** One address of an upstream. */
export interface AddressGauges {
  readonly address: string;
  readonly isSetAside: boolean;
  readonly inFlight: number;
}

/** What is read from a source of credentials at a scrape. */
export interface CredentialsGauges {
  readonly name: string;
  /** Whether there are valid ones. */
  readonly isValid: boolean;
  /** Unix milliseconds; `null` for credentials that do not expire, and where there are none. */
  readonly expiresAtMs: number | null;
}
