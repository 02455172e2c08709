import { LineCounter } from "yaml";
import { isHidden } from "./hidden-values.js";
import { type Complaint, formatPath, type Path, type Problem, quote, shorten } from "./problem.js";
import { type Located, readYaml } from "./yaml-reader.js";

/** The text of a configuration file as plain data, with the place of every value. */
export class Source {
  readonly #fileName: string;
  readonly #lines: LineCounter;
  readonly #root: Located | null;
  /** Problems of the syntax. */
  readonly problems: readonly Problem[];
  /** Whether the problems leave a value worth checking further. */
  readonly isUsable: boolean;

  constructor(rawText: string, fileName: string) {
    this.#fileName = fileName;
    const text = rawText.startsWith("\uFEFF") ? rawText.slice(1) : rawText;
    this.#lines = countLines(text);
    const { root, complaints, isUsable } = readYaml(text);
    this.#root = root;
    this.isUsable = isUsable;
    const problems = complaints.map(({ offset, path, ...rest }) => this.#problem(offset, path, rest, "nothing"));
    this.problems = isUsable ? problems : firstOfLines(problems);
  }

  /** Maps without prototypes, lists, scalars; `undefined` when there is nothing. */
  get value(): unknown {
    return this.#root?.value;
  }

  has(path: Path): boolean {
    return this.#find(path) !== null;
  }

  /** The text that stands at a path; `null` when there is none. */
  textAt(path: Path): string | null {
    const node = this.#find(path);
    return node?.kind === "text" ? node.written : null;
  }

  /** A scalar as it is written, for messages; `"nothing"` when there is none. */
  writtenAt(path: Path): string {
    const node = this.#find(path);
    return node === null ? "nothing" : foundText(node, isHidden(path));
  }

  /** The line of a value that exists, from 1. */
  lineOf(path: Path): number {
    return this.#lines.linePos(this.#find(path)?.valueOffset ?? 0).line;
  }

  /** A problem at a path; when nothing stands there, at the nearest parent's key. */
  problem(path: Path, complaint: Complaint): Problem {
    const node = this.#find(path);
    if (node === null) return this.#problem(this.#parentOffset(path), formatPath(path), complaint, "nothing");
    return this.#problem(
      complaint.atKey === true ? node.keyOffset : node.valueOffset,
      formatPath(path),
      complaint,
      foundText(node, isHidden(path)),
    );
  }

  #find(path: Path): Located | null {
    let node = this.#root;
    for (const step of path) node = node?.children.get(step) ?? null;
    return node;
  }

  #parentOffset(path: Path): number {
    for (let length = path.length - 1; length > 0; length -= 1) {
      const parent = this.#find(path.slice(0, length));
      if (parent !== null) return parent.keyOffset;
    }
    return this.#root?.valueOffset ?? 0;
  }

  #problem(offset: number, path: string, complaint: Complaint, found: string): Problem {
    const { line, col } = this.#lines.linePos(offset);
    return {
      file: this.#fileName,
      line: Math.max(line, 1),
      col: Math.max(col, 1),
      path,
      expected: complaint.expected,
      found: complaint.found ?? found,
      hint: complaint.hint ?? "",
    };
  }
}

function foundText(node: Located, isHidden: boolean): string {
  if (isHidden && node.kind === "text") return node.written === "" ? "an empty text" : "a text";
  if (isHidden && node.kind === "bare") return "a value";
  if (node.kind === "text") return quote(node.written);
  if (node.kind === "bare") return shorten(node.written);
  if (node.kind === "nothing") return "nothing";
  if (node.children.size === 0) return node.kind === "map" ? "an empty map" : "an empty list";
  return node.kind === "map" ? "a map" : "a list";
}

/** A fault that ends the reading makes the rest of its line look wrong as well. */
function firstOfLines(problems: readonly Problem[]): readonly Problem[] {
  const first = new Map<number, Problem>();
  for (const problem of problems) if (!first.has(problem.line)) first.set(problem.line, problem);
  return [...first.values()];
}

function countLines(text: string): LineCounter {
  const lines = new LineCounter();
  lines.addNewLine(0);
  for (let end = text.indexOf("\n"); end !== -1; end = text.indexOf("\n", end + 1)) lines.addNewLine(end + 1);
  return lines;
}
