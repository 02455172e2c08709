/**
 * Links that the gateway's own secret signed: they admit their bearer to a route that is otherwise closed.
 * The parameters of a link are taken off before the upstream.
 */

/** What a link says. Times in Unix seconds. */
export interface LinkClaims {
  readonly route: string;
  /** Decoded path as the client asks for it; with `isPrefix` it ends at `/` and the link covers all below. */
  readonly path: string;
  readonly isPrefix: boolean;
  readonly expiresSeconds: number;
  /** The decoded path prefix inside which a playlist that this link admits may mint links; `null`: see `isPrefix`, then the playlist's directory. */
  readonly scope: string | null;
  /** The client's address, canonical; `null`: any. */
  readonly client: string | null;
  /** `GET` admits HEAD too. */
  readonly method: string;
  /** Decoded parameters that go upstream, in any order; they are signed. Empty for most links. */
  readonly parameters: readonly (readonly [name: string, value: string | null])[];
}
