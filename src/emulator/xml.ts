const DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n';

/** Escapes text for an element; control characters become numeric references, as they have no raw form in XML. */
export function escapeXml(text: string): string {
  return text
    .replace(/&/g, "&amp;")
    .replace(/</g, "&lt;")
    .replace(/>/g, "&gt;")
    .replace(/[^\P{Cc}\t\n]/gu, (character) => `&#${character.charCodeAt(0)};`);
}

/** `<name>text</name>` with the text escaped. */
export function element(name: string, text: string | number | boolean): string {
  return `<${name}>${escapeXml(String(text))}</${name}>`;
}

/** `<name>…</name>` around children that are XML already. */
export function container(name: string, ...children: readonly string[]): string {
  return `<${name}>${children.join("")}</${name}>`;
}

/** A whole document with the declaration that OSS writes. */
export function xmlDocument(root: string, ...children: readonly string[]): string {
  return DECLARATION + container(root, ...children);
}

/** An element as parsed: `text` is its own character data, entities decoded. */
export interface XmlNode {
  readonly name: string;
  readonly children: readonly XmlNode[];
  readonly text: string;
}

interface OpenNode {
  readonly name: string;
  readonly children: XmlNode[];
  text: string;
}

const TOKEN =
  /<\?[\s\S]*?\?>|<!--[\s\S]*?-->|<!\[CDATA\[([\s\S]*?)\]\]>|<(\/?)([A-Za-z_][\w.:-]*)[^<>]*?(\/?)>|([^<]+)/gy;

/**
 * Parses the small documents that clients send (`Delete`, `CompleteMultipartUpload`): elements, text, CDATA, comments.
 * No document types. Attributes are skipped.
 * @returns the root element, or `null` when the text is not well-formed
 */
export function parseXml(source: string): XmlNode | null {
  const top: OpenNode = { name: "", children: [], text: "" };
  const stack: OpenNode[] = [top];
  let end = 0;
  TOKEN.lastIndex = 0;
  for (let token = TOKEN.exec(source); token !== null; token = TOKEN.exec(source)) {
    end = TOKEN.lastIndex;
    if (!takeToken(stack, token)) return null;
  }
  const root = top.children[0];
  const isWhole = end === source.length && stack.length === 1 && top.children.length === 1 && top.text.trim() === "";
  return isWhole && root !== undefined ? root : null;
}

function takeToken(stack: OpenNode[], token: RegExpExecArray): boolean {
  const current = stack[stack.length - 1] as OpenNode;
  const [, cdata, slash, name, selfClosing, text] = token;
  if (cdata !== undefined) current.text += cdata;
  if (text !== undefined) {
    const decoded = decodeEntities(text);
    if (decoded === null) return false;
    current.text += decoded;
  }
  if (name === undefined) return true;
  if (slash === "/") return closeElement(stack, name);
  const opened: OpenNode = { name, children: [], text: "" };
  current.children.push(opened);
  if (selfClosing !== "/") stack.push(opened);
  return true;
}

function closeElement(stack: OpenNode[], name: string): boolean {
  if (stack.length < 2) return false;
  return stack.pop()?.name === name;
}

const NAMED_ENTITIES = new Map([
  ["lt", "<"],
  ["gt", ">"],
  ["amp", "&"],
  ["quot", '"'],
  ["apos", "'"],
]);

function decodeEntities(text: string): string | null {
  let isKnown = true;
  const decoded = text.replace(/&([^;\s]*);?/g, (_, name: string) => {
    const character = NAMED_ENTITIES.get(name) ?? decodeNumeric(name);
    if (character === null) isKnown = false;
    return character ?? "";
  });
  return isKnown ? decoded : null;
}

function decodeNumeric(name: string): string | null {
  const match = /^#(?:x([0-9A-Fa-f]{1,6})|([0-9]{1,7}))$/.exec(name);
  if (match === null) return null;
  const code = match[1] === undefined ? Number(match[2]) : Number.parseInt(match[1], 16);
  return code <= 0x10ffff ? String.fromCodePoint(code) : null;
}

/** The first child of that name, or `undefined`. */
export function childOf(node: XmlNode, name: string): XmlNode | undefined {
  return node.children.find((child) => child.name === name);
}
