import { randomBytes } from "node:crypto";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { extname, join } from "node:path";
import type { Emulator } from "../../../src/emulator/index.js";
import type { Teardown } from "../../support/gateway.js";
import { runProgram, temporaryDirectory } from "../programs.js";

/** What every set shows: a test picture and a tone, in two sizes. */
export const SECONDS = 6;
export const FRAMES_PER_SECOND = 15;
export const SIZES = { low: "160x90", high: "320x180" } as const;

/**
 * Real HLS sets, each below its own directory and with a segment for each second:
 * `ts` is plain MPEG-TS; `aes` is encrypted with AES-128, its key beside the variants' directories, one of which has a
 * plus in its name; `fmp4` is fragmented MP4 with `EXT-X-MAP`; all of these have a master playlist with two variants.
 * `ranges` is one MP4 file, whose playlist `all.m3u8` names byte ranges.
 */
export interface Media {
  /** Where the sets lie on this disk. */
  readonly directory: string;
  /** The entry playlist of each set, relative to `directory`. */
  readonly playlists: Readonly<Record<MediaSet, string>>;
  /** Files by their path relative to `directory`, with slashes. */
  readonly files: ReadonlyMap<string, Buffer>;
}

export type MediaSet = "ts" | "aes" | "fmp4" | "ranges";

const PLAYLISTS = {
  ts: "ts/master.m3u8",
  aes: "aes/master.m3u8",
  fmp4: "fmp4/master.m3u8",
  ranges: "ranges/all.m3u8",
} as const;

/** Makes the sets with ffmpeg, in a directory that goes with the test. @throws Error with what ffmpeg said */
export async function makeMedia(t: Teardown): Promise<Media> {
  const directory = await temporaryDirectory(t);
  const at = (path: string): string => join(directory, path);
  await ffmpeg([...SOURCE, "-f", "mp4", at("source")]);
  await mkdir(at("aes/keys"), { recursive: true });
  await mkdir(at("ranges"));
  await writeFile(at("aes/keys/one.key"), randomBytes(16));
  await writeFile(at("key-info"), `../keys/one.key\n${at("aes/keys/one.key")}\n`);
  const copy = ["-i", at("source"), "-c", "copy", "-f", "hls", "-hls_time", "1", "-hls_playlist_type", "vod"];
  const master = (set: string, high: string, ending: string): string[] => [
    ...["-map", "0:0", "-map", "0:2", "-map", "0:1", "-map", "0:2", "-master_pl_name", "master.m3u8"],
    ...["-var_stream_map", `v:0,a:0,name:low v:1,a:1,name:${high}`],
    ...["-hls_segment_filename", at(`${set}/%v/%03d.${ending}`), at(`${set}/%v/index.m3u8`)],
  ];
  const fmp4 = ["-hls_segment_type", "fmp4"];
  await ffmpeg([...copy, ...master("ts", "high", "ts")]);
  await ffmpeg([...copy, "-hls_key_info_file", at("key-info"), ...master("aes", "high+", "ts")]);
  await ffmpeg([...copy, ...fmp4, "-hls_fmp4_init_filename", "init.mp4", ...master("fmp4", "high", "m4s")]);
  await ffmpeg([...copy, ...fmp4, "-hls_flags", "single_file", "-map", "0:0", "-map", "0:2", at("ranges/all.m3u8")]);
  return { directory, playlists: PLAYLISTS, files: await readTree(directory) };
}

// A key frame each second, so that each second can be a segment. Two pictures of different size, and one tone.
const SOURCE = [
  ...["-f", "lavfi", "-i", `testsrc2=size=320x180:rate=${FRAMES_PER_SECOND}`],
  ...["-f", "lavfi", "-i", "sine=frequency=440:sample_rate=44100", "-t", String(SECONDS)],
  ...["-map", "0:v", "-map", "0:v", "-map", "1:a", "-s:v:0", SIZES.low, "-s:v:1", SIZES.high],
  ...["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-b:v", "300k"],
  ...["-g", String(FRAMES_PER_SECOND), "-keyint_min", String(FRAMES_PER_SECOND), "-sc_threshold", "0"],
  ...["-c:a", "aac", "-b:a", "64k", "-ac", "1"],
];

async function ffmpeg(args: readonly string[]): Promise<void> {
  const { code, stderr } = await runProgram("ffmpeg", ["-nostdin", "-v", "error", ...args]);
  if (code !== 0) throw new Error(`ffmpeg could not make the media: ${stderr}`);
}

async function readTree(directory: string): Promise<ReadonlyMap<string, Buffer>> {
  const files = new Map<string, Buffer>();
  for (const path of await readdir(directory, { recursive: true })) {
    if (CONTENT_TYPES.has(extname(path))) files.set(path, await readFile(join(directory, path)));
  }
  return files;
}

const CONTENT_TYPES: ReadonlyMap<string, string> = new Map([
  [".m3u8", "application/vnd.apple.mpegurl"],
  [".ts", "video/mp2t"],
  [".m4s", "video/iso.segment"],
  [".mp4", "video/mp4"],
  [".key", "application/octet-stream"],
]);

/** Stores one file of an HLS set with the type that its name stands for. */
export function upload(emulator: Emulator, bucket: string, key: string, body: string | Buffer): void {
  emulator.putObject(bucket, key, body, { "Content-Type": CONTENT_TYPES.get(extname(key)) ?? "text/plain" });
}
