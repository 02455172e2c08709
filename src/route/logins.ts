import type { AllowConfig, ForwardAuthConfig, RouteConfig } from "../config/gateway-config.js";
import type { Denial } from "../core/errors.js";
import { PasswordFiles } from "../credentials/password-file.js";
import { basicChallenge } from "../policy/basic-credentials.js";
import type { Logger } from "../telemetry/log.js";
import { ForwardAuth } from "../transport/forward-auth.js";
import { readCaFile } from "./ca-file.js";
import type { CompiledLogin } from "./compiled-route.js";

/** All that one configuration logs clients in with: its password files and the services that it asks. */
export class Logins {
  readonly #passwords: PasswordFiles;
  readonly #services: ForwardAuth[] = [];

  constructor(log: Logger) {
    this.#passwords = new PasswordFiles({
      onRead: (file, users) => log.info({ file, users }, "passwords are in use"),
      onFailure: (file, cause) =>
        log.warn({ file, cause }, "the password file was not read again, its last good version stays in use"),
    });
  }

  /**
   * What a route asks of others; `null` where it asks nobody.
   * @param where the route's place in the configuration, `routes[2]`
   * @throws Error that begins with the place, when a file is missing or no good
   */
  compile({ allow }: RouteConfig, where: string): CompiledLogin | null {
    if (allow === null || (allow.basic === null && allow.forwardAuth === null)) return null;
    return {
      basic: allow.basic === null ? null : this.#basic(allow.basic, `${where}.allow.basic`),
      forwardAuth: allow.forwardAuth === null ? null : this.#forwardAuth(allow.forwardAuth, where),
    };
  }

  /** Watches the password files from here on. */
  async start(): Promise<void> {
    await this.#passwords.start();
  }

  /** Ends the watching and all connections, what runs included. */
  destroy(): void {
    this.#passwords.close();
    for (const service of this.#services) service.destroy();
  }

  #basic({ file, realm }: NonNullable<AllowConfig["basic"]>, where: string): CompiledLogin["basic"] {
    return { file: this.#passwords.open(file, `${where}.file`), denial: loginDenial(realm) };
  }

  #forwardAuth({ url, timeoutMs, cacheMs, caFile, requestHeaders }: ForwardAuthConfig, where: string) {
    const ca = caFile === null ? null : readCaFile(caFile, `${where}.allow.forwardAuth.caFile`);
    const service = new ForwardAuth({ url, timeoutMs, cacheMs, ca });
    this.#services.push(service);
    return { service, requestHeaders: new Set(requestHeaders) };
  }
}

/** One text, whichever of the two is wrong. */
function loginDenial(realm: string): Denial {
  return Object.freeze({
    code: "LOGIN_REQUIRED",
    reason:
      "This route asks for a name and a password that it knows. A password has at most 72 bytes, and both are sent as UTF-8.",
    headers: ["WWW-Authenticate", basicChallenge(realm)],
  });
}
