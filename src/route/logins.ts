import type { AllowConfig, ForwardAuthConfig, RouteConfig } from "../config/gateway-config.js";
import type { Denial } from "../core/errors.js";
import { PasswordCheck } from "../credentials/password-check.js";
import { PasswordFiles } from "../credentials/password-file.js";
import { basicChallenge } from "../policy/basic-credentials.js";
import { NEXT_OF_EVENTS } from "../telemetry/error-lines.js";
import type { Logger } from "../telemetry/log.js";
import { ForwardAuth } from "../transport/forward-auth.js";
import { readCaFile } from "./ca-file.js";
import type { CompiledLogin } from "./compiled-route.js";
import { Holder, Holdings } from "./holdings.js";

/**
 * What the logins of several configurations have in common. Passwords that were checked are remembered by their hash too,
 * so one that was changed is checked anew; answers of a service hold for as long as its configuration says, and no longer.
 */
export class LoginHoldings {
  readonly passwordCheck = new PasswordCheck();
  readonly services = new Holdings<ForwardAuth>((service) => service.destroy());
}

/** All that one configuration logs clients in with: its password files, read anew, and the services that it asks. */
export class Logins {
  readonly #passwords: PasswordFiles;
  readonly #common: LoginHoldings;
  readonly #holder = new Holder();

  constructor(log: Logger, common = new LoginHoldings()) {
    this.#common = common;
    const events = {
      onRead: (file: string, users: number) => log.info({ file, users }, "passwords are in use"),
      onFailure: (file: string, cause: string) =>
        log.warn(
          { file, cause, next: NEXT_OF_EVENTS.passwordFileKept },
          "the password file was not read again, its last good version stays in use",
        ),
    };
    this.#passwords = new PasswordFiles(events, common.passwordCheck);
  }

  /**
   * What a route asks of others; `null` where it asks nobody.
   * @param where the route's place in the configuration, `routes[2]`
   * @throws Error that begins with the place, when a file is missing or no good
   */
  compile({ allow, name }: RouteConfig, where: string): CompiledLogin | null {
    if (allow === null || (allow.basic === null && allow.forwardAuth === null)) return null;
    return {
      basic: allow.basic === null ? null : this.#basic(allow.basic, `${where}.allow.basic`),
      forwardAuth: allow.forwardAuth === null ? null : this.#forwardAuth(allow.forwardAuth, name, where),
    };
  }

  /** Watches the password files from here on. */
  async start(): Promise<void> {
    await this.#passwords.start();
  }

  /** Ends the watching, and all connections that no other configuration uses, what runs included. */
  destroy(): void {
    this.#passwords.close();
    this.#holder.letGo();
  }

  #basic({ file, realm }: NonNullable<AllowConfig["basic"]>, where: string): CompiledLogin["basic"] {
    return { file: this.#passwords.open(file, `${where}.file`), denial: loginDenial(realm) };
  }

  /** Each route asks by itself, so that none takes the places of another. */
  #forwardAuth(config: ForwardAuthConfig, route: string, where: string): CompiledLogin["forwardAuth"] {
    const { url, timeoutMs, cacheMs, caFile, requestHeaders } = config;
    const ca = caFile === null ? null : readCaFile(caFile, `${where}.allow.forwardAuth.caFile`);
    const key = JSON.stringify([route, url, timeoutMs, cacheMs, ca]);
    const make = () => new ForwardAuth({ url, timeoutMs, cacheMs, ca });
    const service = this.#holder.hold(this.#common.services, key, make);
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
