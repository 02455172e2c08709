import { GAUGE_FIELDS, type Stats } from "./stats.js";
import { StatsMap } from "./stats-map.js";

/**
 * What changed in an object of {@link Stats} since the last patch, by field; what did not change is left out. Plain, for
 * it travels between processes.
 */
export interface StatsPatch {
  /** Numbers: what came to them, or went. */
  numbers?: Record<string, number>;
  /** Arrays of counts: place, what came to it, place, … */
  arrays?: Record<string, number[]>;
  objects?: Record<string, StatsPatch>;
  maps?: Record<string, [key: string, patch: StatsPatch][]>;
  /** Of what tells its own news: what `take` gave. */
  lists?: Record<string, unknown>;
}

/** Something that tells what is new in it, and takes that of others: lists that no number holds. */
interface Newsworthy {
  /** @returns what came since it was called last; `null` or an empty list: nothing */
  take(): readonly unknown[] | null;
  add(news: readonly unknown[]): void;
}

type Fields = Record<string, unknown>;

/** What was sent of an object so far. */
interface Sent {
  readonly numbers: Map<string, number>;
  readonly arrays: Map<string, Float64Array>;
  readonly objects: Map<string, Sent>;
  readonly maps: Map<string, Map<string, Sent>>;
}

/** In a worker: tells what was counted, each time what came since the last. */
export class StatsSender {
  readonly #stats: Stats;
  readonly #sent = nothingSent();

  constructor(stats: Stats) {
    this.#stats = stats;
  }

  /** @returns `null` when nothing changed */
  take(): StatsPatch | null {
    return takeObject(this.#stats, this.#sent, new Set());
  }
}

/** In the main process: adds up what workers tell. */
export class StatsReceiver {
  readonly #stats: Stats;
  /** By worker and object: what its gauges stand at. */
  readonly #gauges = new Map<number, Map<Fields, Map<string, number>>>();

  constructor(stats: Stats) {
    this.#stats = stats;
  }

