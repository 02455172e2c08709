import { parseHttpDateMs } from "../signing/time.js";

/** The four conditions of a request or of a copy source, as sent. */
export interface Conditions {
  readonly ifMatch: string | undefined;
  readonly ifNoneMatch: string | undefined;
  readonly ifModifiedSince: string | undefined;
  readonly ifUnmodifiedSince: string | undefined;
}

/** The object that conditions are held against; `etag` with its quotes. */
export interface Validators {
  readonly etag: string;
  readonly lastModifiedMs: number;
}

/**
 * Evaluates conditions (oss-semantics §11.3). Where both an entity tag and a date are given, the tag decides and the date
 * is not looked at (RFC 9110 §13.2.2; oss-semantics is silent). A date that cannot be parsed is as if absent.
 */
export function evaluateConditions(conditions: Conditions, object: Validators): "proceed" | "not-modified" | "failed" {
  if (isChangedForWriter(conditions, object)) return "failed";
  return isUnchangedForReader(conditions, object) ? "not-modified" : "proceed";
}

function isChangedForWriter({ ifMatch, ifUnmodifiedSince }: Conditions, object: Validators): boolean {
  if (ifMatch !== undefined) return !listsEtag(ifMatch, object.etag);
  const sinceMs = dateMs(ifUnmodifiedSince);
  return sinceMs !== null && wholeSecondMs(object.lastModifiedMs) > sinceMs;
}

function isUnchangedForReader({ ifNoneMatch, ifModifiedSince }: Conditions, object: Validators): boolean {
  if (ifNoneMatch !== undefined) return listsEtag(ifNoneMatch, object.etag);
  const sinceMs = dateMs(ifModifiedSince);
  return sinceMs !== null && wholeSecondMs(object.lastModifiedMs) <= sinceMs;
}

function wholeSecondMs(timeMs: number): number {
  return Math.floor(timeMs / 1000) * 1000;
}

function listsEtag(list: string, etag: string): boolean {
  const bare = etag.replaceAll('"', "");
  return list.split(",").some((item) => {
    const listed = item.trim().replaceAll('"', "");
    return listed === "*" || listed === bare;
  });
}

function dateMs(text: string | undefined): number | null {
  return text === undefined ? null : parseHttpDateMs(text);
}
