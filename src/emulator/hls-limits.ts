/** What a playlist may have. OSS has such limits and does not publish the numbers (oss-semantics §4.2). */
export interface HlsSignLimits {
  readonly playlistBytes: number;
  /** TS lines of one playlist. */
  readonly segments: number;
  /** Playlist lines of one master playlist. */
  readonly variants: number;
}

export const DEFAULT_HLS_SIGN_LIMITS: HlsSignLimits = { playlistBytes: 2 ** 20, segments: 10_000, variants: 100 };
