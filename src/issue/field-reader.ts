import { nearest } from "../config/nearest.js";
import { parseDurationMs, parseSizeBytes } from "../core/units.js";
import { IssueRefusal } from "./refusal.js";

/**
 * Reads the fields of a JSON object by name and type. What is wrong is remembered, the first of it, and told by
 * {@link problem}; until then a wrong field reads as absent. Values are not repeated: they may hold what is secret.
 */
export class FieldReader {
  readonly #fields: ReadonlyMap<string, unknown>;
  readonly #where: string;
  readonly #asked = new Set<string>();
  #problem: IssueRefusal | null = null;

  /** @param where before the names in messages: `""`, or `callback.` */
  constructor(value: unknown, where = "") {
    const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
    this.#fields = new Map(isObject ? Object.entries(value) : []);
    this.#where = where;
    if (!isObject) this.#problem = bad(`${where === "" ? "The body" : where.slice(0, -1)} must be a JSON object.`);
  }

  text(name: string): string | undefined {
    return this.#read(name, "text", (value) => (typeof value === "string" ? value : undefined));
  }

  oneOf<T extends string | number>(name: string, values: readonly T[]): T | undefined {
    return this.#read(name, `one of ${values.join(", ")}`, (value) => values.find((known) => known === value));
  }

  flag(name: string): boolean | undefined {
    return this.#read(name, "true or false", (value) => (typeof value === "boolean" ? value : undefined));
  }

  /** `"1h"`, or a number of seconds. Gives seconds. */
  durationSeconds(name: string): number | undefined {
    return this.#read(name, "a duration such as 1h, or whole seconds", (value) => {
      const seconds = typeof value === "string" ? (parseDurationMs(value) ?? Number.NaN) / 1_000 : value;
      return typeof seconds === "number" && Number.isSafeInteger(seconds) ? seconds : undefined;
    });
  }

  /** An ISO 8601 time, or a number of Unix seconds. Gives Unix seconds. */
  timeSeconds(name: string): number | undefined {
    return this.#read(name, "a time such as 2025-01-01T00:00:00Z, or Unix seconds", (value) => {
      const seconds = typeof value === "string" ? isoSeconds(value) : value;
      return typeof seconds === "number" && Number.isSafeInteger(seconds) ? seconds : undefined;
    });
  }

  /** `"10MiB"`, or a number of bytes. Gives bytes. */
  sizeBytes(name: string): number | undefined {
    return this.#read(name, "a size such as 10MiB, or bytes", (value) => {
      const bytes = typeof value === "string" ? parseSizeBytes(value) : value;
      return typeof bytes === "number" && Number.isSafeInteger(bytes) && bytes >= 0 ? bytes : undefined;
    });
  }

  texts(name: string): readonly string[] | undefined {
    return this.#read(name, "a list of texts", (value) => {
      return Array.isArray(value) && value.every((item) => typeof item === "string") ? value : undefined;
    });
  }

  /** An object whose values are all text. */
  textMap(name: string): Readonly<Record<string, string>> | undefined {
    return this.#read(name, "an object of texts", (value) => {
      if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
      const isTexts = Object.values(value).every((item) => typeof item === "string");
      return isTexts ? (value as Record<string, string>) : undefined;
    });
  }

  /** Whatever stands there, for a reader of its own. */
  any(name: string): unknown {
    return this.#read(name, "", (value) => value);
  }

  /** What was wrong first; a field that nobody asked for is wrong too. */
  problem(): IssueRefusal | null {
    if (this.#problem !== null) return this.#problem;
    const unknown = [...this.#fields.keys()].find((name) => !this.#asked.has(name));
    if (unknown === undefined) return null;
    const near = nearest(unknown, [...this.#asked]);
    const hint = near === null ? `There is ${[...this.#asked].join(", ")}.` : `Did you mean ${near}?`;
    return bad(`${this.#where}${shorten(unknown)} is not known here. ${hint}`);
  }

  #read<T>(name: string, expected: string, parse: (value: unknown) => T | undefined): T | undefined {
    this.#asked.add(name);
    const value = this.#fields.get(name);
    if (value === undefined) return undefined;
    const parsed = parse(value);
    if (parsed === undefined) this.#problem ??= bad(`${this.#where}${name} must be ${expected}.`);
    return parsed;
  }
}

const ISO = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,3})?)?(?:Z|[+-]\d{2}:\d{2})$/;

/** Whole Unix seconds of an ISO 8601 time with a zone; NaN for anything else. */
function isoSeconds(text: string): number {
  return ISO.test(text) ? Math.floor(Date.parse(text) / 1_000) : Number.NaN;
}

function shorten(name: string): string {
  return JSON.stringify(name.length > 40 ? `${name.slice(0, 40)}…` : name);
}

function bad(message: string): IssueRefusal {
  return new IssueRefusal(400, message);
}
