import { type CredentialSet, credentialSet } from "./credential-set.js";
import { CredentialsError, type CredentialsProvider } from "./provider.js";
import type { Environment } from "./small-file.js";

/** The names of one family of variables (oss-semantics §8.1). */
export interface EnvironmentNames {
  readonly accessKeyId: string;
  readonly accessKeySecret: string;
  readonly securityToken: string;
}

const OSS_NAMES: EnvironmentNames = {
  accessKeyId: "OSS_ACCESS_KEY_ID",
  accessKeySecret: "OSS_ACCESS_KEY_SECRET",
  securityToken: "OSS_SESSION_TOKEN",
};

export const ALIBABA_NAMES: EnvironmentNames = {
  accessKeyId: "ALIBABA_CLOUD_ACCESS_KEY_ID",
  accessKeySecret: "ALIBABA_CLOUD_ACCESS_KEY_SECRET",
  securityToken: "ALIBABA_CLOUD_SECURITY_TOKEN",
};

/** The OSS SDKs' variables where one of them is set, else the vendor's. Families are never mixed. */
export function envProvider(env: Environment): CredentialsProvider {
  return {
    fetch: async () => {
      if (hasAny(env, OSS_NAMES)) return readEnvironment(OSS_NAMES, env);
      if (hasAny(env, ALIBABA_NAMES)) return readEnvironment(ALIBABA_NAMES, env);
      throw new CredentialsError("neither OSS_ACCESS_KEY_ID nor ALIBABA_CLOUD_ACCESS_KEY_ID is set");
    },
  };
}

/** Whether one variable of a family is set and not empty. */
export function hasAny(env: Environment, names: EnvironmentNames): boolean {
  return Object.values(names).some((name) => Boolean(env[name]));
}

/** @throws CredentialsError naming the variable that is missing */
export function readEnvironment(names: EnvironmentNames, env: Environment): CredentialSet {
  for (const name of [names.accessKeyId, names.accessKeySecret]) {
    if (!env[name]) throw new CredentialsError(`${name} is not set, though another variable that belongs to it is`);
  }
  const { accessKeyId, accessKeySecret, securityToken } = names;
  return credentialSet(
    { accessKeyId: env[accessKeyId], accessKeySecret: env[accessKeySecret], securityToken: env[securityToken] },
    { ...names, expiration: "" },
  );
}
