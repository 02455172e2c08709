import { type HeaderList, withoutHeaders } from "../core/headers.js";
import { isActiveContent } from "./active-content.js";

/** What a route does to the headers of answers besides relaying them; made once per route. */
export interface ResponseRulesOptions {
  readonly preview: boolean;
  /** HTML, SVG and XML of the bucket get `Content-Security-Policy: sandbox`. */
  readonly sandboxesActiveContent: boolean;
  readonly set: readonly (readonly [name: string, value: string])[];
  readonly always: boolean;
  /** Lower case. */
  readonly remove: readonly string[];
}

/** What decides about an answer of the upstream. */
export interface ResponseFacts {
  /** As the client gets it. */
  readonly status: number;
  /** Whether the client's query asks for a disposition of its own (`response-content-disposition`). */
  readonly asksForDisposition: boolean;
}

export interface ResponseRules {
  /** The headers of an upstream's answer as the client gets them. `headers` may be changed in place and returned. */
  applyToUpstream(headers: string[], facts: ResponseFacts): string[];
  /** What an answer of the gateway's own gets besides: `set` with `always`, but nothing that is about its body. */
  readonly forLocal: HeaderList;
}

/**
 * Makes the rules of a route. `remove` holds for every answer of the upstream, `set` for those of {@link SET_STATUSES} or
 * with `always` for all; it goes before what the upstream says. Preview is oss-semantics §1.4: only a download that OSS
 * itself forced is taken back.
 * @returns `null` when there is nothing to do
 */
export function compileResponseRules(options: ResponseRulesOptions): ResponseRules | null {
  const { preview, sandboxesActiveContent, set, remove } = options;
  const isIdle = !preview && !sandboxesActiveContent && set.length === 0 && remove.length === 0;
  return isIdle ? null : new CompiledResponseRules(options);
}

/** Those that NGINX's add_header has, as far as OSS answers them. */
const SET_STATUSES: ReadonlySet<number> = new Set([200, 204, 206, 301, 302, 304]);

/** What local answers say of their own bodies, which are not to be kept. */
const OF_LOCAL_BODIES: ReadonlySet<string> = new Set([
  "cache-control",
  "expires",
  "pragma",
  "content-type",
  "content-length",
  "content-encoding",
  "content-language",
  "content-disposition",
  "content-range",
  "accept-ranges",
  "etag",
  "last-modified",
]);

const TYPE = "content-type";
const DISPOSITION = "content-disposition";
const FORCED = "x-oss-force-download";
const SNIFFING = "x-content-type-options";

/**
 * Without tokens: no script, no forms, an origin of its own. Of several policies with a sandbox the last one's counts
 * (HTML standard, "CSP-derived sandboxing flags"), so that it stands behind all others. `nosniff` is for active answers
 * alone: browsers find script in no other type, and a wrongly typed style sheet of a page elsewhere would stop to work.
 */
const SANDBOX = ["X-Content-Type-Options", "nosniff", "Content-Security-Policy", "sandbox"] as const;

/** What one pass over the lines has found. */
interface Found {
  readonly typeCount: number;
  readonly type: string;
  readonly hasSniffing: boolean;
}

class CompiledResponseRules implements ResponseRules {
  readonly forLocal: HeaderList;
  readonly #preview: boolean;
  readonly #sandboxes: boolean;
  readonly #always: boolean;
  readonly #setLines: HeaderList;
  /** Whether the Content-Type of `set` is active; `null` where it has none. */
  readonly #setsActive: boolean | null;
  readonly #removed: ReadonlySet<string>;
  readonly #removedOrSet: ReadonlySet<string>;
  /** By a name's length: whether any name of that length matters here. Most lines need no lower-casing then. */
  readonly #lengths: readonly boolean[];

  constructor({ preview, sandboxesActiveContent, set, always, remove }: ResponseRulesOptions) {
    const setNames = set.map(([name]) => name.toLowerCase());
    this.#preview = preview;
    this.#sandboxes = sandboxesActiveContent;
    this.#always = always;
    this.#setLines = set.flat();
    const types = set.filter((_, i) => setNames[i] === TYPE).map(([, type]) => type);
    this.#setsActive = types.length === 0 ? null : isActiveContent(types.join(","));
    this.#removed = new Set(remove);
    this.#removedOrSet = new Set([...remove, ...setNames]);
    this.#lengths = lengthsOf([...this.#removedOrSet, TYPE, DISPOSITION, FORCED, SNIFFING]);
    this.forLocal = always ? withoutHeaders(this.#setLines, OF_LOCAL_BODIES) : [];
  }

  applyToUpstream(headers: string[], { status, asksForDisposition }: ResponseFacts): string[] {
    const sets = this.#always || SET_STATUSES.has(status);
    const found = this.#pass(headers, sets ? this.#removedOrSet : this.#removed, this.#preview && !asksForDisposition);
    if (sets) headers.push(...this.#setLines);
    if (!this.#sandboxes || !this.#isActive(found, status, sets)) return headers;
    // Of several lines browsers read the first.
    const hasOther = found.hasSniffing || (sets && this.#removedOrSet.has(SNIFFING));
    const kept = hasOther ? withoutHeaders(headers, NOSNIFF_ONLY) : headers;
    kept.push(...SANDBOX);
    return kept;
  }

  /** Takes `dropped` out, in place, and a forced download back; nothing else is touched. */
  #pass(headers: string[], dropped: ReadonlySet<string>, takesBack: boolean): Found {
    let kept = 0;
    let typeCount = 0;
    let type = "";
    let dispositionAt = -1;
    let dispositionCount = 0;
    let isForced = false;
    let hasSniffing = false;
    for (let i = 0; i < headers.length; i += 2) {
      const name = headers[i] as string;
      const value = headers[i + 1] as string;
      if (this.#lengths[name.length] === true) {
        const lowerName = name.toLowerCase();
        if (lowerName === FORCED) isForced ||= isWord(value, "true");
        if (dropped.has(lowerName)) continue;
        if (lowerName === TYPE) {
          typeCount += 1;
          type = value;
        } else if (lowerName === DISPOSITION) {
          dispositionCount += 1;
          dispositionAt = kept + 1;
        } else if (lowerName === SNIFFING) hasSniffing = true;
      }
      headers[kept] = name;
      headers[kept + 1] = value;
      kept += 2;
    }
    headers.length = kept;
    if (takesBack && isForced && dispositionCount === 1 && isWord(headers[dispositionAt] as string, "attachment")) {
      headers[dispositionAt] = "inline";
    }
    return { typeCount, type, hasSniffing };
  }

  #isActive({ typeCount, type }: Found, status: number, sets: boolean): boolean {
    // The body may yet be sent as what it was, a document that is collected and rewritten say.
    const isStoredActive = typeCount > 1 || (typeCount === 1 && isActiveContent(type));
    if (sets && this.#setsActive !== null) return this.#setsActive || isStoredActive;
    // A 304 changes the headers of a copy whose type it does not tell: a sandbox would take a PDF's viewer away on its
    // second visit, and what the first answer said of the copy stays (RFC 9111 §3.2).
    if (typeCount === 0) return status !== 204 && status !== 304;
    return isStoredActive;
  }
}

const NOSNIFF_ONLY: ReadonlySet<string> = new Set([SNIFFING]);

function lengthsOf(names: readonly string[]): readonly boolean[] {
  const lengths: boolean[] = new Array(Math.max(...names.map((name) => name.length)) + 1).fill(false);
  for (const name of names) lengths[name.length] = true;
  return lengths;
}

const isWord = (value: string, word: string): boolean => value.trim().toLowerCase() === word;
