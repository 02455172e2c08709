import type { SecretRef } from "./gateway-config-credentials.js";

export interface SocketAddress {
  /** IPv4 or IPv6 literal without brackets. */
  readonly host: string;
  /** 0 to 65535; 0 takes any free port. */
  readonly port: number;
}

/** An address to bind, or a socket that systemd has bound already. */
export interface ListenAddress extends SocketAddress {
  /** The name of systemd's socket; then host is `""` and port 0. `null`: bind it. */
  readonly systemd: string | null;
}

export interface ListenerConfig {
  readonly name: string;
  readonly address: ListenAddress;
  /** `null`: plain HTTP. */
  readonly tls: TlsConfig | null;
  /** Connections from trusted proxies begin with a PROXY header, v1 or v2. */
  readonly proxyProtocol: boolean;
}

/** Certificates and what clients must show. */
export interface TlsConfig {
  /** The first is for clients that name no host. */
  readonly certificates: readonly CertificateConfig[];
  readonly minVersion: "TLSv1.2" | "TLSv1.3";
  readonly http2: boolean;
  /** Authorities of client certificates; `null`: none is asked for. */
  readonly clientCaFile: string | null;
  /** Counts only with `clientCaFile`. */
  readonly clientCertificate: "required" | "optional";
}

/** Two PEM files, or a directory as certbot and acme.sh lay it out. */
export type CertificateConfig =
  | { readonly certFile: string; readonly keyFile: string; readonly directory: null }
  | { readonly certFile: null; readonly keyFile: null; readonly directory: string };

export interface AdminConfig {
  readonly address: SocketAddress;
  /** Guards the admin listener where others than this machine reach it, and everywhere what signs or changes; `null`: there is none, and `POST /sign` and `POST /policy` are off. */
  readonly bearerSecret: SecretRef | null;
  /** Opens what is only read: metrics and pages; `null`: the bearer secret alone does. */
  readonly readerSecret: SecretRef | null;
}
