import type { CredentialsConfig } from "../config/gateway-config.js";
import { assumeRoleProvider } from "./assume-role.js";
import { type Clock, SYSTEM_CLOCK } from "./clock.js";
import { credentialsUriProvider } from "./credentials-uri.js";
import { allowsV1, defaultChainProvider } from "./default-chain.js";
import { ecsRamRoleProvider } from "./ecs-ram-role.js";
import { envProvider } from "./env.js";
import { fileProvider } from "./file.js";
import { oidcRoleProvider } from "./oidc-role.js";
import type { CredentialsProvider } from "./provider.js";
import { RefreshingSource } from "./refreshing.js";
import type { Environment } from "./small-file.js";
import type { CredentialsEvents, CredentialsSource } from "./source.js";

export interface CreateOptions {
  readonly clock?: Clock;
  /** Default: the process's. The profiles of the default chain read the process's own in any case. */
  readonly env?: Environment;
  /**
   * Makes a source, or finds the one that was made under the same key before; absent: makes each.
   * @param key all that decides what the source gives
   */
  readonly once?: (key: string, make: () => CredentialsSource) => CredentialsSource;
}

/**
 * The sources of a configuration, by name, in its order. Nothing runs before `start()`; a source of `assumeRole` starts the
 * one that it asks with and waits for its first try.
 * @throws Error in one sentence that names the key: an unknown or circular `from`, an endpoint that must not be asked
 */
export function createCredentialsSources(
  configs: ReadonlyMap<string, CredentialsConfig>,
  events: CredentialsEvents,
  { clock = SYSTEM_CLOCK, env = process.env, once = (_, make) => make() }: CreateOptions = {},
): ReadonlyMap<string, CredentialsSource> {
  const made = new Map<string, MadeSource>();
  const make = (name: string, askedBy: readonly string[]): MadeSource => {
    const before = made.get(name);
    if (before !== undefined) return before;
    const config = configs.get(name);
    const asker = askedBy.at(-1);
    if (config === undefined) throw new Error(`credentials.${asker}.from: there are no credentials named ${name}`);
    if (askedBy.includes(name))
      throw new Error(`credentials.${asker}.from: ${name} is made from these credentials itself`);
    const from = config.type === "assumeRole" ? make(config.from, [...askedBy, name]) : null;
    const key = JSON.stringify([name, config, from?.key ?? ""]);
    const source = once(key, () => {
      const provider = explained(name, () => makeProvider(config, { clock, env, from: from?.source ?? null }));
      return new RefreshingSource({ name, provider, events, clock });
    });
    made.set(name, { key, source });
    return { key, source };
  };
  return new Map([...configs.keys()].map((name) => [name, make(name, []).source]));
}

interface MadeSource {
  readonly key: string;
  readonly source: CredentialsSource;
}

interface Surroundings {
  readonly clock: Clock;
  readonly env: Environment;
  /** Of `assumeRole` alone. */
  readonly from: CredentialsSource | null;
}

function makeProvider(config: CredentialsConfig, { clock, env, from }: Surroundings): CredentialsProvider {
  switch (config.type) {
    case "env":
      return envProvider(env);
    case "file":
      return fileProvider({ path: config.path, env, clock });
    case "ecsRamRole":
      return ecsRamRoleProvider({ ...config, allowV1: allowsV1(env) });
    case "assumeRole":
      return assumeRoleProvider({ ...config, from: from as CredentialsSource, clock });
    case "oidcRole":
      return oidcRoleProvider({ ...config, env, clock });
    case "credentialsUri":
      return credentialsUriProvider({ url: config.url });
    case "default":
      return defaultChainProvider({ env, clock });
  }
}

/** Puts the configuration's key before what a provider says of its options. */
function explained<T>(name: string, make: () => T): T {
  try {
    return make();
  } catch (error) {
    throw new Error(`credentials.${name}: ${(error as Error).message}`);
  }
}
