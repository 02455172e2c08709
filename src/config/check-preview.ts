import { type Path, quote } from "./problem.js";
import type { ConfigDraft, Report, RouteDraft } from "./report.js";

/** `preview`, `trusted` and the documents of a site (oss-semantics §1.4). */
export function checkPreview(route: RouteDraft, index: number, draft: ConfigDraft, report: Report): void {
  checkDocuments(route, index, report);
  // The host of an endpoint that is a URL may be a domain that is bound to the bucket, or an emulator.
  if (draft.buckets?.[route.bucket ?? ""]?.endpoint instanceof URL) return;
  const { hostHeader, preview, trusted } = route;
  if (hostHeader === undefined || preview === undefined || trusted === undefined) return;
  warnAboutPreview({ hostHeader, preview, trusted }, ["routes", index], report);
  if (report.source.has(["routes", index, "indexDocument"])) {
    warnAboutSite({ hostHeader, preview, trusted }, ["routes", index, "indexDocument"], report);
  }
}

const DOCUMENTS = ["indexDocument", "errorDocument"] as const;

function checkDocuments({ methods }: RouteDraft, index: number, report: Report): void {
  for (const key of DOCUMENTS) {
    const path = ["routes", index, key];
    if (!report.source.has(path)) continue;
    if (report.source.has(["routes", index, "buckets"])) {
      const hint = "A site is in one bucket. Give it a route of its own.";
      report.problem(path, { expected: `bucket with ${key}`, found: "buckets", hint, atKey: true });
    }
    if (methods === undefined || methods.includes(undefined) || methods.includes("GET")) continue;
    const hint = "Documents are read with GET. Add it to methods, or take this out.";
    report.problem(path, { expected: `GET with ${key}`, found: methods.join(", "), hint, atKey: true });
  }
}

/** What decides whether browsers show what the bucket has, and whether it may run script then. */
interface Shown {
  readonly hostHeader: string;
  readonly preview: boolean;
  readonly trusted: boolean;
}

function warnAboutPreview({ hostHeader, preview, trusted }: Shown, path: Path, report: Report): void {
  if (preview && hostHeader !== "bucket") {
    const hint = "It has no effect: OSS forces no download where it sees a domain of yours.";
    report.warning([...path, "preview"], {
      expected: "preview with hostHeader: bucket",
      found: `hostHeader: ${hostHeader}`,
      hint,
    });
  }
  if (trusted && !preview && hostHeader === "bucket") {
    const hint = "It has no effect: nothing is put into a sandbox here.";
    report.warning([...path, "trusted"], {
      expected: "preview: true with trusted, or a domain as hostHeader",
      found: "neither",
      hint,
    });
  }
}

function warnAboutSite({ hostHeader, preview, trusted }: Shown, path: Path, report: Report): void {
  if (hostHeader === "bucket" && !preview) {
    const hint = "As it is, OSS has browsers save the pages instead of showing them.";
    report.warning(path, { expected: "preview: true with indexDocument, or a domain as hostHeader", hint });
  } else if (!trusted) {
    const hint = "As it is, pages of the bucket run no script. trusted: true lets them, where nobody uploads but you.";
    report.warning(path, { expected: "trusted: true with indexDocument", hint });
  }
}

/** Showing what OSS has saved, without what `preview` does about script. */
export function warnAboutDisposition(route: RouteDraft, index: number, report: Report): void {
  const { hostHeader, preview, responseHeaders } = route;
  if (hostHeader !== "bucket" || preview !== false) return;
  const path = ["routes", index, "responseHeaders"] as const;
  const complaint = {
    expected: "preview: true instead",
    hint: "As it is, HTML and SVG of the bucket can run script on this host; preview shows them in a sandbox.",
  };
  responseHeaders?.remove?.forEach((name, place) => {
    if (name === "content-disposition") report.warning([...path, "remove", place], complaint);
  });
  for (const [name, value] of Object.entries(responseHeaders?.set ?? {})) {
    if (name.toLowerCase() !== "content-disposition" || value === undefined || !/^inline\b/i.test(value)) continue;
    report.warning([...path, "set", name], { ...complaint, found: quote(value) });
  }
}
