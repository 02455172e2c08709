/** The candidate that a misspelt or shortened word most likely means, or `null`. Case, `-` and `_` do not count. */
export function nearest(word: string, candidates: readonly string[]): string | null {
  const plain = simplify(word).slice(0, 64);
  const mostEdits = Math.max(1, Math.floor(plain.length / 3));
  let best: string | null = null;
  let bestEdits = mostEdits + 1;
  for (const candidate of candidates) {
    const edits = editDistance(plain, simplify(candidate));
    if (edits < bestEdits) [best, bestEdits] = [candidate, edits];
  }
  if (best !== null || plain.length < 3) return best;
  const longer = candidates.filter((candidate) => simplify(candidate).startsWith(plain));
  return longer.length === 1 ? (longer[0] ?? null) : null;
}

/** What to do about a name that nothing has: the nearest one, or all there are when they are few. `""` when neither helps. */
export function nameHint(name: string | null, known: readonly string[]): string {
  const near = name === null ? null : nearest(name, known);
  if (near !== null) return `Did you mean ${near}?`;
  return known.length === 0 || known.length > 10 ? "" : `There is ${known.join(", ")}.`;
}

function simplify(word: string): string {
  return word.toLowerCase().replace(/[-_\s]/g, "");
}

/** Insertions, deletions, replacements and swaps of neighbours (optimal string alignment). */
function editDistance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const replaced = at(last, j - 1) + (a[i - 1] === b[j - 1] ? 0 : 1);
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      row[j] = Math.min(at(last, j) + 1, at(row, j - 1) + 1, replaced, swapped ? at(beforeLast, j - 2) + 1 : replaced);
    }
    [beforeLast, last] = [last, row];
  }
  return at(last, b.length);
}

function at(row: readonly number[], index: number): number {
  return row[index] ?? Number.POSITIVE_INFINITY;
}
