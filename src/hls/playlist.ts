/** What a playlist is rewritten with. Paths are decoded, as the client writes them, and begin with `/`. */
export interface PlaylistRewrite {
  /** The path under which the client asked for the playlist. */
  readonly playlistPath: string;
  /** Links are minted only inside it; ends at `/`. What lies outside stays as it is. */
  readonly scope: string;
  /**
   * The client's path of an absolute URL, `null` when it is none of ours and stays untouched.
   * @param authority lower case, with the port as written
   * @param path decoded
   */
  clientPath(authority: string, path: string): string | null;
  /**
   * The query that makes a link of a path.
   * @param path decoded
   * @param parameters of the URI in the playlist that OSS knows; they must be signed
   * @returns without `?`, never empty
   */
  link(
    path: string,
    kind: "segment" | "playlist",
    parameters: readonly (readonly [name: string, value: string | null])[],
  ): string;
}

export type RewrittenPlaylist =
  | { readonly ok: true; readonly body: Buffer }
  /** One sentence for an operator. */
  | { readonly ok: false; readonly reason: string };
