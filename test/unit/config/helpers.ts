import type { BucketConfig, GatewayConfig, RouteConfig } from "../../../src/config/gateway-config.js";
import { formatProblem, readConfig } from "../../../src/config/read-config.js";

/** A good file in which lines can be replaced; the line numbers are part of the tests. */
export const GOOD = `listeners:
  - { name: web, address: 0.0.0.0:80 }
  - { name: local, address: 127.0.0.1:8080 }
buckets:
  media: { bucket: examplebucket, region: cn-beijing, domains: [img.example.com] }
  other: { bucket: otherbucket, region: cn-beijing }
routes:
  - name: images
    match: { hosts: [img.example.com] }
    bucket: media
  - name: files
    match: { hosts: [47.0.2.74] }
    bucket: other
`;

export const ROUTES = GOOD.indexOf("routes:");

/** The good file with other text from a line of it on: `with({ 5: "  media: { … }" })`. */
export function withLines(lines: Readonly<Record<number, string>>): string {
  return GOOD.split("\n")
    .map((line, index) => lines[index + 1] ?? line)
    .join("\n");
}

/** Every problem as the command prints it. */
export function problemsOf(text: string): readonly string[] {
  const result = readConfig(text, "g.yaml");
  return result.ok ? [] : result.problems.map((problem) => formatProblem(problem));
}

/** Every problem's `file:line:col: path:`. */
export function placesOf(text: string): readonly string[] {
  return problemsOf(text).map((line) => /^\S+ \S+:(?= )/.exec(line)?.[0] ?? line);
}

export function warningsOf(text: string): readonly string[] {
  return readConfig(text, "g.yaml").warnings.map((problem) => formatProblem(problem, "warning"));
}

/** The configuration of a file that must be good. */
export function configOf(text: string): GatewayConfig {
  const result = readConfig(text, "g.yaml");
  if (!result.ok) throw new Error(result.problems.map((problem) => formatProblem(problem)).join("\n"));
  return result.config;
}

/** The bucket `media` of the good file, with further keys. */
export function bucketOf(keys: string): BucketConfig {
  const bucket = configOf(withLines({ 5: `  media: { bucket: examplebucket, ${keys} }` })).buckets.get("media");
  if (bucket === undefined) throw new Error("no bucket media");
  return bucket;
}

/** The first route of the good file, with further keys. */
export function routeOf(keys: string): RouteConfig {
  const route = configOf(withLines({ 10: `    bucket: media\n    ${keys}` })).routes[0];
  if (route === undefined) throw new Error("no route");
  return route;
}
