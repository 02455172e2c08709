import { parseReferer } from "../config/values-policies.js";
import { type Converted, type ImportCommand, runImport } from "./import-command.js";
import { childrenOf, textsOf, type XmlElement } from "./import-xml.js";
import { lines, quoted, type Sorted, sortValues } from "./import-yaml.js";

const USAGE = `Usage: ossgate import-referer FILE

Reads the Referer configuration of a bucket (hotlink protection), as OSS's
GetBucketReferer and PutBucketReferer have it in XML, and prints it as the
'referer' of a route, indented to be put into 'routes' as it is. FILE is - for
standard input.

What is printed decides as OSS does, with 'strict: false'. Comments in it say
what 'strict: true' would do better, and which entries have no effect.

Exit code: 0 good, 3 no such document, 2 wrong usage, 1 anything else.
`;

const ONE = { most: 1, inside: "text" } as const;
const LIST = { most: 1, inside: { Referer: { most: Number.POSITIVE_INFINITY, inside: "text" } } } as const;

/** What the command does, without files. */
export const REFERER_IMPORT: ImportCommand = {
  name: "import-referer",
  usage: USAGE,
  root: "RefererConfiguration",
  shape: {
    AllowEmptyReferer: ONE,
    AllowTruncateQueryString: ONE,
    TruncatePath: ONE,
    RefererList: LIST,
    RefererBlacklist: LIST,
  },
  convert: convertReferer,
};

/** `ossgate import-referer FILE`; resolves with the exit status, see {@link runImport}. */
export function importReferer(args: readonly string[]): Promise<number> {
  return runImport(REFERER_IMPORT, args);
}

/** OSS's defaults (oss-semantics §5.1). */
const FLAGS = [
  ["AllowEmptyReferer", "allowEmptyReferer", "true"],
  ["AllowTruncateQueryString", "allowTruncateQueryString", "true"],
  ["TruncatePath", "truncatePath", "false"],
] as const;

function convertReferer(root: XmlElement): Converted {
  const flags = new Map(FLAGS.map(([element, key, byDefault]) => [key, textsOf(root, element)[0] || byDefault]));
  const wrong = FLAGS.find(([, key]) => !/^(?:true|false)$/i.test(flags.get(key) ?? ""));
  if (wrong !== undefined) return { problem: `has a ${wrong[0]} that is neither true nor false` };
  const allowed = entriesOf(root, "RefererList");
  const forbidden = entriesOf(root, "RefererBlacklist");
  if (allowed.taken.length === 0 && allowed.comments.length > 0) {
    return { problem: "has no entry in its RefererList that a browser can send: without one, everybody would pass" };
  }
  const flag = (key: (typeof FLAGS)[number][1]): string => `${key}: ${flags.get(key)?.toLowerCase()}`;
  const isPointless = allowed.taken.length === 0 && /false/i.test(flags.get("allowEmptyReferer") ?? "");
  const body = [
    ...lines(0, "# From a RefererConfiguration of OSS.", "referer:"),
    ...lines(1, "mode: enforce # report: lets everything pass, and counts and logs what would be refused"),
    ...(isPointless ? lines(1, "# As at OSS, this has no effect without a refererList:") : []),
    ...lines(1, flag("allowEmptyReferer")),
    ...listLines("refererList", allowed),
    ...listLines("refererBlacklist", forbidden),
    ...lines(1, flag("allowTruncateQueryString"), flag("truncatePath")),
    ...strictLines(allowed.taken.length + forbidden.taken.length > 0),
  ];
  return { yaml: `${body.join("\n")}\n` };
}

/** An empty `<Referer/>` stands for an empty list. */
function entriesOf(root: XmlElement, name: string): Sorted {
  const texts = childrenOf(root, name).flatMap((list) => textsOf(list, "Referer"));
  return sortValues(
    texts.filter((text) => text !== ""),
    parseReferer,
  );
}

function listLines(key: string, { taken, comments }: Sorted): string[] {
  const left = lines(2, ...comments);
  if (taken.length === 0) return [...lines(1, `${key}: []`), ...left];
  return [...lines(1, `${key}:`), ...lines(2, ...taken.map((text) => `- ${quoted(text)}${remark(text)}`)), ...left];
}

function remark(text: string): string {
  return text.startsWith("*") || text.includes("://") ? "" : " # no browser sends this: write https://, or * in front";
}

function strictLines(hasEntries: boolean): string[] {
  if (!hasEntries) return lines(1, "strict: false");
  return lines(
    1,
    "# As OSS compares: an entry is the beginning of a Referer, so http://a.com lets http://a.com.evil.net pass too.",
    "# true is safer: an entry that ends in a host ends at the host. Recommended, unless an entry means a beginning.",
    "strict: false",
  );
}
