import type { GatewayConfig } from "../config/gateway-config.js";
import type { Budgets } from "../limits/budget.js";
import { createLocalBudgets } from "../limits/local-budgets.js";
import { createSharedBudgets } from "../limits/shared-budgets.js";
import type { Logger } from "../telemetry/log.js";
import type { ReadSecret } from "./compile-access.js";

/** What names the budgets on a server that others may use too. */
const PREFIX = "ossgate";

/** Budgets, and when they know what the other machines do: requests may be served before. */
export interface StartedBudgets {
  readonly budgets: Budgets;
  readonly started: Promise<void>;
}

/** @throws Error in one sentence when the password of the server cannot be read */
export function createBudgets({ limits }: GatewayConfig, readSecret: ReadSecret, log: Logger): StartedBudgets {
  const local = createLocalBudgets();
  if (limits.shared === null) return { budgets: local, started: Promise.resolve() };
  const { url, password: ref } = limits.shared;
  // What a password of a server must be is that server's business.
  const password = ref === null ? null : readSecret(ref, "limits.sharedPassword", undefined, 1);
  const onState = (isUp: boolean, reason: string): void => {
    if (isUp) log.info({ server: url.host }, "limits are shared with the other machines");
    else
      log.warn(
        { server: url.host, cause: reason },
        "shared limits: the server cannot be used, this machine's share holds",
      );
  };
  const budgets = createSharedBudgets({ url, password, prefix: PREFIX, slots: local, onState });
  return { budgets, started: budgets.started };
}
