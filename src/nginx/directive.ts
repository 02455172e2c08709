/** Where something stands in a file; line and column from 1. */
export interface Place {
  readonly file: string;
  readonly line: number;
  readonly col: number;
}

/** One directive of an NGINX configuration: `name args…;` or `name args… { block }`. */
export interface Directive extends Place {
  readonly name: string;
  /** Without their quotes. */
  readonly args: readonly string[];
  /** `null`: it ends with a semicolon. */
  readonly block: readonly Directive[] | null;
}

/** Why a text is no NGINX configuration. */
export interface ConfProblem extends Place {
  readonly message: string;
}

/** Thrown and caught inside this room. */
export class ConfError extends Error {
  readonly problem: ConfProblem;

  constructor({ file, line, col }: Place, message: string) {
    super(message);
    this.problem = { file, line, col, message };
  }
}

/** Blocks whose lines are data and no directives. */
export const DATA_BLOCKS: ReadonlySet<string> = new Set([
  "map",
  "geo",
  "types",
  "split_clients",
  "match",
  "charset_map",
]);
