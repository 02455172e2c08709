import { stringify } from "yaml";
import type { GatewayConfig } from "./gateway-config.js";
import { hidesAll } from "./hidden-values.js";

/** What JSON can hold. */
export type Shown = string | number | boolean | null | readonly Shown[] | { readonly [key: string]: Shown };

/**
 * The checked configuration for people to read: all defaults filled in, durations and sizes with their units, which the
 * names lose then. No secret is in a configuration but by mistake: what may hold one is masked.
 */
export function showConfig(config: GatewayConfig): Shown {
  return show("", config);
}

/** The same as YAML. */
export function configYaml(config: GatewayConfig): string {
  return stringify(showConfig(config), { lineWidth: 0, aliasDuplicateObjects: false });
}

const MASK = "***";

function show(key: string, value: unknown): Shown {
  if (value === null || value === undefined) return null;
  if (typeof value === "boolean") return value;
  if (typeof value === "number") return Number.isFinite(value) ? showNumber(key, value) : String(value);
  if (typeof value === "string") return showText(key, value);
  if (value instanceof URL) return showUrl(value);
  if (Array.isArray(value)) return value.map((item) => show(key, item));
  if (value instanceof Map) return showEntries([...value], (name) => name);
  return showObject(value as object);
}

/** A secret's place, `{ env: NAME }`, is told; what else stands where one is expected is not. */
function showObject(value: object): Shown {
  const ref = value as { readonly kind?: unknown; readonly name?: unknown; readonly path?: unknown };
  if (ref.kind === "env" && typeof ref.name === "string") return { env: ref.name };
  if (ref.kind === "file" && typeof ref.path === "string") return { file: ref.path };
  const isCredentialsUri = (value as { readonly type?: unknown }).type === "credentialsUri";
  return showEntries(
    Object.entries(value).map(([name, item]) => [name, isCredentialsUri && name === "url" ? MASK : item]),
    (name, item) => (typeof item === "number" ? plainName(name) : name),
  );
}

function showEntries(
  entries: readonly (readonly [unknown, unknown])[],
  nameOf: (name: string, value: unknown) => string,
): Shown {
  return Object.fromEntries(entries.map(([name, item]) => [nameOf(String(name), item), show(String(name), item)]));
}

function showText(key: string, text: string): string {
  if (text === "") return text;
  // An expression of NGINX's links may have the secret written out.
  if (key === "expression") return text.replaceAll(/\$\w+|[^$]+/g, (part) => (part.startsWith("$") ? part : " "));
  if (hidesAll(key)) return MASK;
  return MAY_HOLD_SECRET.test(text) && URL.canParse(text) ? showUrl(new URL(text)) : text;
}

const MAY_HOLD_SECRET = /^[a-z][a-z0-9+.-]*:\/\/.*[@?]/i;

/** Without user and password; of a query the names alone. */
function showUrl(url: URL): string {
  const shown = new URL(url);
  if (shown.username !== "" || shown.password !== "") {
    shown.username = MASK;
    shown.password = "";
  }
  for (const name of new Set(shown.searchParams.keys())) shown.searchParams.set(name, MASK);
  return shown.href.replaceAll("%2A", "*");
}

/** The unit at the end of a name, and how its numbers are written. */
const UNITS: readonly (readonly [suffix: RegExp, write: (value: number) => string])[] = [
  [/BytesPerSecond$/, (value) => `${formatBytes(value)}/s`],
  [/Bytes$/, formatBytes],
  [/Ms$/, formatDuration],
];

function showNumber(key: string, value: number): Shown {
  const unit = UNITS.find(([suffix]) => suffix.test(key));
  if (unit !== undefined) return unit[1](value);
  return key.endsWith("PerSecond") ? `${value}/s` : value;
}

function plainName(name: string): string {
  const unit = UNITS.find(([suffix]) => suffix.test(name));
  return name.replace(unit?.[0] ?? /PerSecond$/, "");
}

const BYTE_UNITS: readonly (readonly [name: string, bytes: number])[] = [
  ["TiB", 2 ** 40],
  ["GiB", 2 ** 30],
  ["MiB", 2 ** 20],
  ["KiB", 2 ** 10],
  ["TB", 1e12],
  ["GB", 1e9],
  ["MB", 1e6],
  ["KB", 1e3],
];

const DURATION_UNITS: readonly (readonly [name: string, ms: number])[] = [
  ["d", 86_400_000],
  ["h", 3_600_000],
  ["m", 60_000],
  ["s", 1_000],
];

/** In the largest unit of which it is a whole number, as the file could have it. */
function formatBytes(bytes: number): string {
  const unit = BYTE_UNITS.find(([, factor]) => bytes >= factor && bytes % factor === 0);
  return unit === undefined ? `${bytes}B` : `${bytes / unit[1]}${unit[0]}`;
}

function formatDuration(ms: number): string {
  const unit = DURATION_UNITS.find(([, factor]) => ms >= factor && ms % factor === 0);
  return unit === undefined ? `${ms}ms` : `${ms / unit[1]}${unit[0]}`;
}
