import { type CST, Parser } from "yaml";
import type { SyntaxComplaint } from "./problem.js";

const MAX_DEPTH = 64;

/** The parser's tokens form a tree; this is what its branches have in common. */
interface Branch {
  readonly items?: readonly { readonly key?: CST.Token | null; readonly value?: CST.Token }[];
  readonly value?: unknown;
}

/**
 * Refuses a text that nests deeper than any configuration does.
 * yaml builds its tree by recursion, and a text of some thousand brackets takes the whole process down with it.
 */
export function nestingProblem(text: string): SyntaxComplaint | null {
  const open: { readonly token: CST.Token; readonly depth: number }[] = [];
  for (const token of new Parser().parse(text)) open.push({ token, depth: 0 });
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { token, depth } = next;
    if (depth > MAX_DEPTH) return depthComplaint(token.offset);
    for (const child of childrenOf(token)) open.push({ token: child, depth: depth + 1 });
  }
  return null;
}

function childrenOf(token: CST.Token): CST.Token[] {
  const { items, value } = token as Branch;
  const children: CST.Token[] = [];
  if (token.type === "document" && value !== undefined) children.push(value as CST.Token);
  for (const item of items ?? []) {
    if (item.key) children.push(item.key);
    if (item.value) children.push(item.value);
  }
  return children;
}

function depthComplaint(offset: number): SyntaxComplaint {
  return { offset, path: "(yaml)", expected: `at most ${MAX_DEPTH} levels of nesting`, found: "more" };
}
