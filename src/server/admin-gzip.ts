import { promisify } from "node:util";
import { gzip } from "node:zlib";
import type { AdminAnswer } from "./admin-answer.js";

const compress = promisify(gzip);

/** Below it the frame costs more than it saves. */
const MIN_BYTES = 1_024;
/** Pages of metrics repeat themselves: a tenth is left at the fastest level, and the next ones gain little. */
const LEVEL = 1;

/** The answer, compressed where it is worth it and the client takes that; by another thread than the one that serves. */
export async function gzipFor(acceptEncoding: string | undefined, answer: AdminAnswer): Promise<AdminAnswer> {
  const headers = { ...answer.headers, Vary: "Accept-Encoding" };
  if (Buffer.byteLength(answer.body) < MIN_BYTES || !takesGzip(acceptEncoding)) return { ...answer, headers };
  const body = await compress(answer.body, { level: LEVEL });
  return { ...answer, body, headers: { ...headers, "Content-Encoding": "gzip" } };
}

/** RFC 9110 §12.5.3; nothing said means as it is. */
export function takesGzip(acceptEncoding = ""): boolean {
  let byStar = false;
  for (const element of acceptEncoding.toLowerCase().split(",")) {
    const [coding = "", ...parameters] = element.split(";").map((part) => part.trim());
    const isTaken = !parameters.some((parameter) => /^q\s*=\s*0(?:\.0*)?$/.test(parameter));
    if (coding === "gzip" || coding === "x-gzip") return isTaken;
    if (coding === "*") byStar = isTaken;
  }
  return byStar;
}
