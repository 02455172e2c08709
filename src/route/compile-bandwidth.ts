import type { BudgetConfig, GatewayConfig, RouteConfig } from "../config/gateway-config.js";
import type { Budget, BudgetSpec, Budgets } from "../limits/budget.js";
import { Pacer, REAL_CLOCK } from "../limits/pacer.js";
import { DryRunPace, type Pace } from "../limits/pacer-dry-run.js";
import type { PartyLabel, Stats } from "../telemetry/stats.js";
import { Holder, Holdings } from "./holdings.js";

/** How the bodies of one route's requests to one bucket are slowed down; `null`: a direction is not. */
export interface CompiledBandwidth {
  /** What goes to clients. */
  readonly egress: CompiledPace | null;
  /** What comes from clients. */
  readonly ingress: CompiledPace | null;
}

export interface CompiledPace {
  readonly pace: Pace;
  /** Whose limit it is, for the counters: the widest of those that are enforced; `null`: none is, it only watches. */
  readonly party: PartyLabel | null;
}

type Direction = keyof CompiledBandwidth;

/** By the bucket's alias; `null`: nothing is limited on this route. */
export type BandwidthOfRoute = (
  route: RouteConfig,
  aliases: readonly string[],
) => ReadonlyMap<string, CompiledBandwidth> | null;

/** One limit of the configuration with the parties whose it is. */
interface Limit {
  /** Of the budgets: `route/images`, `bucket/media`. */
  readonly key: string;
  readonly party: PartyLabel;
  readonly config: BudgetConfig;
}

/** Where transfers take turns: one pacer, with a lane for each set of budgets that some have in common. */
export interface Lanes {
  readonly pacer: Pacer;
  /** @param key all that decides what the lane is */
  lane(key: string, make: () => Pace): Pace;
}

/** Lanes that outlive configurations: who waits in one, and whose turn it is, a reload does not change. */
export class LaneHoldings {
  readonly #pacer = new Pacer(REAL_CLOCK);
  readonly #lanes = new Holdings<Pace>(() => {});

  lanes(holder: Holder): Lanes {
    return { pacer: this.#pacer, lane: (key, make) => holder.hold(this.#lanes, key, make) };
  }
}

/** Compiles the bandwidth of all routes; what is limited by the same budgets takes turns in the same lane. */
export function compileBandwidths(
  config: GatewayConfig,
  budgets: Budgets,
  stats: Stats,
  lanes: Lanes = new LaneHoldings().lanes(new Holder()),
): BandwidthOfRoute {
  const compiler = new Compiler(budgets, stats, lanes);
  return (route, aliases) => {
    const ofRoute = limitOf(`route/${route.name}`, "all", route.limits.budget);
    const entries = aliases.flatMap((alias) => {
      const ofBucket = limitOf(`bucket/${alias}`, "bucket", config.buckets.get(alias)?.limits ?? null);
      const limits = [...ofRoute, ...ofBucket];
      const egress = compiler.compile(route.name, "egress", limits);
      const ingress = compiler.compile(route.name, "ingress", limits);
      return egress === null && ingress === null ? [] : [[alias, { egress, ingress }] as const];
    });
    return entries.length === 0 ? null : new Map(entries);
  };
}

function limitOf(key: string, party: PartyLabel, config: BudgetConfig | null): readonly Limit[] {
  return config === null ? [] : [{ key, party, config }];
}

/** What one limit holds in one direction. */
interface Rate {
  readonly spec: BudgetSpec;
  readonly party: PartyLabel;
  readonly isDryRun: boolean;
}

class Compiler {
  readonly #lanes: Lanes;
  readonly #budgets: Budgets;
  readonly #stats: Stats;

  constructor(budgets: Budgets, stats: Stats, lanes: Lanes) {
    this.#budgets = budgets;
    this.#stats = stats;
    this.#lanes = lanes;
  }

