import { toUSVString } from "node:util";

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const CONTROL = /[\x00-\x1f\x7f]/;

/** Whether the text has no lone surrogate, which no URL and no form can carry. */
export function isUnicode(text: string): boolean {
  return toUSVString(text) === text;
}

/** Whether the text is Unicode on one line: no control characters. */
export function isPlainText(text: string): boolean {
  return isUnicode(text) && !CONTROL.test(text);
}
