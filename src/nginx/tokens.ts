import { ConfError, type Place } from "./directive.js";

/** A word, or one of `;`, `{` and `}` where it is not quoted. */
export interface Token extends Place {
  readonly kind: "word" | ";" | "{" | "}";
  readonly text: string;
}

const MAX_WORD_CHARS = 64 * 1024;
const BLANK = /[ \t\r\n]/;
const ESCAPES: Readonly<Record<string, string>> = { '"': '"', "'": "'", "\\": "\\", t: "\t", r: "\r", n: "\n" };

/** Cuts a text into tokens as NGINX does (ngx_conf_file.c, `ngx_conf_read_token`). */
export class Tokens {
  readonly #file: string;
  readonly #text: string;
  #at = 0;
  #line = 1;
  #lineStart = 0;

  constructor(text: string, file: string) {
    this.#text = text.startsWith("\ufeff") ? text.slice(1) : text;
    this.#file = file;
  }

  /** The place of the next character. */
  get place(): Place {
    return { file: this.#file, line: this.#line, col: this.#at - this.#lineStart + 1 };
  }

  /** @returns `null` at the end of the text; @throws ConfError */
  next(): Token | null {
    this.#skipBlanks();
    const { place } = this;
    const character = this.#text[this.#at];
    if (character === undefined) return null;
    if (character === ";" || character === "{" || character === "}") {
      this.#take();
      return { ...place, kind: character, text: character };
    }
    const text = character === '"' || character === "'" ? this.#quoted(place) : this.#plain(place);
    return { ...place, kind: "word", text };
  }

  /** Behind the `{` of a block in another language: skips to behind its `}`. @throws ConfError */
  skipCode(start: Place): void {
    for (let depth = 1; depth > 0; ) {
      const rest = this.#text.slice(this.#at, this.#at + 2);
      if (rest === "") throw new ConfError(start, 'this block is not closed by "}"');
      if (rest === "--") this.#skipLuaComment();
      else if (/^\[[[=]/.test(rest)) this.#skipLongBracket();
      else if (rest[0] === '"' || rest[0] === "'") this.#skipLuaString(rest[0]);
      else {
        if (rest[0] === "{") depth += 1;
        else if (rest[0] === "}") depth -= 1;
        this.#take();
      }
    }
  }

  #skipLuaComment(): void {
    this.#take(2);
    if (/^\[=*\[/.test(this.#text.slice(this.#at, this.#at + 64))) this.#skipLongBracket();
    else while (this.#at < this.#text.length && this.#text[this.#at] !== "\n") this.#take();
  }

  #skipLongBracket(): void {
    const open = /^\[(=*)\[/.exec(this.#text.slice(this.#at, this.#at + 64));
    if (open === null) {
      this.#take();
      return;
    }
    const end = this.#text.indexOf(`]${open[1]}]`, this.#at);
    this.#take((end === -1 ? this.#text.length : end + open[0].length) - this.#at);
  }

  #skipLuaString(quote: string): void {
    this.#take();
    for (let c = this.#text[this.#at]; c !== undefined && c !== quote && c !== "\n"; c = this.#text[this.#at])
      this.#take(c === "\\" ? 2 : 1);
    this.#take();
  }

  #skipBlanks(): void {
    for (;;) {
      const character = this.#text[this.#at];
      if (character === undefined) return;
      if (character === "#") while (this.#at < this.#text.length && this.#text[this.#at] !== "\n") this.#take();
      else if (BLANK.test(character)) this.#take();
      else return;
    }
  }

  #plain(place: Place): string {
    let word = "";
    for (;;) {
      const character = this.#text[this.#at];
      if (character === undefined) throw new ConfError(place, 'the file ends where ";" or "{" should come');
      if (BLANK.test(character) || character === ";" || character === "{") return word;
      word += this.#wordPart(place, character, word.length);
    }
  }

  #quoted(place: Place): string {
    const quote = this.#text[this.#at];
    this.#take();
    let word = "";
    for (;;) {
      const character = this.#text[this.#at];
      if (character === undefined) throw new ConfError(place, "this quote is not closed");
      if (character === quote) break;
      word += this.#wordPart(place, character, word.length);
    }
    this.#take();
    const next = this.#text[this.#at];
    if (next !== undefined && !BLANK.test(next) && !";{)".includes(next))
      throw new ConfError(this.place, `unexpected ${JSON.stringify(next)} behind a quote`);
    // `("x")` of Lua's arguments: the bracket is thrown away, as NGINX does.
    if (next === ")") this.#take();
    return word;
  }

  /** One character of a word, or what an escape or `${` stand for. */
  #wordPart(place: Place, character: string, length: number): string {
    if (length > MAX_WORD_CHARS) throw new ConfError(place, "this word is too long");
    if (character === "\\") {
      const next = this.#text[this.#at + 1] ?? "";
      this.#take(2);
      return ESCAPES[next] ?? `\\${next}`;
    }
    const part = character === "$" && this.#text[this.#at + 1] === "{" ? "${" : character;
    this.#take(part.length);
    return part;
  }

  #take(count = 1): void {
    for (let i = 0; i < count && this.#at < this.#text.length; i += 1) {
      if (this.#text[this.#at] === "\n") {
        this.#line += 1;
        this.#lineStart = this.#at + 1;
      }
      this.#at += 1;
    }
  }
}
