import type { Timeouts } from "./ask.js";
import { type Clock, SYSTEM_CLOCK } from "./clock.js";
import { CredentialsError, type CredentialsProvider } from "./provider.js";
import { type Environment, expandPath, readSmallFile } from "./small-file.js";
import { askSts, commonParameters, stsUrl } from "./sts.js";

export interface OidcRoleOptions {
  /** `null` in these three: what the environment says. */
  readonly roleArn: string | null;
  readonly providerArn: string | null;
  readonly tokenFile: string | null;
  readonly sessionName: string;
  readonly durationSeconds: number;
  readonly stsEndpoint: string;
  readonly env: Environment;
  readonly clock?: Clock;
  readonly timeouts?: Timeouts;
}

/** What the vendor's webhook for Kubernetes (RRSA) puts into a pod (oss-semantics §8.1). */
export const OIDC_NAMES = {
  roleArn: "ALIBABA_CLOUD_ROLE_ARN",
  providerArn: "ALIBABA_CLOUD_OIDC_PROVIDER_ARN",
  tokenFile: "ALIBABA_CLOUD_OIDC_TOKEN_FILE",
} as const;

/**
 * AssumeRoleWithOIDC of STS: not signed, the token vouches. Its file is read each time, since the cluster changes it.
 *
 * Not the vendor's provider: it knows https alone, puts answers into messages, and does not bound what it reads.
 * @throws CredentialsError for an endpoint that must not be asked
 */
export function oidcRoleProvider(options: OidcRoleOptions): CredentialsProvider {
  const endpoint = stsUrl(options.stsEndpoint);
  const { sessionName, durationSeconds, env, clock = SYSTEM_CLOCK, timeouts } = options;
  return {
    fetch: async (signal) => {
      const roleArn = options.roleArn ?? variable(OIDC_NAMES.roleArn, env);
      const providerArn = options.providerArn ?? variable(OIDC_NAMES.providerArn, env);
      const tokenFile = expandPath(options.tokenFile ?? variable(OIDC_NAMES.tokenFile, env), env);
      const parameters = [
        ...commonParameters("AssumeRoleWithOIDC", clock.nowMs()),
        ["RoleArn", roleArn],
        ["OIDCProviderArn", providerArn],
        ["OIDCToken", await readToken(tokenFile)],
        ["RoleSessionName", sessionName],
        ["DurationSeconds", String(durationSeconds)],
      ];
      const form = new URLSearchParams(parameters as [string, string][]).toString();
      return askSts({ endpoint, form, signal, ...(timeouts && { timeouts }) });
    },
  };
}

async function readToken(path: string): Promise<string> {
  const token = (await readSmallFile(path)).trim();
  if (token === "") throw new CredentialsError(`${path} is empty`);
  return token;
}

function variable(name: string, env: Environment): string {
  const value = env[name];
  if (!value) throw new CredentialsError(`${name} is not set, and the configuration does not say it either`);
  return value;
}
