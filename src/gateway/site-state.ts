import type { HeaderList } from "../core/headers.js";

/** What of a site is asked for: the object, whether a directory has an index document, or the error document. */
export type SiteStep = "object" | "index" | "errorDocument";

/**
 * Where one read of a static site stands. At most three things are asked for, in the order of {@link SiteStep}; each is
 * tried again like any other request.
 */
export interface SiteState {
  step: SiteStep;
  /** `RequestContext.attempt` before this step. */
  attemptsBefore: number;
  /** The root of a route that strips its prefix, or of a bucket in the path, and its slash is missing. */
  readonly isRootWithoutSlash: boolean;
  /** OSS's answer that there is no such object; `null` while it has not said so. */
  missing: MissingObject | null;
}

/** Held while something else is asked for: small, see `WholeAnswer.maxBytes`. */
export interface MissingObject {
  readonly status: number;
  readonly headers: HeaderList;
  readonly body: Buffer;
  /** Sends it to the client as if there had been no further question. */
  answer(): "done" | "again" | "next";
}
