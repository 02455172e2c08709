import fc from "fast-check";
import { V1_SIGNED_PARAMETERS } from "../../../src/signing/canonical.js";

// What requests may be made of, for properties that compare signers.

/** All of Unicode, control characters too. */
export const anyText = fc.string({ unit: "binary", maxLength: 12 });

const HARD_PARTS = [
  " ",
  "%",
  "%25",
  "%2F",
  "+",
  "'",
  '"',
  "/",
  "//",
  "?",
  "#",
  "&=",
  "\\",
  "😀",
  "图",
  "\n",
  "\0",
  "\u007f",
];

/** Without a slash at the beginning: OSS refuses such keys (oss-semantics §7.2), and SDKs take it off. */
export const objectKey = fc
  .array(fc.oneof(anyText, fc.constantFrom(...HARD_PARTS, "/./", "/../"), fc.string({ maxLength: 5 })), {
    minLength: 1,
    maxLength: 6,
  })
  .map((parts) => parts.join("").replace(/^\/+/, ""))
  .filter((text) => text !== "");

/** For SDKs whose way to a URL resolves dot segments. */
export const keyWithoutDotSegments = objectKey.filter((key) => !/(?:^|\/)\.{1,2}(?:\/|$)/.test(key));

export const anyMethod = fc.constantFrom("GET", "HEAD", "PUT", "POST", "DELETE");

const signed = [...V1_SIGNED_PARAMETERS].filter((name) => name !== "security-token");

/** What V1 signs, in both cases and with `_`, values empty or of any text. */
export const subResources = fc.dictionary(
  fc.oneof(fc.constantFrom(...signed), fc.stringMatching(/^x-oss-[A-Za-z_]{1,6}z$/)),
  anyText,
  { maxKeys: 5 },
);

const ossHeaders = fc
  .uniqueArray(
    fc.tuple(
      fc
        .tuple(fc.constantFrom("x-oss-", "X-Oss-Meta-", "x-oss-meta-"), fc.stringMatching(/^[a-z][a-z0-9-]{0,6}$/))
        .map((parts) => `${parts.join("")}z`),
      // Blanks at both ends and inside.
      fc.string({ maxLength: 10 }),
    ),
    { maxLength: 4, selector: ([name]) => name.toLowerCase() },
  )
  .map((pairs) => Object.fromEntries(pairs));

const bodyHeaders = fc.record(
  {
    "content-type": fc.constantFrom("text/plain", "image/jpg; a=b"),
    "content-md5": fc.base64String({ minLength: 4 }),
  },
  { requiredKeys: [] },
);

/** ASCII headers that are signed: text beyond ASCII differs between what is written and what is on the wire. */
export const signedHeaders = fc.tuple(ossHeaders, bodyHeaders).map(([a, b]) => ({ ...a, ...b }));
