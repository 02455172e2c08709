import { ConfError, type ConfProblem, type Directive, type Place } from "./directive.js";
import { type Token, Tokens } from "./tokens.js";

/** What a file is beyond is no configuration of anybody's. */
const MAX_DEPTH = 50;
const MAX_DIRECTIVES = 200_000;
const MAX_INCLUDE_DEPTH = 20;
const MAX_FILES = 5_000;
const MAX_TOTAL_CHARS = 64 * 1024 * 1024;

export interface ConfFile {
  readonly path: string;
  readonly text: string;
}

/**
 * Finds the files that an `include` means.
 * @param pattern as it is written, wildcards and all
 * @returns the files in their order, or a sentence that says why there are none
 */
export type FindIncluded = (pattern: string) => readonly ConfFile[] | string;

export type ParsedConf =
  | { readonly ok: true; readonly directives: readonly Directive[] }
  | { readonly ok: false; readonly problem: ConfProblem };

/** A whole configuration with what it includes; an `include` of nothing stays as a directive. Never throws. */
export function parseConf(main: ConfFile, findIncluded: FindIncluded): ParsedConf {
  try {
    return { ok: true, directives: new Parser(findIncluded).file(main, []) };
  } catch (error) {
    if (error instanceof ConfError) return { ok: false, problem: error.problem };
    throw error;
  }
}

class Parser {
  readonly #findIncluded: FindIncluded;
  #directives = 0;
  #files = 0;
  #chars = 0;

  constructor(findIncluded: FindIncluded) {
    this.#findIncluded = findIncluded;
  }

  /** @param within the files that this one is included from */
  file({ path, text }: ConfFile, within: readonly string[], depth = 0): Directive[] {
    const start = { file: path, line: 1, col: 1 };
    this.#files += 1;
    this.#chars += text.length;
    if (this.#files > MAX_FILES || this.#chars > MAX_TOTAL_CHARS)
      throw new ConfError(start, "too much is included to be a configuration");
    return this.#body(new Tokens(text, path), { within: [...within, path], depth, opened: null });
  }

  #body(tokens: Tokens, around: Around): Directive[] {
    const directives: Directive[] = [];
    for (;;) {
      const token = tokens.next();
      if (token === null) {
        if (around.opened !== null) throw new ConfError(around.opened, 'this block is not closed by "}"');
        return directives;
      }
      if (token.kind === "}") {
        if (around.opened === null) throw new ConfError(token, 'unexpected "}"');
        return directives;
      }
      if (token.kind !== "word") throw new ConfError(token, `unexpected "${token.text}"`);
      const directive = this.#directive(tokens, token, around);
      const included = directive.name === "include" && directive.block === null;
      for (const one of included ? this.#include(directive, around) : [directive]) directives.push(one);
    }
  }

  #directive(tokens: Tokens, first: Token, around: Around): Directive {
    this.#directives += 1;
    if (this.#directives > MAX_DIRECTIVES) throw new ConfError(first, "more directives than any configuration has");
    const args: string[] = [];
    for (;;) {
      const token = tokens.next();
      if (token === null) throw new ConfError(first, `"${shorten(first.text)}" is not ended by ";"`);
      if (token.kind === "}") throw new ConfError(token, 'unexpected "}", a ";" is missing before it');
      if (token.kind === "word") {
        args.push(token.text);
        continue;
      }
      const { file, line, col, text: name } = first;
      const block = token.kind === ";" ? null : this.#block(tokens, name, token, around);
      return { file, line, col, name, args, block };
    }
  }

  #block(tokens: Tokens, name: string, opened: Place, around: Around): Directive[] {
    if (name.endsWith("_by_lua_block")) {
      tokens.skipCode(opened);
      return [];
    }
    if (around.depth >= MAX_DEPTH) throw new ConfError(opened, `blocks are nested deeper than ${MAX_DEPTH}`);
    return this.#body(tokens, { ...around, depth: around.depth + 1, opened });
  }

  #include(directive: Directive, { within, depth }: Around): readonly Directive[] {
    const [pattern = ""] = directive.args;
    if (within.length > MAX_INCLUDE_DEPTH) throw new ConfError(directive, "files include each other too deeply");
    const found = this.#findIncluded(pattern);
    // Not a fault of the file: it was copied without this one, perhaps.
    if (typeof found === "string") return [{ ...directive, args: [pattern, found] }];
    return found.flatMap((file) => {
      if (within.includes(file.path)) throw new ConfError(directive, `${file.path} includes itself`);
      return this.file(file, within, depth);
    });
  }
}

interface Around {
  readonly within: readonly string[];
  readonly depth: number;
  /** The block's `{`; `null` at the top of a file. */
  readonly opened: Place | null;
}

function shorten(text: string): string {
  return text.length > 40 ? `${text.slice(0, 40)}…` : text;
}
