import { type Document, isAlias, isMap, isScalar, isSeq, LineCounter, type Node, type Pair, parseDocument } from "yaml";
import {
  type Complaint,
  formatPath,
  type Path,
  type Problem,
  quote,
  type SyntaxComplaint,
  shorten,
} from "./problem.js";
import { nestingProblem } from "./yaml-nesting.js";
import { yamlProblem } from "./yaml-problem.js";

/** A value of the file together with where it stands. Offsets are UTF-16 units from the start of the text. */
interface Located {
  readonly kind: "map" | "list" | "text" | "bare" | "nothing";
  /** Plain data; maps have no prototype. */
  readonly value: unknown;
  readonly valueOffset: number;
  readonly keyOffset: number;
  /** How a scalar was written. */
  readonly written: string;
  readonly children: ReadonlyMap<string | number, Located>;
}

/** What a file may expand to when its aliases are followed. */
const MAX_NODES = 100_000;
const MAX_ALIASES = 100;
/** Of values inside of values; aliases can nest deeper than the text does. */
const MAX_DEPTH = 200;
const MAX_TEXT_LENGTH = 2 ** 20;

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
    this.#lines = new LineCounter();
    const text = rawText.startsWith("\uFEFF") ? rawText.slice(1) : rawText;
    const { root, complaints, isUsable } = read(text, this.#lines);
    this.#root = root;
    this.isUsable = isUsable;
    this.problems = complaints.map(({ offset, path, ...complaint }) =>
      this.#problem(offset, path, complaint, "nothing"),
    );
  }

  /** Maps without prototypes, lists, scalars; `undefined` when there is nothing. */
  get value(): unknown {
    return this.#root?.value;
  }

  has(path: Path): boolean {
    return this.#find(path) !== null;
  }

  /** `line 12` of a key or value that exists. */
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
      foundText(node),
    );
  }

  /** Whether what stands there is a bare word (a number, `true`) and not text. */
  isBareWord(path: Path): boolean {
    return this.#find(path)?.kind === "bare";
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

function foundText(node: Located): string {
  if (node.kind === "text") return quote(node.written);
  if (node.kind === "bare") return shorten(node.written);
  if (node.kind === "nothing") return "nothing";
  if (node.children.size === 0) return node.kind === "map" ? "an empty map" : "an empty list";
  return node.kind === "map" ? "a map" : "a list";
}

interface ReadResult {
  readonly root: Located | null;
  readonly complaints: readonly SyntaxComplaint[];
  readonly isUsable: boolean;
}

function read(text: string, lines: LineCounter): ReadResult {
  countLines(text, lines);
  const tooMuch = text.length > MAX_TEXT_LENGTH ? sizeComplaint() : nestingProblem(text);
  if (tooMuch !== null) return { root: null, complaints: [tooMuch], isUsable: false };
  const document = parseDocument(text, { prettyErrors: false });
  const complaints = [...document.errors, ...document.warnings].map((error) => yamlProblem(error, text));
  if (complaints.some((complaint) => !complaint.isHarmless)) return { root: null, complaints, isUsable: false };
  const reader = new Reader(document);
  const root = reader.read();
  return { root, complaints: [...complaints, ...reader.complaints], isUsable: reader.complaints.length === 0 };
}

function countLines(text: string, lines: LineCounter): void {
  lines.addNewLine(0);
  for (let end = text.indexOf("\n"); end !== -1; end = text.indexOf("\n", end + 1)) lines.addNewLine(end + 1);
}

function sizeComplaint(): SyntaxComplaint {
  const found = "a longer text";
  return { offset: 0, path: "(yaml)", expected: "a configuration file of at most 1 MiB", found };
}

/** Turns YAML nodes into {@link Located} values; follows aliases, within bounds. */
class Reader {
  readonly #document: Document;
  readonly complaints: SyntaxComplaint[] = [];
  /** Anchored nodes that are being read: an alias to one of them would never end. */
  readonly #open = new Set<Node>();
  #nodes = 0;
  #aliases = 0;
  #isTooMuch = false;

  constructor(document: Document) {
    this.#document = document;
  }

  read(): Located | null {
    const contents = this.#document.contents;
    if (contents === null) return null;
    return this.#node(contents, contents.range?.[0] ?? 0);
  }

  #node(node: Node | null, keyOffset: number): Located {
    this.#nodes += 1;
    if (this.#nodes > MAX_NODES || this.#open.size > MAX_DEPTH) return this.#tooMuch(keyOffset);
    const valueOffset = node?.range?.[0] ?? keyOffset;
    const place = { keyOffset, valueOffset, written: "", children: new Map() };
    if (isAlias(node)) return this.#alias(node, keyOffset);
    if (isMap<Node, Node>(node)) return this.#within(node, () => this.#map(node.items, place));
    if (isSeq<Node>(node)) return this.#within(node, () => this.#list(node.items, place));
    if (!isScalar(node) || node.value === null) return { ...place, kind: "nothing", value: null };
    const written = typeof node.value === "string" ? node.value : (node.source ?? String(node.value));
    return { ...place, kind: typeof node.value === "string" ? "text" : "bare", value: node.value, written };
  }

  #within(node: Node, read: () => Located): Located {
    this.#open.add(node);
    const located = read();
    this.#open.delete(node);
    return located;
  }

  #alias(
    node: Node & { readonly source: string; resolve(document: Document): Node | undefined },
    keyOffset: number,
  ): Located {
    this.#aliases += 1;
    if (this.#aliases > MAX_ALIASES) return this.#tooMuch(keyOffset);
    const target = node.resolve(this.#document);
    if (target !== undefined && !this.#open.has(target)) return this.#node(target, keyOffset);
    const offset = node.range?.[0] ?? keyOffset;
    this.complaints.push({
      offset,
      path: "(yaml)",
      expected: "a value",
      found: `*${shorten(node.source)}, which YAML takes for an alias`,
      hint:
        target === undefined
          ? `Put it in quotes: ${quote(`*${node.source}`)}.`
          : "An alias cannot stand inside of what it names.",
    });
    return { kind: "nothing", value: null, keyOffset, valueOffset: offset, written: "", children: new Map() };
  }

  #map(items: readonly Pair<Node, Node | null>[], place: Omit<Located, "kind" | "value">): Located {
    const value: Record<string, unknown> = Object.create(null);
    const children = new Map<string, Located>();
    for (const { key, value: item } of items) {
      const name = this.#keyName(key);
      if (name === null || children.has(name)) continue;
      const located = this.#node(item, key.range?.[0] ?? place.valueOffset);
      children.set(name, located);
      value[name] = located.value;
    }
    return { ...place, kind: "map", value, children };
  }

  #list(items: readonly Node[], place: Omit<Located, "kind" | "value">): Located {
    const located = items.map((item) => this.#node(item, item.range?.[0] ?? place.valueOffset));
    return { ...place, kind: "list", value: located.map((item) => item.value), children: new Map(located.entries()) };
  }

  #keyName(key: Node): string | null {
    const name = isScalar(key) ? (typeof key.value === "string" ? key.value : (key.source ?? String(key.value))) : null;
    if (name !== null && name !== "" && name !== "__proto__") return name;
    const found = name === null ? "something else" : quote(name);
    this.complaints.push({ offset: key.range?.[0] ?? 0, path: "(yaml)", expected: "a plain name as the key", found });
    return null;
  }

  #tooMuch(offset: number): Located {
    if (!this.#isTooMuch) {
      const expected = `at most ${MAX_ALIASES} aliases, ${MAX_NODES} values and ${MAX_DEPTH} levels`;
      this.complaints.push({ offset, path: "(yaml)", expected, found: "more, aliases followed" });
    }
    this.#isTooMuch = true;
    return { kind: "nothing", value: null, keyOffset: offset, valueOffset: offset, written: "", children: new Map() };
  }
}
