import type { Draft } from "./draft.js";
import type { Complaint, Path, Problem } from "./problem.js";
import type { ParsedConfig } from "./schema.js";
import type { Source } from "./source.js";

export type ConfigDraft = Draft<ParsedConfig>;
export type CredentialsDraft = Draft<ParsedConfig["credentials"][string]>;
export type BucketDraft = Draft<ParsedConfig["buckets"][string]>;
export type RouteDraft = Draft<ParsedConfig["routes"][number]>;

/** Collects what the checks across fields find. */
export class Report {
  readonly source: Source;
  readonly problems: Problem[] = [];
  readonly warnings: Problem[] = [];

  constructor(source: Source) {
    this.source = source;
  }

  problem(path: Path, complaint: Complaint): void {
    this.problems.push(this.source.problem(path, complaint));
  }

  warning(path: Path, complaint: Complaint): void {
    this.warnings.push(this.source.problem(path, complaint));
  }

  /** Reports every value of a list that stood in it before, once normalised. */
  repeats(path: Path, list: readonly (string | undefined)[] | undefined): void {
    const first = new Map<string, number>();
    list?.forEach((value, index) => {
      if (value === undefined) return;
      const before = first.get(value);
      if (before === undefined) first.set(value, index);
      else
        this.problem([...path, index], {
          expected: "each value once",
          hint: `It is the same as [${before}]. Take one out.`,
        });
    });
  }
}
