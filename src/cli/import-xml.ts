import { XMLParser, XMLValidator } from "fast-xml-parser";

/** An element of a document; `text` is its own text, without blanks at its ends. */
export interface XmlElement {
  readonly name: string;
  readonly text: string;
  readonly children: readonly XmlElement[];
}

const TEXT = "#text";

const PARSER = new XMLParser({
  preserveOrder: true,
  ignoreAttributes: true,
  ignoreDeclaration: true,
  ignorePiTags: true,
  removeNSPrefix: true,
  parseTagValue: false,
  // Numeric references are decoded with these; a document that declares entities of its own is not parsed at all.
  htmlEntities: true,
});

/**
 * Reads a small document: elements and text, CDATA and references decoded, attributes, namespaces and comments off.
 * @returns its root, or a sentence that says why there is none
 */
export function readXml(source: string): XmlElement | string {
  const text = source.replace(/^\ufeff/, "").trim();
  if (text === "") return "is empty";
  if (/<!(?:doctype|entity)/i.test(text)) return "declares a document type, which OSS's answers do not have";
  const verdict = XMLValidator.validate(text);
  if (verdict !== true) return `is no XML: line ${verdict.err.line}: ${verdict.err.msg}`;
  try {
    const roots = elementsOf(PARSER.parse(text) as readonly RawNode[]);
    const [root] = roots;
    return root !== undefined && roots.length === 1 ? root : "is no XML: it has more than one root element";
  } catch (error) {
    return `is no XML that can be read: ${(error as Error).message}`;
  }
}

/** As the parser gives it: one key, the element's name, or `#text` with a string. */
type RawNode = Readonly<Record<string, readonly RawNode[] | string>>;

function elementsOf(nodes: readonly RawNode[]): XmlElement[] {
  return nodes.flatMap((node) =>
    Object.entries(node).flatMap(([name, content]) =>
      typeof content === "string" ? [] : [{ name, text: textOf(content), children: elementsOf(content) }],
    ),
  );
}

function textOf(nodes: readonly RawNode[]): string {
  const texts = nodes.map((node) => node[TEXT]).filter((text) => typeof text === "string");
  return texts.join("").trim();
}

/** What an element may have inside: names of elements and how many of each; `text`: text alone. */
export type Shape = "text" | { readonly [name: string]: { readonly most: number; readonly inside: Shape } };

/** A sentence about the first thing in an element that its shape does not have, or `null`. */
export function shapeProblem(element: XmlElement, shape: Shape): string | null {
  const { name, text, children } = element;
  if (shape === "text") return children.length === 0 ? null : `<${name}> has elements inside, it should have text`;
  if (text !== "") return `<${name}> has text inside, it should have elements`;
  const known = Object.keys(shape);
  const stranger = children.find((child) => !known.includes(child.name));
  if (stranger !== undefined) return `<${stranger.name}> in <${name}> is not known; known are ${known.join(", ")}`;
  for (const [childName, { most, inside }] of Object.entries(shape)) {
    const found = childrenOf(element, childName);
    if (found.length > most) return `<${name}> has ${found.length} times <${childName}>, it may have ${most}`;
    for (const child of found) {
      const problem = shapeProblem(child, inside);
      if (problem !== null) return problem;
    }
  }
  return null;
}

export function childrenOf(element: XmlElement, name: string): readonly XmlElement[] {
  return element.children.filter((child) => child.name === name);
}

/** The texts of all children of that name, in order. */
export function textsOf(element: XmlElement, name: string): readonly string[] {
  return childrenOf(element, name).map(({ text }) => text);
}
