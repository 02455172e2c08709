/** Values of the configuration file, in the order in which they are written; `undefined` is left out. */
export type Yaml = string | number | boolean | readonly Yaml[] | YamlMap;

/** Lines of comment that stand before a map's first key. */
export const COMMENTS = Symbol("comments");

export interface YamlMap {
  readonly [key: string]: Yaml | undefined;
  readonly [COMMENTS]?: readonly string[];
}

/** Words that YAML takes for something else than text, and what it might. */
const PLAIN = /^(?!(?:true|false|null|yes|no|on|off|y|n|~)$)[A-Za-z/][A-Za-z0-9_./-]*$/i;
const UNPRINTABLE = /[\u007f-\u009f\u2028\u2029\ufeff]/g;

/** The text of a configuration file. */
export function yamlText(map: YamlMap): string {
  return `${mapLines(map).join("\n")}\n`;
}

function mapLines(map: YamlMap): string[] {
  const comments = (map[COMMENTS] ?? []).map(commentLine);
  const entries = Object.entries(map).flatMap(([key, value]) => (value === undefined ? [] : entryLines(key, value)));
  return [...comments, ...entries];
}

function entryLines(key: string, value: Yaml): string[] {
  const name = `${scalar(key)}:`;
  if (typeof value !== "object") return [`${name} ${scalar(value)}`];
  if (isList(value)) {
    if (value.every((item) => typeof item !== "object")) return [`${name} [${value.map(scalar).join(", ")}]`];
    return [name, ...value.flatMap(itemLines)];
  }
  const lines = mapLines(value);
  return lines.length === 0 ? [`${name} {}`] : [name, ...lines.map((line) => `  ${line}`)];
}

/** The first line of an item begins with the dash; comments stand before it. */
function itemLines(item: Yaml): string[] {
  if (typeof item !== "object" || isList(item)) return [`  - ${isList(item) ? "[]" : scalar(item)}`];
  const comments = (item[COMMENTS] ?? []).map((text) => `  ${commentLine(text)}`);
  const lines = mapLines({ ...item, [COMMENTS]: [] });
  return [...comments, ...lines.map((line, index) => `  ${index === 0 ? "- " : "  "}${line}`)];
}

function isList(value: Yaml): value is readonly Yaml[] {
  return Array.isArray(value);
}

function scalar(value: Yaml): string {
  if (typeof value !== "string") return String(value);
  return PLAIN.test(value) ? value : quoted(value);
}

/** JSON's strings are YAML's. */
function quoted(text: string): string {
  return JSON.stringify(text).replace(UNPRINTABLE, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

function commentLine(text: string): string {
  const line = text.replace(/[\p{Cc}\p{Zl}\p{Zp}]/gu, " ").slice(0, 300);
  return line === "" ? "#" : `# ${line}`;
}
