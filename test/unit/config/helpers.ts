import type {
  BucketConfig,
  CredentialsConfig,
  GatewayConfig,
  RouteConfig,
} from "../../../src/config/gateway-config.js";
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

/** A good file with a route that the gateway signs; line 14 is free. */
export const SIGNED = `listeners:
  - { name: web, address: 0.0.0.0:80 }
credentials:
  reader: { type: env }
buckets:
  media: { bucket: examplebucket, region: cn-beijing }
routes:
  - name: vod
    match: { hosts: [vod.example.com] }
    bucket: media
    auth: sign
    sign: { credentials: reader }
    allow: { clients: [10.0.0.0/8] }
`;

export type Lines = Readonly<Record<number, string>>;

/** The good file with other text from a line of it on: `with({ 5: "  media: { … }" })`. */
export function withLines(lines: Lines, text = GOOD): string {
  return text
    .split("\n")
    .map((line, index) => lines[index + 1] ?? line)
    .join("\n");
}

/** The file with the signing route, likewise. */
export function signedWith(lines: Lines): string {
  return withLines(lines, SIGNED);
}

/** The signing route with other lines. */
export function signedRoute(lines: Lines): RouteConfig {
  const route = configOf(signedWith(lines)).routes[0];
  if (route === undefined) throw new Error("no route");
  return route;
}

/** The credentials `reader` with these keys. */
export function credentialsOf(keys: string): CredentialsConfig | undefined {
  return configOf(signedWith({ 4: `  reader: { ${keys} }\n  other: { type: env }` })).credentials.get("reader");
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
