/** The names that a metrics page can show, with those of the parts of histograms. */
export function pageNames(page: string): ReadonlySet<string> {
  const names = new Set<string>();
  for (const [, name = "", kind] of page.matchAll(/^# TYPE (\S+) (\S+)$/gm)) {
    if (kind !== "histogram") names.add(name);
    else for (const part of ["bucket", "sum", "count"]) names.add(`${name}_${part}`);
  }
  return names;
}

/** The metrics that a PromQL expression asks for; `up`, ours, and what rules record (`level:metric:operations`). */
export function metricNamesIn(expression: string): readonly string[] {
  const bare = expression.replace(/"[^"]*"/g, '""');
  const named = bare.matchAll(/(?<![\w:$])((?:[a-z_]+:)?(?:ossgate|nodejs|process)_\w+(?::\w+)?|up)(?![\w:(])/g);
  return [...named].map(([, name = ""]) => name);
}
