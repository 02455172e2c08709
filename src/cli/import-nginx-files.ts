import { closeSync, constants, fstatSync, openSync, readdirSync, readFileSync } from "node:fs";
import { dirname, isAbsolute, join, relative, resolve } from "node:path";
import type { ConfFile, FindIncluded } from "../nginx/parse.js";

const MAX_FILE_BYTES = 16 * 1024 * 1024;
const MAX_MATCHES = 5_000;

/**
 * Reads one file.
 * @throws Error one sentence when it cannot be read, or is no plain file of a sensible size
 */
export function readConfFile(path: string): ConfFile {
  // Not to wait for a pipe that nobody writes to.
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile()) throw new Error(`${path} is no file`);
    if (stat.size > MAX_FILE_BYTES) throw new Error(`${path} is larger than ${MAX_FILE_BYTES} bytes`);
    return { path: shown(path), text: readFileSync(fd, "utf8") };
  } finally {
    closeSync(fd);
  }
}

/** Relative to where the command was given, when that is shorter. */
function shown(path: string): string {
  const short = relative(process.cwd(), resolve(path));
  return short.startsWith("..") || short.length > path.length ? path : short;
}

/**
 * Finds included files as NGINX does: relative names begin at the folder of the main file.
 * @param includeRoot the folder that holds a copy of another machine's files: absolute names are looked for below it
 */
export function includesOf(mainFile: string, includeRoot: string | null): FindIncluded {
  const prefix = dirname(resolve(mainFile));
  return (pattern) => {
    if (pattern === "" || pattern.includes("\0")) return "it names no file";
    const isFull = isAbsolute(pattern);
    const full = isFull && includeRoot !== null ? join(resolve(includeRoot), pattern) : resolve(prefix, pattern);
    const isPattern = /[*?[]/.test(pattern);
    try {
      const paths = isPattern ? expandPattern(full) : [full];
      return paths.map(readConfFile);
    } catch (error) {
      return `it cannot be read (${whyUnreadable(error)}); --include-root names the folder that a copy of absolute names is in`;
    }
  };
}

function whyUnreadable(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === "ENOENT") return "there is no such file";
  return code === "EACCES" ? "permission denied" : message;
}

/** The files that a path with wildcards means, in the order of their names. */
function expandPattern(pattern: string): readonly string[] {
  let found = ["/"];
  for (const segment of pattern.split("/").filter((part) => part !== "")) {
    if (!/[*?[]/.test(segment)) found = found.map((folder) => join(folder, segment));
    else {
      const expression = segmentExpression(segment);
      found = found.flatMap((folder) =>
        namesIn(folder)
          .filter((name) => expression.test(name))
          .map((name) => join(folder, name)),
      );
    }
    if (found.length > MAX_MATCHES) throw new Error(`more than ${MAX_MATCHES} files`);
  }
  return found.filter(isReadableFile).sort();
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function isReadableFile(path: string): boolean {
  try {
    readConfFile(path);
    return true;
  } catch (error) {
    // A folder among the files; what is a file and cannot be read is a fault.
    const { code } = error as NodeJS.ErrnoException;
    if (code !== undefined && code !== "ENOENT" && code !== "EISDIR" && code !== "ENXIO") throw error;
    return false;
  }
}

/** glob(7) of one segment; a leading dot is matched by a dot alone. */
function segmentExpression(segment: string): RegExp {
  const body = segment.replace(/\[!?[^\]]+\]|[\s\S]/g, (part) => {
    if (part === "*") return "[^/]*";
    if (part === "?") return "[^/]";
    if (part.length > 1) return `[${part.slice(1, -1).replace(/^!/, "^").replace(/[\\[]/g, "\\$&")}]`;
    return part.replace(/[.+^${}()|\\/[\]*?-]/g, "\\$&");
  });
  return new RegExp(`^${segment.startsWith(".") ? "" : "(?!\\.)"}${body}$`);
}
