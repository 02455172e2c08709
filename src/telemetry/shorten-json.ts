/** What texts are cut down to, until the line fits. */
const CUTS: readonly number[] = [1_024, 256, 64, 16];

/**
 * A JSON line of at most so many bytes: long texts are cut, the end is marked. The line as it is when it fits, or when
 * it cannot be made to.
 * @param line with its newline
 */
export function shortenJson(line: string, maxBytes: number): string {
  // No character has more than three bytes for each of its code units.
  if (line.length * 3 <= maxBytes || Buffer.byteLength(line) <= maxBytes) return line;
  const value: unknown = JSON.parse(line);
  for (const cut of CUTS) {
    const shortened = `${JSON.stringify(value, (_key, text: unknown) => shortenText(text, cut))}\n`;
    if (Buffer.byteLength(shortened) <= maxBytes) return shortened;
  }
  return line;
}

function shortenText(text: unknown, maxChars: number): unknown {
  return typeof text === "string" && text.length > maxChars ? `${text.slice(0, maxChars)}…` : text;
}
