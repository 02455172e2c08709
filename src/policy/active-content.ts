/**
 * Whether a browser may run script of a document of this type, or may look into the bytes and find one that it runs.
 * What it cannot make a type of it sniffs, and so counts as active (MIME Sniffing standard §4.4, §7); so does a list of
 * types, of which one reader takes the first and another the last. Parameters and case are ignored.
 * @param contentType the value of the one Content-Type line
 */
export function isActiveContent(contentType: string): boolean {
  // A comma may stand in a quoted parameter too; whoever writes such a type gets a sandbox that does no harm.
  if (contentType.includes(",")) return true;
  const [, type = "", subtype = ""] = MIME_TYPE.exec(contentType.toLowerCase()) ?? [];
  // Parts of multipart/x-mixed-replace and of mail have types of their own.
  if (type === "" || type === "multipart" || type === "message") return true;
  return subtype === "xml" || subtype.endsWith("+xml") || ACTIVE.has(`${type}/${subtype}`);
}

// Space as HTTP has it; browsers fail on others and sniff.
const TOKEN = "[!#$%&'*+.^_`|~0-9a-z-]+";
const MIME_TYPE = new RegExp(`^[\\t ]*(${TOKEN})/(${TOKEN})[\\t ]*(?:;|$)`);

/** Besides all XML. The last three mean that the type is not known (MIME Sniffing standard §7). */
const ACTIVE: ReadonlySet<string> = new Set([
  "text/html",
  "text/xsl",
  "text/rdf",
  "*/*",
  "unknown/unknown",
  "application/unknown",
]);
