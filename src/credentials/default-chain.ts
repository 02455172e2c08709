import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { type Clock, SYSTEM_CLOCK } from "./clock.js";
import { credentialsUriProvider } from "./credentials-uri.js";
import { ecsRamRoleProvider } from "./ecs-ram-role.js";
import { ALIBABA_NAMES, hasAny, readEnvironment } from "./env.js";
import { OIDC_NAMES, oidcRoleProvider } from "./oidc-role.js";
import { CredentialsError, type CredentialsProvider } from "./provider.js";
import type { Environment } from "./small-file.js";
import { vendorProfileProvider } from "./vendor-profile.js";

/** Where every ECS instance finds its metadata. */
const METADATA_URL = "http://100.100.100.200";

export interface DefaultChainOptions {
  readonly env: Environment;
  readonly clock?: Clock;
  /** For tests. */
  readonly metadataUrl?: string;
  /** For tests; without it the endpoint that the environment names, as in the vendor's library. */
  readonly stsEndpoint?: string;
}

interface Member {
  /** Whether somebody set this member up; `probe`: nobody can tell without asking. */
  readonly isSetUp: () => boolean | "probe";
  readonly make: () => CredentialsProvider;
}

/**
 * The vendor's default chain: environment, OIDC, CLI profile, ini file, ECS metadata, credentials URI (oss-semantics §8.1).
 *
 * The vendor's own class is used for the profiles alone. It hands out no expiry, so that nobody could tell when its last
 * good set is dead; it goes on to the next member when one fails, so that a pod whose STS is away for a second takes the
 * role of its node and keeps it; and once all have failed it asks only the last one ever after. Here the first member that
 * is set up counts, and the one that gave credentials is kept.
 */
export function defaultChainProvider(options: DefaultChainOptions): CredentialsProvider {
  const members = chainMembers(options);
  let kept: CredentialsProvider | null = null;
  return {
    fetch: async (signal) => {
      if (kept !== null) return kept.fetch(signal);
      let probeFailure: CredentialsError | null = null;
      for (const { isSetUp, make } of members) {
        const setUp = isSetUp();
        if (setUp === false) continue;
        const provider = make();
        try {
          const set = await provider.fetch(signal);
          kept = provider;
          return set;
        } catch (error) {
          if (setUp !== "probe" || !(error instanceof CredentialsError)) throw error;
          probeFailure = error;
        }
      }
      const why = probeFailure === null ? "" : `, and ${probeFailure.message}`;
      throw new CredentialsError(`nothing of the default chain is set up${why}`);
    },
  };
}

function chainMembers(options: DefaultChainOptions): readonly Member[] {
  const { env, clock = SYSTEM_CLOCK } = options;
  const cliFile = join(homedir(), ".aliyun", "config.json");
  const iniFile = env.ALIBABA_CLOUD_CREDENTIALS_FILE || join(homedir(), ".alibabacloud", "credentials");
  return [
    {
      isSetUp: () => hasAny(env, ALIBABA_NAMES),
      make: () => ({ fetch: async () => readEnvironment(ALIBABA_NAMES, env) }),
    },
    {
      // The role's name alone means nothing: other members read it too.
      isSetUp: () => Boolean(env[OIDC_NAMES.providerArn] || env[OIDC_NAMES.tokenFile]),
      make: () => oidcMember(options, clock),
    },
    {
      isSetUp: () => !isTrue(env.ALIBABA_CLOUD_CLI_PROFILE_DISABLED) && existsSync(cliFile),
      make: () => vendorProfileProvider("cli", cliFile, () => clock.nowMs()),
    },
    {
      isSetUp: () => Boolean(env.ALIBABA_CLOUD_CREDENTIALS_FILE) || existsSync(iniFile),
      make: () => vendorProfileProvider("ini", iniFile, () => clock.nowMs()),
    },
    {
      isSetUp: () =>
        !isTrue(env.ALIBABA_CLOUD_ECS_METADATA_DISABLED) && (env.ALIBABA_CLOUD_ECS_METADATA ? true : "probe"),
      make: () => metadataMember(options),
    },
    {
      isSetUp: () => Boolean(env.ALIBABA_CLOUD_CREDENTIALS_URI),
      make: () => credentialsUriProvider({ url: env.ALIBABA_CLOUD_CREDENTIALS_URI ?? "" }),
    },
  ];
}

function oidcMember({ env, stsEndpoint }: DefaultChainOptions, clock: Clock): CredentialsProvider {
  return oidcRoleProvider({
    roleArn: null,
    providerArn: null,
    tokenFile: null,
    sessionName: env.ALIBABA_CLOUD_ROLE_SESSION_NAME || "ossgate",
    durationSeconds: 3_600,
    stsEndpoint: stsEndpoint ?? stsHost(env),
    env,
    clock,
  });
}

function metadataMember({ env, metadataUrl = METADATA_URL }: DefaultChainOptions): CredentialsProvider {
  return ecsRamRoleProvider({
    roleName: env.ALIBABA_CLOUD_ECS_METADATA || null,
    metadataUrl,
    allowV1: allowsV1(env),
  });
}

/** Whether the environment leaves the metadata service without tokens in use. */
export function allowsV1(env: Environment): boolean {
  return !isTrue(env.ALIBABA_CLOUD_IMDSV1_DISABLED);
}

function stsHost(env: Environment): string {
  const region = env.ALIBABA_CLOUD_STS_REGION;
  if (!region) return "sts.aliyuncs.com";
  return `${isTrue(env.ALIBABA_CLOUD_VPC_ENDPOINT_ENABLED) ? "sts-vpc" : "sts"}.${region}.aliyuncs.com`;
}

function isTrue(value: string | undefined): boolean {
  return value?.toLowerCase() === "true";
}
