import type { OssCredentials } from "../core/secret.js";

/** What happened to a source, for metrics and the log. Messages never hold a secret. */
export interface CredentialsEvents {
  /** New credentials are in use. */
  onRefreshed(name: string, expiresAtMs: number | null): void;
  /** The last good ones stay in use until they expire. `message` is one sentence for an operator. */
  onRefreshFailed(name: string, message: string): void;
}

/** Credentials that are refreshed in the background: whoever signs never waits. */
export interface CredentialsSource {
  /** The name in the configuration. */
  readonly name: string;
  /** The set to sign with; `null` before the first success and once the last good one has expired. */
  current(nowMs: number): OssCredentials | null;
  /**
   * The set with this id among those that were current and have not expired: what a verifier needs, for links that were
   * signed before a rotation. Bounded.
   */
  find(accessKeyId: string, nowMs: number): OssCredentials | null;
  /** Begins to refresh. Resolves when the first try has ended, well or not; never rejects. */
  start(): Promise<void>;
  /** OSS refused these credentials: refresh soon, at most every few seconds. */
  noteRefused(accessKeyId: string): void;
  /** Ends timers, watchers and running requests. */
  close(): void;
}
