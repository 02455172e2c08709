import { createHash } from "node:crypto";
import type { GatewayConfig } from "../config/gateway-config.js";
import type { Secret } from "../core/secret.js";
import type { Budget, BudgetSizes, BudgetSpec, Budgets, LastingBudgets, Slots } from "../limits/budget.js";
import { isSameNumber, isSameRate, oncePerKey } from "../limits/once-per-key.js";
import { createSharedBudgets } from "../limits/shared-budgets.js";
import { NEXT_OF_EVENTS } from "../telemetry/error-lines.js";
import type { Logger } from "../telemetry/log.js";
import type { ReadSecret } from "./compile-access.js";
import { LaneHoldings, type Lanes } from "./compile-bandwidth.js";
import { Holder, Holdings } from "./holdings.js";

/** What names the budgets on a server that others may use too. */
const PREFIX = "ossgate";

/** Where budgets are held, and what waits for them. */
interface Place {
  readonly budgets: LastingBudgets;
  /** What runs at once is counted by each machine for itself. */
  readonly slots: LastingBudgets;
  /** Settles when it is known what the other machines do: requests may be served before. */
  readonly started: Promise<void>;
  readonly lanes: LaneHoldings;
}

/**
 * The budgets of one process. They outlive configurations: a budget of the same key goes on as it is, and a server that
 * several machines share stays connected unless the configuration names another.
 */
export class BudgetHoldings {
  readonly #own: Place;
  readonly #log: Logger;
  readonly #uses = new Set<BudgetUse>();
  readonly #shared = new Holdings<Place>(({ budgets }) => budgets.close());

  /** @param own of this process or leased; ended by whoever made them */
  constructor(own: LastingBudgets, log: Logger) {
    this.#own = { budgets: own, slots: own, started: Promise.resolve(), lanes: new LaneHoldings() };
    this.#log = log;
  }

  /**
   * The budgets as one configuration says.
   * @throws Error in one sentence when the password of the server cannot be read
   */
  use({ limits: { shared } }: GatewayConfig, readSecret: ReadSecret): BudgetUse {
    const holder = new Holder();
    const place = shared === null ? this.#own : this.#holdShared(shared, readSecret, holder);
    const use = new BudgetUse(place, () => {
      this.#uses.delete(use);
      this.#forgetUnused(place);
      holder.letGo();
    });
    this.#uses.add(use);
    return use;
  }

  #holdShared(shared: NonNullable<GatewayConfig["limits"]["shared"]>, readSecret: ReadSecret, holder: Holder): Place {
    const { url, password: ref } = shared;
    // What a password of a server must be is that server's business.
    const password = ref === null ? null : readSecret(ref, "limits.sharedPassword", undefined, 1);
    const key = JSON.stringify([url, password === null ? null : fingerprint(password)]);
    return holder.hold(this.#shared, key, () => {
      const slots = this.#own.budgets;
      const onState = (isUp: boolean, reason: string): void => this.#onState(url.host, isUp, reason);
      const budgets = createSharedBudgets({ url, password, prefix: PREFIX, slots, onState });
      return { budgets, slots, started: budgets.started, lanes: new LaneHoldings() };
    });
  }

  #forgetUnused(place: Place): void {
    const isUsed = (key: string): boolean => [...this.#uses].some((use) => use.uses(key));
    place.budgets.keep(isUsed);
    if (place !== this.#own) this.#own.budgets.keep(isUsed);
  }

  #onState(server: string, isUp: boolean, cause: string): void {
    if (isUp) this.#log.info({ server }, "limits are shared with the other machines");
    else {
      const fields = { server, cause, next: NEXT_OF_EVENTS.sharedDown };
      this.#log.warn(fields, "shared limits: the server cannot be used, this machine's share holds");
    }
  }
}

function fingerprint(secret: Secret): string {
  return createHash("sha256").update(secret.reveal()).digest("base64");
}

/** What one configuration says of budgets; it holds from {@link takeSizes} on. */
export class BudgetUse implements Budgets {
  readonly started: Promise<void>;
  readonly lanes: Lanes;
  readonly #budgets: LastingBudgets;
  readonly #ownSlots: LastingBudgets;
  readonly #onClose: () => void;
  readonly #laneHolder = new Holder();
  readonly #sizes = {
    rates: new Map<string, BudgetSpec>(),
    clientRates: new Map<string, BudgetSpec>(),
    slots: new Map<string, number>(),
    clientSlots: new Map<string, number>(),
  } satisfies BudgetSizes;
  readonly #rate = oncePerKey((key, spec: BudgetSpec) => this.#sizes.rates.set(key, spec), isSameRate);
  readonly #clientRate = oncePerKey((key, spec: BudgetSpec) => this.#sizes.clientRates.set(key, spec), isSameRate);
  readonly #slots = oncePerKey((key, count: number) => this.#sizes.slots.set(key, count), isSameNumber);
  readonly #clientSlots = oncePerKey((key, count: number) => this.#sizes.clientSlots.set(key, count), isSameNumber);
  #isClosed = false;

  constructor({ budgets, slots, started, lanes }: Place, onClose: () => void) {
    this.#budgets = budgets;
    this.#ownSlots = slots;
    this.started = started;
    this.lanes = lanes.lanes(this.#laneHolder);
    this.#onClose = onClose;
  }

  rate(spec: BudgetSpec): Budget {
    this.#rate(spec.key, spec);
    return this.#budgets.rate(spec);
  }

  ratePerClient(spec: BudgetSpec): (client: string) => Budget {
    this.#clientRate(spec.key, spec);
    return this.#budgets.ratePerClient(spec);
  }

  slots(key: string, count: number): Slots {
    this.#slots(key, count);
    return this.#budgets.slots(key, count);
  }

  slotsPerClient(key: string, count: number): (client: string) => Slots {
    this.#clientSlots(key, count);
    return this.#budgets.slotsPerClient(key, count);
  }

  get isSharedUp(): boolean | null {
    return this.#budgets.isSharedUp;
  }

  /** Its sizes hold from here on, for what runs too. */
  takeSizes(nowMs: number): void {
    this.#budgets.resize(this.#sizes, nowMs);
    if (this.#ownSlots !== this.#budgets) this.#ownSlots.resize(this.#sizes, nowMs);
  }

  uses(key: string): boolean {
    return Object.values(this.#sizes).some((sizes) => sizes.has(key));
  }

  /** What no other configuration uses is forgotten. Idempotent. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#laneHolder.letGo();
    this.#onClose();
  }
}
