/** One line of the access log. Times in milliseconds, sizes in bytes; absent values are left out. */
export interface AccessEntry {
  readonly requestId: string;
  readonly client: string;
  readonly host: string;
  readonly method: string;
  /** Signature parameters masked, unless `log.access.unmasked` says otherwise. */
  readonly target: string;
  readonly protocol: string;
  /** The request line where method, target and protocol do not make it up: absolute-form, or no HTTP. Masked likewise. */
  readonly requestLine?: string | undefined;
  /** The name of a Basic `Authorization`, whether or not it opened anything. */
  readonly remoteUser?: string | undefined;
  /** Of the certificate that the client showed, `CN=partner.example.com,O=Example Ltd`. */
  readonly clientSubject?: string | undefined;
  readonly referer?: string | undefined;
  readonly userAgent?: string | undefined;
  readonly route: string;
  readonly bucket?: string | undefined;
  readonly status: number;
  /** How the request was signed. */
  readonly signature: string;
  readonly receivedBytes: number;
  readonly sentBytes: number;
  readonly durationMs: number;
  readonly upstreamMs?: number | undefined;
  readonly upstream?: string | undefined;
  readonly attempts?: number | undefined;
  readonly ossRequestId?: string | undefined;
  readonly ossEc?: string | undefined;
  /** The gateway's own code when it refused or failed. */
  readonly error?: string | undefined;
  /** One sentence about `error`. */
  readonly detail?: string | undefined;
  /** The code of what a policy that only reports (`mode: report`, `dryRun`) would have refused it with. */
  readonly reported?: string | undefined;
}
