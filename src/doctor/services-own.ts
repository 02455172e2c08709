import type { Environment } from "../credentials/small-file.js";

/** Result and advice for what `$CREDENTIALS_DIRECTORY` leads to, where it is not set. */
export const SERVICES_ALONE: readonly [result: string, next: string] = [
  "systemd shows it to the service alone",
  "As root, while the service runs, it is looked at too; otherwise see 'From a shell' in /usr/share/doc/ossgate/README.md.",
];

/** Whether a path leads to what systemd gives to the service (`LoadCredential=`), and this is not the service. */
export function isServices(path: string, env: Environment, isService: boolean): boolean {
  return (
    !isService && !env.CREDENTIALS_DIRECTORY && /^\$(CREDENTIALS_DIRECTORY|\{CREDENTIALS_DIRECTORY\})(\/|$)/.test(path)
  );
}