  compile(routeName: string, direction: Direction, limits: readonly Limit[]): CompiledPace | null {
    const rates = limits.flatMap((limit) => ratesOf(limit, direction));
    if (rates.length === 0) return null;
    const enforced = rates.filter(({ isDryRun }) => !isDryRun);
    const watched = rates.filter(({ isDryRun }) => isDryRun);
    const lane = enforced.length === 0 ? null : this.#laneOf(enforced);
    const party = enforced[0]?.party ?? null;
    if (watched.length === 0) return lane === null ? null : { pace: lane, party };
    return { pace: this.#watch(routeName, direction, watched, lane), party };
  }

  #laneOf(rates: readonly Rate[]): Pace {
    const turnBytes = turnBytesOf(Math.min(...rates.map(({ spec }) => spec.ratePerSecond)));
    const key = [...rates.map(({ spec }) => spec.key), turnBytes].join("\n");
    const { shared, budgetsOfGroup } = this.#budgetsOf(rates);
    return this.#lanes.lane(key, () => this.#lanes.pacer.lane({ budgets: shared, budgetsOfGroup, turnBytes }));
  }

  #watch(routeName: string, direction: Direction, rates: readonly Rate[], pace: Pace | null): Pace {
    const { shared, budgetsOfGroup } = this.#budgetsOf(rates);
    const party = (rates[0] as Rate).party;
    return new DryRunPace({
      pace,
      budgetsOf: budgetsOfGroup === null ? () => shared : (group) => [...shared, ...budgetsOfGroup(group)],
      nowMs: () => REAL_CLOCK.nowMs(),
      onOver: () => this.#stats.route(routeName).countLimited(direction, party, false),
    });
  }

  #budgetsOf(rates: readonly Rate[]) {
    const shared = rates.filter(({ party }) => party !== "client").map(({ spec }) => this.#budgets.rate(spec));
    const each = rates.filter(({ party }) => party === "client").map(({ spec }) => this.#budgets.ratePerClient(spec));
    const budgetsOfGroup = (group: string): readonly Budget[] => each.map((budgetOf) => budgetOf(group));
    return { shared, budgetsOfGroup: each.length === 0 ? null : budgetsOfGroup };
  }
}

/** Those of all clients first. */
function ratesOf({ key, party, config }: Limit, direction: Direction): readonly Rate[] {
  const { dryRun: isDryRun, perClient } = config;
  const all = bytesPerSecond(config, direction);
  const each = perClient === null ? null : bytesPerSecond(perClient, direction);
  return [
    ...(all === null ? [] : [{ spec: byteSpec(`${key}/${direction}`, all), party, isDryRun }]),
    ...(each === null
      ? []
      : [{ spec: byteSpec(`${key}/client/${direction}`, each), party: "client" as const, isDryRun }]),
  ];
}

function bytesPerSecond(
  rates: Pick<BudgetConfig, "egressBytesPerSecond" | "ingressBytesPerSecond">,
  direction: Direction,
): number | null {
  return direction === "egress" ? rates.egressBytesPerSecond : rates.ingressBytesPerSecond;
}

const BURST_S = 0.1;
/** Of each sharer: two ticks of the pacer and a way to the server and back. Less, and one alone could not use the rate. */
const LEAST_CREDIT_S = 0.03;
const KIB = 1024;
const MIN_BURST_BYTES = 16 * KIB;
const MIN_TURN_BYTES = KIB;
const MAX_TURN_BYTES = 256 * KIB;

export function byteSpec(key: string, ratePerSecond: number): BudgetSpec {
  const burst = Math.max(Math.ceil(ratePerSecond * BURST_S), MIN_BURST_BYTES);
  return { key, ratePerSecond, burst, reserve: 0, leastCredit: Math.ceil(ratePerSecond * LEAST_CREDIT_S) };
}

/** Long turns cost less CPU per byte; where a rate is low, they would make the others wait for seconds. */
export function turnBytesOf(ratePerSecond: number): number {
  return Math.min(Math.max(Math.floor(ratePerSecond * BURST_S), MIN_TURN_BYTES), MAX_TURN_BYTES);
}
