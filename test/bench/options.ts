import { parseArgs } from "node:util";

/** What the command line asked for. */
export interface BenchOptions {
  readonly isQuick: boolean;
  /** Names of contenders; `null`: all. */
  readonly only: readonly string[] | null;
  /** Names of rows; `null`: all. */
  readonly rows: readonly string[] | null;
  readonly roundCount: number;
  readonly jsonFile: string;
}

export const USAGE = `npm run bench -- [options]

Measures ossgate and other reverse proxies in front of the same origin, each pinned to one core.

  --quick             shorter measurements; good for a glance, not for a claim
  --only NAME,NAME    these proxies only (direct, ossgate, nginx-recipe, nginx-pool, http-proxy, haproxy, caddy,
                      ossgate-signed, ossgate-verified, ossgate-hls, ossgate-sipped, ossgate-paced,
                      ossgate-paced-fast, ossgate-denied, ossgate-referer, ossgate-limited, ossgate-workers,
                      nginx-pool-workers)
  --rows ROW,ROW      these rows only (1k, signed1k, verified1k, hls1000, 64k, get100m, paced, paced100, refused, put100m,
                      workers, connections, scrape)
  --rounds N          rounds of the interleaved measurement, 1 to 20; the default is 3
  --json FILE         where the results go as JSON; the default is bench-results.json
  --help              this text

Needs nginx (the origin) and wrk (load of the small rows). Exit status: 0 measured, 1 a measurement failed, 2 wrong usage.
`;

const MAX_ROUND_COUNT = 20;

/**
 * Reads the command line.
 * @returns the options, or `null` when help was asked for
 * @throws Error with a text for the user on a wrong flag or value
 */
export function parseOptions(argv: readonly string[]): BenchOptions | null {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      quick: { type: "boolean", default: false },
      only: { type: "string" },
      rows: { type: "string" },
      rounds: { type: "string", default: "3" },
      json: { type: "string", default: "bench-results.json" },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) return null;
  return {
    isQuick: values.quick,
    only: splitNames(values.only),
    rows: splitNames(values.rows),
    roundCount: parseRoundCount(values.rounds),
    jsonFile: values.json,
  };
}

/** Picks the items whose names were asked for, in the order of `items`; an unknown name is an error. */
export function pickByName<T extends { readonly name: string }>(
  items: readonly T[],
  wanted: readonly string[] | null,
  flag: string,
): readonly T[] {
  if (wanted === null) return items;
  const known = items.map((item) => item.name);
  const unknown = wanted.filter((name) => !known.includes(name));
  if (unknown.length > 0) throw new Error(`${flag}: unknown name ${unknown.join(", ")}; known: ${known.join(", ")}`);
  return items.filter((item) => wanted.includes(item.name));
}

function splitNames(list: string | undefined): readonly string[] | null {
  if (list === undefined) return null;
  return list
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "");
}

function parseRoundCount(text: string): number {
  const roundCount = Number(text);
  if (Number.isInteger(roundCount) && roundCount >= 1 && roundCount <= MAX_ROUND_COUNT) return roundCount;
  throw new Error(`--rounds: a whole number from 1 to ${MAX_ROUND_COUNT} is needed, not ${text}`);
}
