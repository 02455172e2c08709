/** What stands in for the bucket: the files that are fetched, and the program that takes uploads. */
import { randomBytes } from "node:crypto";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { nginxConfig, originFlavour } from "./nginx-config.js";
import { canPin, findProgram, freePort, LOAD_CORE, type StartedProgram, startProgram } from "./processes.js";
import { untilListening } from "./ready.js";

export const KIB = 1024;
export const MIB = 1024 * KIB;

export interface Origin {
  readonly filesPort: number;
  readonly uploadsPort: number;
  /** What a GET of each path has to bring. */
  readonly contents: ReadonlyMap<string, Buffer>;
  readonly programs: readonly StartedProgram[];
}

const FILES: readonly (readonly [path: string, bytes: number])[] = [
  ["/1k", KIB],
  ["/64k", 64 * KIB],
  ["/100m", 100 * MIB],
];

/** Media playlists are long where programmes are: 1,000 segments of 6 s are 100 minutes. */
export const PLAYLIST = [
  ...["#EXTM3U", "#EXT-X-VERSION:3", "#EXT-X-TARGETDURATION:6", "#EXT-X-MEDIA-SEQUENCE:0"],
  ...Array.from({ length: 1_000 }, (_, i) => `#EXTINF:6.0,\nsegment-${String(i).padStart(5, "0")}.ts`),
  "#EXT-X-ENDLIST\n",
].join("\n");

export const PLAYLIST_BYTES = PLAYLIST.length;

const UPLOAD_SINK_FILE = fileURLToPath(new URL("upload-sink.ts", import.meta.url));

/** Starts both origins on the core of the load, with their files in `directory`. */
export async function startOrigin(directory: string): Promise<Origin> {
  const nginx = findProgram("nginx");
  if (nginx === null) throw new Error("nginx is needed as the origin and is not installed");
  const contents = writeFiles(join(directory, "files"));
  const files = await startFiles(nginx, directory);
  const uploads = await startUploads(directory);
  return { filesPort: files.port, uploadsPort: uploads.port, contents, programs: [files.program, uploads.program] };
}

/** Arguments that make Node run a TypeScript file of this folder. */
export function nodeArgs(file: string, ...args: readonly string[]): readonly string[] {
  return [`--import=${import.meta.resolve("tsx")}`, file, ...args];
}

function writeFiles(directory: string): ReadonlyMap<string, Buffer> {
  mkdirSync(directory);
  // A proxy that puts the bucket into the path finds the same files.
  symlinkSync(".", join(directory, "bench-bucket"));
  const contents = new Map<string, Buffer>();
  writeFileSync(join(directory, "p1000.m3u8"), PLAYLIST);
  contents.set("/p1000.m3u8", Buffer.from(PLAYLIST));
  for (const [path, bytes] of FILES) {
    const content = randomBytes(bytes);
    writeFileSync(join(directory, path), content);
    contents.set(path, content);
  }
  return contents;
}

async function startFiles(nginx: string, directory: string) {
  const port = await freePort();
  const configFile = join(directory, "nginx.conf");
  const httpBlock = originFlavour(join(directory, "files"))({ listenPort: port, originPort: 0 });
  writeFileSync(configFile, nginxConfig(directory, httpBlock));
  const args = ["-p", directory, "-e", join(directory, "error.log"), "-c", configFile];
  return { port, program: await startBeside(directory, port, { command: nginx, args }) };
}

async function startUploads(directory: string) {
  const port = await freePort();
  const args = nodeArgs(UPLOAD_SINK_FILE, String(port));
  return { port, program: await startBeside(directory, port, { command: process.execPath, args }) };
}

async function startBeside(
  directory: string,
  port: number,
  command: { readonly command: string; readonly args: readonly string[] },
): Promise<StartedProgram> {
  const output = { stdoutFile: join(directory, "stdout.log"), stderrFile: join(directory, "stderr.log") };
  const program = startProgram(command, canPin() ? LOAD_CORE : null, output);
  await Promise.race([untilListening(port), program.diesEarly]);
  return program;
}
