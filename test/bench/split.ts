/** How evenly the workers of one program share its requests, read off its access log. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** @returns the share of the worker that served least, of `workers`; `null` when nothing was served */
export function leastShare(directory: string, workers: number): number | null {
  const file = join(directory, "stdout.log");
  if (!existsSync(file)) return null;
  const counts = new Map<string, number>();
  // The ids of one process begin alike.
  for (const [, id = ""] of readFileSync(file, "latin1").matchAll(/"requestId":"([0-9A-F]{12})/g)) {
    counts.set(id, (counts.get(id) ?? 0) + 1);
  }
  const total = [...counts.values()].reduce((sum, count) => sum + count, 0);
  if (total === 0) return null;
  return counts.size < workers ? 0 : Math.min(...counts.values()) / total;
}
