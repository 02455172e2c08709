import type { ErrorCode, YAMLError } from "yaml";
import type { SyntaxComplaint } from "./problem.js";

/** What a fault of the syntax means, in plain words: [expected, found, hint]. */
type Wording = readonly [string, string, string];

const WORDINGS: Partial<Record<ErrorCode, Wording>> = {
  TAB_AS_INDENT: ["blanks as indentation", "a tab", "YAML does not indent with tabs."],
  MULTIPLE_DOCS: [
    "one document in the file",
    "a second one behind '---'",
    "Take it out, or make it a file of its own.",
  ],
  BAD_INDENT: ["a deeper indentation, or the end of the bracket", "something else", "Is a bracket open?"],
  MISSING_CHAR: ["a closing quote or bracket", "something else", "Look for what was opened and not closed."],
  BLOCK_AS_IMPLICIT_KEY: [
    "a value",
    "a second key in the line",
    "Put a value with ': ' in it in quotes, or check the indentation.",
  ],
  MULTILINE_IMPLICIT_KEY: ["a key and a colon", "no colon in the line", "Is a ':' missing, or is the indentation off?"],
  BAD_SCALAR_START: ["a value", "a character that cannot begin one", "Put the value in quotes."],
  BAD_DQ_ESCAPE: [
    "a known escape",
    "an unknown one behind a backslash",
    "Write \\\\ for a backslash, or use single quotes.",
  ],
  TAG_RESOLVE_FAILED: ["a plain value", "a YAML tag (!…)", "Tags have no meaning here; take it out."],
  BAD_DIRECTIVE: ["plain YAML", "an unknown directive (%…)", "Take the line out."],
};

const OTHER: Wording = [
  "valid YAML",
  "something else",
  "Check quotes, brackets and the indentation of this line and the one above.",
];

/** A fault that yaml found, in plain words and without the text that it stumbled over. */
export function yamlProblem(error: YAMLError, text: string): SyntaxComplaint {
  const offset = error.pos[0];
  const bracket =
    error.code === "UNEXPECTED_TOKEN" && /^[^\n]*: *\[[^\]\n]*\]$/.test(text.slice(0, offset).split("\n").at(-1) ?? "");
  const [expected, found, hint] = WORDINGS[error.code] ?? OTHER;
  return { offset, path: "(yaml)", expected, found, hint: bracket ? "Put an address with brackets in quotes." : hint };
}
