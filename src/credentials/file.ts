import { type Clock, SYSTEM_CLOCK } from "./clock.js";
import { readCredentialsJson } from "./credentials-json.js";
import type { CredentialsProvider } from "./provider.js";
import { type Environment, expandPath, fileVersion, readSmallFile } from "./small-file.js";
import { FileWatch } from "./watch-file.js";

export interface FileProviderOptions {
  /** Relative to the working directory; may begin with `$CREDENTIALS_DIRECTORY/`. */
  readonly path: string;
  readonly env: Environment;
  readonly clock?: Clock;
}

/**
 * A JSON file with `AccessKeyId`, `AccessKeySecret` and, where they are temporary, `SecurityToken` and `Expiration`; read
 * again when it changes. 64 KiB at most.
 * @throws CredentialsError when `$CREDENTIALS_DIRECTORY` is not set
 */
export function fileProvider({ path, env, clock = SYSTEM_CLOCK }: FileProviderOptions): CredentialsProvider {
  const expanded = expandPath(path, env);
  let version = "";
  return {
    fetch: async () => {
      // Before the text: a version that came in between is then read once too often, and never missed.
      version = await fileVersion(expanded);
      const text = await readSmallFile(expanded);
      return readCredentialsJson(text, { where: expanded, isTemporary: false });
    },
    watch: (onChange) => {
      const fileWatch = new FileWatch({ path: expanded, clock, readVersion: () => version, onChange });
      return () => fileWatch.close();
    },
  };
}
