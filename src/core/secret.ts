import { inspect } from "node:util";

/** A string that cannot be printed by accident: every implicit way to text gives `***`. */
export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  /** The text itself; the only way to it. */
  reveal(): string {
    return this.#value;
  }

  toString(): string {
    return "***";
  }

  toJSON(): string {
    return "***";
  }

  [inspect.custom](): string {
    return "***";
  }
}

/** What signs requests to OSS. `expiresAtMs` is absent for keys that do not expire. */
export interface OssCredentials {
  readonly accessKeyId: string;
  readonly accessKeySecret: Secret;
  readonly securityToken?: string;
  readonly expiresAtMs?: number;
}
