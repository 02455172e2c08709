import type { OssCredentials } from "../core/secret.js";
import { type Answer, ask, type Timeouts } from "./ask.js";
import { readCredentialsJson } from "./credentials-json.js";
import { CredentialsError, type CredentialsProvider } from "./provider.js";

export interface EcsRamRoleOptions {
  /** `null`: the role that the metadata service names. */
  readonly roleName: string | null;
  /** Base of the metadata service, without trailing slash. */
  readonly metadataUrl: string;
  /** Whether a service that knows no tokens is asked without one. */
  readonly allowV1: boolean;
  readonly timeouts?: Timeouts;
}

/** As the vendor's library (oss-semantics §8.2): the service is on the same host. */
const TIMEOUTS: Timeouts = { connectMs: 1_000, answerMs: 1_000 };

const ROLES_PATH = "/latest/meta-data/ram/security-credentials/";

/**
 * What a metadata service without hardened mode says to a request for a token. Any other failure of that request (403, a
 * time-out) is not a reason to go without: else who can disturb it can take the hardening away.
 */
const NO_TOKENS: ReadonlySet<number> = new Set([404, 405, 501]);

/**
 * The role of the ECS instance (oss-semantics §8.2).
 *
 * Not the vendor's provider: its address of the service is fixed, it goes without a token after any failure, and it puts
 * answers into the messages of errors.
 */
export function ecsRamRoleProvider(options: EcsRamRoleOptions): CredentialsProvider {
  return { fetch: (signal) => new MetadataService(options, signal).credentials() };
}

/** One visit to the service. */
class MetadataService {
  readonly #options: EcsRamRoleOptions;
  readonly #signal: AbortSignal;
  readonly #who: string;

  constructor(options: EcsRamRoleOptions, signal: AbortSignal) {
    this.#options = options;
    this.#signal = signal;
    this.#who = `the metadata service at ${new URL(options.metadataUrl).origin}`;
  }

  async credentials(): Promise<OssCredentials> {
    const headers = await this.#tokenHeaders();
    const roleName = this.#options.roleName ?? (await this.#roleName(headers));
    const answer = await this.#ask("GET", ROLES_PATH + encodeURIComponent(roleName), headers);
    if (answer.status === 404) throw new CredentialsError(`${this.#who} knows no role ${roleName} of this instance`);
    this.#expectOk(answer, "for credentials");
    return readCredentialsJson(answer.body, { where: this.#who, isTemporary: true });
  }

  async #tokenHeaders(): Promise<Readonly<Record<string, string>>> {
    const answer = await this.#ask("PUT", "/latest/api/token", { "x-aliyun-ecs-metadata-token-ttl-seconds": "21600" });
    if (this.#options.allowV1 && NO_TOKENS.has(answer.status)) return {};
    this.#expectOk(answer, "for a token");
    const token = answer.body.trim();
    if (!/^[\x21-\x7e]{1,4096}$/.test(token)) throw new CredentialsError(`${this.#who} gave a token that is none`);
    return { "x-aliyun-ecs-metadata-token": token };
  }

  async #roleName(headers: Readonly<Record<string, string>>): Promise<string> {
    const answer = await this.#ask("GET", ROLES_PATH, headers);
    if (answer.status === 404) throw new CredentialsError(`${this.#who} says that this instance has no RAM role`);
    this.#expectOk(answer, "for the role's name");
    const name = answer.body.trim();
    if (!/^[\w.@-]{1,64}$/.test(name)) throw new CredentialsError(`${this.#who} gave a role name that is none`);
    return name;
  }

  #ask(method: "GET" | "PUT", path: string, headers: Readonly<Record<string, string>>): Promise<Answer> {
    const { metadataUrl, timeouts = TIMEOUTS } = this.#options;
    const url = new URL(metadataUrl + path);
    return ask({ method, url, headers, who: this.#who, timeouts, signal: this.#signal });
  }

  #expectOk({ status }: Answer, what: string): void {
    if (status !== 200) throw new CredentialsError(`${this.#who} answered ${status} when asked ${what}`);
  }
}
