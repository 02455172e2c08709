import type { Directive } from "./directive.js";

/** One level of a configuration, and what it inherits. */
export class Scope {
  readonly directives: readonly Directive[];
  readonly outer: Scope | null;

  constructor(directives: readonly Directive[], outer: Scope | null) {
    this.directives = directives;
    this.outer = outer;
  }

  /** What holds here of a directive that is written once: the innermost. */
  one(name: string): Directive | undefined {
    return this.directives.findLast((directive) => directive.name === name) ?? this.outer?.one(name);
  }

  /** What holds here of a directive that is written several times: all of the innermost level that has any. */
  all(name: string): readonly Directive[] {
    const own = this.own(name);
    return own.length > 0 ? own : (this.outer?.all(name) ?? []);
  }

  /** Those of this level alone. */
  own(name: string): readonly Directive[] {
    return this.directives.filter((directive) => directive.name === name);
  }

  /** Those of this level and of all around it, the outermost first: what is executed, as `set`, `if` and `rewrite` are. */
  through(name: string): readonly Directive[] {
    return [...(this.outer?.through(name) ?? []), ...this.own(name)];
  }
}
