/** Of what a link is: a segment, key or initialization section, or another playlist. */
export type LinkKind = "segment" | "playlist";

/** Decoded parameters in their order; a value is `null` when the parameter came without `=`. */
export type UriParameters = readonly (readonly [name: string, value: string | null])[];

/** What a playlist is rewritten with. Paths are decoded, as the client writes them, and begin with `/`. */
export interface PlaylistRewrite {
  /** The path under which the client asked for the playlist. */
  readonly playlistPath: string;
  /** Links are minted only inside it; ends at `/`. What lies outside stays as it is. */
  readonly scope: string;
  /**
   * The client's path of an absolute URL, `null` when it is none of ours and stays untouched.
   * @param authority lower case, with the port as written
   * @param path decoded, without dot segments
   */
  clientPath(authority: string, path: string): string | null;
  /**
   * The query that makes a link of a path.
   * @param path decoded, without dot segments; inside `scope`, never the name of a directory
   * @param parameters of the URI in the playlist that OSS knows; they must be signed
   * @returns without `?`, never empty
   */
  link(path: string, kind: LinkKind, parameters: UriParameters): string;
  /** Decodes a raw name or value of a query, as whoever checks the link will. Must not throw. */
  decodeQueryText(raw: string): string;
  /** Whether a parameter of that name, decoded, means something to OSS and must be signed. */
  isOssParameter(name: string): boolean;
}
