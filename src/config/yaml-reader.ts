import { type Alias, isAlias, isMap, isScalar, isSeq, type Node, type Pair, parseDocument } from "yaml";
import { hidesAll } from "./hidden-values.js";
import { quote, type SyntaxComplaint, shorten } from "./problem.js";
import { nestingProblem } from "./yaml-nesting.js";
import { yamlProblem } from "./yaml-problem.js";

/** What a file may expand to when its aliases are followed. */
const MAX_NODES = 100_000;
/** Of values inside of values; aliases can nest deeper than the text does. */
const MAX_DEPTH = 200;
const MAX_TEXT_LENGTH = 2 ** 20;

/** A value of the file together with where it stands. Offsets are UTF-16 units from the start of the text. */
export interface Located {
  readonly kind: "map" | "list" | "text" | "bare" | "nothing";
  /** Plain data; maps have no prototype. */
  readonly value: unknown;
  readonly valueOffset: number;
  readonly keyOffset: number;
  /** How a scalar was written. */
  readonly written: string;
  readonly children: ReadonlyMap<string | number, Located>;
}

interface YamlResult {
  readonly root: Located | null;
  readonly complaints: readonly SyntaxComplaint[];
  /** Whether the complaints leave a value worth checking further. */
  readonly isUsable: boolean;
}

/** Reads a text, within bounds of size, depth and number of values, whatever it is. */
export function readYaml(text: string): YamlResult {
  const tooMuch = text.length > MAX_TEXT_LENGTH ? sizeComplaint() : nestingProblem(text);
  if (tooMuch !== null) return { root: null, complaints: [tooMuch], isUsable: false };
  const document = parseDocument(text, { prettyErrors: false, uniqueKeys: false });
  const complaints = [...document.errors, ...document.warnings].map((error) => yamlProblem(error, text));
  if (complaints.length > 0) return { root: null, complaints, isUsable: false };
  const reader = new Reader();
  const root = document.contents === null ? null : reader.read(document.contents);
  return {
    root,
    complaints: reader.complaints,
    isUsable: reader.complaints.every(({ isHarmless }) => isHarmless === true),
  };
}

function sizeComplaint(): SyntaxComplaint {
  const found = "a longer text";
  return { offset: 0, path: "(yaml)", expected: "a configuration file of at most 1 MiB", found };
}

/** Turns YAML nodes into {@link Located} values; follows aliases, within bounds. */
class Reader {
  readonly complaints: SyntaxComplaint[] = [];
  /** Anchored nodes that are being read: an alias to one of them would never end. */
  readonly #open = new Set<Node>();
  readonly #anchors = new Map<string, Node>();
  #nodes = 0;
  #isTooMuch = false;
  /** What is read may be a secret, so complaints do not repeat it. */
  #isHidden = false;

  read(contents: Node): Located {
    return this.#node(contents, contents.range?.[0] ?? 0);
  }

  #node(node: Node | null, keyOffset: number): Located {
    this.#nodes += 1;
    if (this.#nodes > MAX_NODES || this.#open.size > MAX_DEPTH) return this.#tooMuch(keyOffset);
    const valueOffset = node?.range?.[0] ?? keyOffset;
    const place = { keyOffset, valueOffset, written: "", children: new Map() };
    if (isAlias(node)) return this.#alias(node, keyOffset);
    if (node?.anchor !== undefined) this.#anchors.set(node.anchor, node);
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

  #alias(node: Alias, keyOffset: number): Located {
    const target = this.#anchors.get(node.source);
    if (target !== undefined && !this.#open.has(target)) return this.#node(target, keyOffset);
    const offset = node.range?.[0] ?? keyOffset;
    const written = `*${node.source}`;
    const isWildcard = target === undefined;
    const inQuotes = this.#isHidden ? "Put it in quotes." : `Put it in quotes: ${quote(written)}.`;
    this.complaints.push({
      offset,
      path: "(yaml)",
      expected: "a value",
      found: `${this.#isHidden ? "a text" : shorten(written)}, which YAML takes for an alias`,
      hint: isWildcard ? inQuotes : "An alias cannot stand inside of what it names.",
      isHarmless: isWildcard,
    });
    // A wildcard was meant, most likely; read on as if it had its quotes.
    return { kind: "text", value: written, keyOffset, valueOffset: offset, written, children: new Map() };
  }

  #map(items: readonly Pair<Node, Node | null>[], place: Omit<Located, "kind" | "value">): Located {
    const value: Record<string, unknown> = Object.create(null);
    const children = new Map<string, Located>();
    for (const { key, value: item } of items) {
      const name = this.#keyName(key);
      if (name === null) continue;
      if (children.has(name)) {
        this.#repeatedKey(name, key);
        continue;
      }
      const located = this.#value(name, item, key.range?.[0] ?? place.valueOffset);
      children.set(name, located);
      value[name] = located.value;
    }
    return { ...place, kind: "map", value, children };
  }

  #value(key: string, item: Node | null, keyOffset: number): Located {
    const wasHidden = this.#isHidden;
    this.#isHidden ||= hidesAll(key);
    const located = this.#node(item, keyOffset);
    this.#isHidden = wasHidden;
    return located;
  }

  #repeatedKey(name: string, key: Node): void {
    this.complaints.push({
      offset: key.range?.[0] ?? 0,
      path: "(yaml)",
      expected: "each key once",
      found: `${this.#isHidden ? "a key" : quote(name)} a second time`,
      hint: "Put the values of both under one key.",
      isHarmless: true,
    });
  }

  #list(items: readonly Node[], place: Omit<Located, "kind" | "value">): Located {
    const located = items.map((item) => this.#node(item, item.range?.[0] ?? place.valueOffset));
    return { ...place, kind: "list", value: located.map((item) => item.value), children: new Map(located.entries()) };
  }

  #keyName(key: Node): string | null {
    const name = isScalar(key) ? (typeof key.value === "string" ? key.value : (key.source ?? String(key.value))) : null;
    if (name !== null && name !== "" && name !== "__proto__") return name;
    const found = name === null || this.#isHidden ? "something else" : quote(name);
    this.complaints.push({ offset: key.range?.[0] ?? 0, path: "(yaml)", expected: "a plain name as the key", found });
    return null;
  }

  #tooMuch(offset: number): Located {
    if (!this.#isTooMuch) {
      const expected = `at most ${MAX_NODES} values and ${MAX_DEPTH} levels`;
      this.complaints.push({ offset, path: "(yaml)", expected, found: "more, aliases followed" });
    }
    this.#isTooMuch = true;
    return { kind: "nothing", value: null, keyOffset: offset, valueOffset: offset, written: "", children: new Map() };
  }
}
