import { spawnSync } from "node:child_process";
import { type Ran, runProgram } from "../programs.js";

/** Test options: skips with a message where ffmpeg is absent, unless all peers must be there. */
export const NEEDS_FFMPEG = needsProgram("ffmpeg", "-version", "ffmpeg");

/** @param versionFlag what makes the program print its version and end well */
export function needsProgram(program: string, versionFlag: string, debianPackage: string): { readonly skip?: string } {
  if (process.env.OSSGATE_REQUIRE_PEERS === "1" || spawnSync(program, [versionFlag]).status === 0) return {};
  return { skip: `${program} is not installed (apt-get install ${debianPackage})` };
}

/** Decoded frames of one stream. */
export interface StreamFrames {
  readonly codec: string;
  /** Of the picture; 0 for sound. */
  readonly width: number;
  readonly frames: number;
}

/** Decodes all streams of all variants with ffprobe and counts their frames. @throws Error unless it went well and quietly */
export async function countFrames(source: string): Promise<readonly StreamFrames[]> {
  const entries = "stream=codec_name,width,nb_read_frames";
  const { code, stdout, stderr } = await runProgram("ffprobe", [
    ...["-v", "error", "-count_frames", "-show_entries", entries, "-of", "json", ...fileOptions(source), source],
  ]);
  if (code !== 0 || stderr !== "") throw new Error(`ffprobe ended with ${code}: ${stderr}`);
  const { streams } = JSON.parse(stdout.toString()) as { readonly streams: readonly ProbedStream[] };
  return streams.map((stream) => ({
    codec: stream.codec_name,
    width: stream.width ?? 0,
    frames: Number(stream.nb_read_frames),
  }));
}

interface ProbedStream {
  readonly codec_name: string;
  readonly width?: number;
  readonly nb_read_frames: string;
}

/** On a disk ffmpeg opens only files whose names it knows; a server's names are free. */
const fileOptions = (source: string): readonly string[] =>
  source.startsWith("http:") ? [] : ["-allowed_extensions", "ALL"];

/** What `ffmpeg -i … -f null -` made of a source. */
export interface Played extends Ran {
  /** Decoded pictures. */
  readonly frames: number;
  readonly seconds: number;
}

/** Plays the best variant to its end, as fast as it comes; `-xerror` makes ffmpeg end at the first damaged frame. */
export async function playToTheEnd(source: string, options: readonly string[] = []): Promise<Played> {
  const ran = await runProgram("ffmpeg", [
    ...["-nostdin", "-v", "error", "-xerror", "-progress", "pipe:1", ...options, ...fileOptions(source), "-i", source],
    ...["-f", "null", "-"],
  ]);
  const last = (name: string): number => {
    const found = [...ran.stdout.toString().matchAll(new RegExp(`^${name}=\\s*(\\d+)`, "gm"))].at(-1);
    return Number(found?.[1] ?? Number.NaN);
  };
  return { ...ran, frames: last("frame"), seconds: last("out_time_us") / 1e6 };
}
