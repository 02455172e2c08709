import { CredentialSet, credentialSet } from "./credential-set.js";
import { CredentialsError, type CredentialsProvider } from "./provider.js";

export type ProfileKind = "cli" | "ini";

/**
 * How long a temporary set is taken to live when the vendor's library does not show its expiry: the shortest session that
 * STS gives. The library is asked again before that.
 */
const UNKNOWN_LIFE_MS = 15 * 60_000;

/**
 * The profiles of the vendor's command line (`~/.aliyun/config.json`) and its ini file (`~/.alibabacloud/credentials`), read
 * by the vendor's library: a dozen modes that it defines, and which change with it. It reads the process's own environment.
 *
 * A fresh provider for every question, since an old one answers with its last set when it cannot refresh, as if that were a
 * success, and writes down that the set lives on.
 */
export function vendorProfileProvider(kind: ProfileKind, where: string, nowMs: () => number): CredentialsProvider {
  return {
    fetch: async () => {
      // Loaded when needed: its dependencies would cost every start some 40 ms.
      const vendor = await import("@alicloud/credentials");
      const builder =
        kind === "cli" ? vendor.CLIProfileCredentialsProvider.builder() : vendor.ProfileCredentialsProvider.builder();
      const provider = builder.build();
      const fetched = await provider.getCredentials().catch(() => {
        // Its messages quote the file and the answers of services.
        throw new CredentialsError(`the profile in ${where} gave no credentials`);
      });
      const set = credentialSet(
        { ...fetched, expiration: expirationOf(provider) },
        {
          accessKeyId: `the access key id of ${where}`,
          accessKeySecret: `the access key secret of ${where}`,
          securityToken: `the security token of ${where}`,
          expiration: `the expiration in ${where}`,
        },
      );
      const expiresUnseen = set.securityToken !== undefined && set.expiresAtMs === undefined;
      return expiresUnseen ? new CredentialSet({ ...set, expiresAtMs: nowMs() + UNKNOWN_LIFE_MS }) : set;
    },
  };
}

/** The expiry is a private field of the library's; where another version hides it, UNKNOWN_LIFE_MS counts. */
function expirationOf(provider: unknown): unknown {
  type Inner = { readonly innerProvider?: { readonly session?: { readonly expiration?: unknown } } };
  const expiration = (provider as Inner).innerProvider?.session?.expiration;
  return typeof expiration === "string" ? expiration : undefined;
}
