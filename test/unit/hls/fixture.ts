import type { LinkKind, PlaylistRewrite, UriParameters } from "../../../src/hls/playlist.js";
import { decodeQueryText, isV1SignedParameter } from "../../../src/signing/canonical.js";

/** A link that was asked for, and the query that stands for it in the output. */
export interface Minted {
  readonly path: string;
  readonly kind: LinkKind;
  readonly parameters: UriParameters;
  readonly query: string;
}

export const PLAYLIST_PATH = "/vod/show 1/master.m3u8";
export const SCOPE = "/vod/";
export const OUR_HOST = "media.example.com";
export const OUR_BUCKET_HOST = "media.oss-cn-hangzhou.aliyuncs.com:8080";

/** A rewrite that remembers what it minted; two hosts are ours, one of them under `/vod`. */
export function rewriteFor(
  playlistPath = PLAYLIST_PATH,
  scope = SCOPE,
): PlaylistRewrite & { readonly minted: Minted[] } {
  const minted: Minted[] = [];
  return {
    minted,
    playlistPath,
    scope,
    clientPath: (authority, path) => {
      if (authority === OUR_HOST) return path;
      return authority === OUR_BUCKET_HOST ? `/vod${path}` : null;
    },
    link: (path, kind, parameters) => {
      const query = `ossgate-link=${minted.length}`;
      minted.push({ path, kind, parameters, query });
      return query;
    },
    decodeQueryText,
    isOssParameter: isV1SignedParameter,
  };
}