  apply(workerId: number, patch: StatsPatch | null): void {
    if (patch === null) return;
    let gauges = this.#gauges.get(workerId);
    if (gauges === undefined) {
      gauges = new Map();
      this.#gauges.set(workerId, gauges);
    }
    applyObject(this.#stats, patch, gauges);
  }

  /** A worker is gone: what it counted stays, what was under way in it is no more. */
  forget(workerId: number): void {
    for (const [fields, values] of this.#gauges.get(workerId) ?? []) {
      for (const [field, value] of values) fields[field] = (fields[field] as number) - value;
    }
    this.#gauges.delete(workerId);
  }
}

function nothingSent(): Sent {
  return { numbers: new Map(), arrays: new Map(), objects: new Map(), maps: new Map() };
}

/** @param seen one object may stand in two places, and is told once */
function takeObject(object: object, sent: Sent, seen: Set<object>): StatsPatch | null {
  if (seen.has(object)) return null;
  seen.add(object);
  const patch: StatsPatch = {};
  const fields = object as Fields;
  for (const field in fields) {
    const value = fields[field];
    if (typeof value === "number") takeNumber(patch, field, value, sent);
    else if (value instanceof Float64Array) takeArray(patch, field, value, sent);
    else if (value instanceof StatsMap) takeMap(patch, field, value, sent, seen);
    else if (isNewsworthy(value)) takeNews(patch, field, value);
    else if (isPlainPart(value)) {
      const part = takeObject(value, entryOf(sent.objects, field, nothingSent), seen);
      if (part !== null) patch.objects = { ...patch.objects, [field]: part };
    }
  }
  return isEmpty(patch) ? null : patch;
}

function takeNumber(patch: StatsPatch, field: string, value: number, { numbers }: Sent): void {
  const change = value - (numbers.get(field) ?? 0);
  if (change === 0 || Number.isNaN(change)) return;
  numbers.set(field, value);
  patch.numbers ??= {};
  patch.numbers[field] = change;
}

function takeArray(patch: StatsPatch, field: string, values: Float64Array, { arrays }: Sent): void {
  const sent = entryOf(arrays, field, () => new Float64Array(values.length));
  let changes: number[] | undefined;
  for (let i = 0; i < values.length; i += 1) {
    const value = values[i] as number;
    if (value === sent[i]) continue;
    changes ??= [];
    changes.push(i, value - (sent[i] as number));
    sent[i] = value;
  }
  if (changes === undefined) return;
  patch.arrays ??= {};
  patch.arrays[field] = changes;
}

function takeMap(patch: StatsPatch, field: string, map: StatsMap<unknown>, { maps }: Sent, seen: Set<object>): void {
  const sent = entryOf(maps, field, () => new Map<string, Sent>());
  const changes: [string, StatsPatch][] = [];
  for (const [key, value] of map) {
    const isKnown = sent.has(key);
    const of = entryOf(sent, key, nothingSent);
    const change = isNewsworthy(value) ? newsOf(value) : takeObject(value as object, of, seen);
    // A key that is there and stands at 0 is told too: a counter that begins at 0 shows its first increase.
    if (change !== null || !isKnown) changes.push([key, change ?? {}]);
  }
  if (changes.length > 0) patch.maps = { ...patch.maps, [field]: changes };
}

/** The one field of a patch for a map's value that is a list itself. */
const ITSELF = "";

function newsOf(list: Newsworthy): StatsPatch | null {
  const news = list.take();
  return news === null || news.length === 0 ? null : { lists: { [ITSELF]: news } };
}

function takeNews(patch: StatsPatch, field: string, list: Newsworthy): void {
  const news = list.take();
  if (news !== null && news.length > 0) patch.lists = { ...patch.lists, [field]: news };
}

function applyObject(object: object, patch: StatsPatch, gauges: Map<Fields, Map<string, number>>): void {
  const fields = object as Fields;
  for (const field in patch.numbers) {
    const change = patch.numbers[field] as number;
    if (typeof fields[field] !== "number") continue;
    fields[field] = (fields[field] as number) + change;
    if (!GAUGE_FIELDS.has(field)) continue;
    const values = entryOf(gauges, fields, () => new Map<string, number>());
    values.set(field, (values.get(field) ?? 0) + change);
  }
  for (const field in patch.arrays) applyArray(fields[field], patch.arrays[field] as number[]);
  for (const field in patch.objects) {
    const part = fields[field];
    if (isPlainPart(part)) applyObject(part, patch.objects[field] as StatsPatch, gauges);
  }
  for (const field in patch.maps) {
    const map = fields[field];
    if (!(map instanceof StatsMap)) continue;
    for (const [key, change] of patch.maps[field] ?? []) applyEntry(map.of(key), change, gauges);
  }
  for (const field in patch.lists) applyNews(fields[field], patch.lists[field]);
}

function applyEntry(value: object, change: StatsPatch, gauges: Map<Fields, Map<string, number>>): void {
  if (isNewsworthy(value)) applyNews(value, change.lists?.[ITSELF]);
  else applyObject(value, change, gauges);
}

/** Of another length it is another version's, whose places mean something else. */
function applyArray(values: unknown, changes: readonly number[]): void {
  if (!(values instanceof Float64Array)) return;
  for (let i = 0; i + 1 < changes.length; i += 2) {
    const place = changes[i] as number;
    if (place < values.length) values[place] = (values[place] as number) + (changes[i + 1] as number);
  }
}

function applyNews(list: unknown, news: unknown): void {
  if (isNewsworthy(list) && Array.isArray(news)) list.add(news);
}

function isNewsworthy(value: unknown): value is Newsworthy {
  return (
    typeof value === "object" && value !== null && "take" in value && "add" in value && typeof value.add === "function"
  );
}

/** Plain maps hold what is of the main process alone. */
function isPlainPart(value: unknown): value is object {
  return typeof value === "object" && value !== null && !(value instanceof Map) && !Array.isArray(value);
}

function isEmpty(patch: StatsPatch): boolean {
  for (const _ in patch) return false;
  return true;
}

function entryOf<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  let value = map.get(key);
  if (value === undefined) {
    value = make();
    map.set(key, value);
  }
  return value;
}
