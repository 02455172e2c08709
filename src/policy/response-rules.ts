import type { HeaderList } from "../core/headers.js";

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
  readonly status: number;
  /** Whether the client's query asks for a disposition of its own (`response-content-disposition`). */
  readonly asksForDisposition: boolean;
}

export interface ResponseRules {
  /** The headers of an upstream's answer as the client gets them. `headers` may be changed in place and returned. */
  applyToUpstream(headers: string[], facts: ResponseFacts): string[];
  /** What an answer of the gateway's own gets besides: `set` with `always`, but never a Cache-Control. */
  readonly forLocal: HeaderList;
}
