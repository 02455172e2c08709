/** The CPU that it takes to rewrite one playlist, without the serving of it: measured in this process. */
import { Secret } from "../../src/core/secret.js";
import { rewritePlaylist } from "../../src/hls/playlist.js";
import { LinkSigner } from "../../src/policy/link-token.js";
import { decodeQueryText } from "../../src/signing/canonical.js";
import { isKnownParameter } from "../../src/signing/request-parameters.js";
import { PLAYLIST } from "./origin.js";
import { median } from "./statistics.js";

const ROUND_COUNT = 5;
const PLAYLISTS_PER_ROUND = 300;

/** CPU microseconds, user and kernel, per playlist of 1,000 segments: one figure a round. */
export function rewriteCpuUs(): { readonly median: number; readonly rounds: readonly number[] } {
  const body = Buffer.from(PLAYLIST);
  const signer = new LinkSigner(new Secret("a secret for links of 32 bytes.."), "bench");
  const expiresSeconds = Math.floor(Date.now() / 1_000) + 3_600;
  const rewriteOne = (): void => {
    const link = signer.batch({ expiresSeconds, client: "203.0.113.9", method: "GET", scope: null });
    const rewritten = rewritePlaylist(body, {
      playlistPath: "/p1000.m3u8",
      scope: "/",
      clientPath: () => null,
      link: (path) => link(path),
      decodeQueryText,
      isOssParameter: isKnownParameter,
    });
    if (!rewritten.ok || rewritten.body.length < 2 * body.length) throw new Error("the playlist was not rewritten");
  };
  const rounds = Array.from({ length: ROUND_COUNT + 1 }, () => {
    const before = process.cpuUsage();
    for (let i = 0; i < PLAYLISTS_PER_ROUND; i += 1) rewriteOne();
    const { user, system } = process.cpuUsage(before);
    return (user + system) / PLAYLISTS_PER_ROUND;
  }).slice(1);
  return { median: median(rounds), rounds };
}
