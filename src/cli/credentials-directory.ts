import { accessSync, constants } from "node:fs";

/** Where systemd has what `LoadCredential=` of ossgate.service names, while the service runs; root alone may look. */
const SERVICES_OWN = "/run/credentials/ossgate.service";

/**
 * Lets root read by hand what `$CREDENTIALS_DIRECTORY` leads to in the configuration; without the service, or for other
 * users, nothing changes.
 */
export function borrowCredentialsDirectory(env: NodeJS.ProcessEnv, directory = SERVICES_OWN): void {
  if (env.CREDENTIALS_DIRECTORY) return;
  try {
    accessSync(directory, constants.R_OK | constants.X_OK);
    env.CREDENTIALS_DIRECTORY = directory;
  } catch {
    // What needs it says so, and what to do.
  }
}
