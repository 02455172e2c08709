import type { SecretRef } from "./gateway-config-credentials.js";

/** Who may use a route. At least one member. */
export interface AllowConfig {
  /** Said out loud: everybody. Then it is the only member. */
  readonly anyone: boolean;
  /** CIDRs and single addresses; empty: no member. */
  readonly clients: readonly string[];
  readonly links: LinksConfig | null;
  /** Requests whose OSS signature was verified here; needs `clientSignatures: verify`. */
  readonly signatures: boolean;
  /** Names and passwords of a file. */
  readonly basic: { readonly file: string; readonly realm: string } | null;
  readonly forwardAuth: ForwardAuthConfig | null;
  /** Subjects of client certificates, `CN=partner.example.com` or `*` for each that an authority vouches for; empty: no member. */
  readonly certificates: readonly string[];
}

/** Asks an HTTP service whether a request may pass: 2xx says yes. */
export interface ForwardAuthConfig {
  /** http or https; path and query are used as they are. */
  readonly url: URL;
  /** Lower case names of the client's headers that the service is sent. */
  readonly requestHeaders: readonly string[];
  readonly timeoutMs: number;
  /** How long an answer holds; 0: it is asked each time. */
  readonly cacheMs: number;
  readonly caFile: string | null;
}

export interface LinksConfig {
  /** Signs and checks. */
  readonly secret: SecretRef;
  /** Only check: the secrets of before a rotation. */
  readonly previousSecrets: readonly SecretRef[];
  /** A link that expires later than this from now is refused. */
  readonly maxAgeMs: number;
  /** NGINX's `secure_link_md5`, for those who migrate. */
  readonly secureLink: {
    /** As in NGINX, `$secure_link_expires$uri$remote_addr $secret`; `$secret` stands for the secret. */
    readonly expression: string;
    readonly secret: SecretRef;
    /** Names of the query parameters: `md5`, `expires`. */
    readonly md5Parameter: string;
    readonly expiresParameter: string;
  } | null;
}
