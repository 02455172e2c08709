/** What the log wants of a head that is no request. */
export interface HeadFields {
  readonly referer?: string;
  readonly userAgent?: string;
}

/** What NGINX takes for a request line, as far as it goes on to the headers then. */
const REQUEST_LINE = /^[A-Z_-]+ [\x21-\x7e\x80-\xff]+ HTTP\/1\.\d$/;
const HEADER_LINE = /^([\x21-\x39\x3b-\x7e\x80-\xff]+):([\t\x20-\x7e\x80-\xff]*)$/;

/**
 * `Referer` and `User-Agent` of a head that was refused, as NGINX has them in its log: the first of each, as far as its
 * lines are in order.
 * @param head from its request line on, as much as there is; one character a byte
 */
export function headFields(head: string): HeadFields {
  const [requestLine = "", ...lines] = head.split("\r\n");
  if (!REQUEST_LINE.test(requestLine)) return {};
  const found: { referer?: string; userAgent?: string } = {};
  // The last piece may have been cut off; the empty line ends the head.
  for (const line of lines.slice(0, -1)) {
    const [, name = "", value = ""] = HEADER_LINE.exec(line) ?? [];
    if (name === "") break;
    const lowerName = name.toLowerCase();
    if (lowerName === "referer") found.referer ??= withoutBlanks(value);
    else if (lowerName === "user-agent") found.userAgent ??= withoutBlanks(value);
  }
  return found;
}

/** Without those around it; `trim` takes more for blanks, and a pattern takes long for many of them. */
function withoutBlanks(value: string): string {
  const isBlank = (at: number): boolean => value[at] === " " || value[at] === "\t";
  let [start, end] = [0, value.length];
  while (start < end && isBlank(start)) start += 1;
  while (end > start && isBlank(end - 1)) end -= 1;
  return value.slice(start, end);
}
