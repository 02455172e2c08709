import { type Clock, SYSTEM_CLOCK } from "./clock.js";
import { type KnownHashes, knownHashes, type Login, PasswordCheck, type PasswordVerdict } from "./password-check.js";
import { type Passwords, readPasswords, readPasswordsNow } from "./password-text.js";
import { CredentialsError } from "./provider.js";
import { type Environment, expandPath, fileVersion } from "./small-file.js";
import { FileWatch } from "./watch-file.js";

export interface PasswordFileEvents {
  /** @param users how many the file names */
  onRead(path: string, users: number): void;
  /** The last good version stays in use. Told once for each cause. */
  onFailure(path: string, cause: string): void;
}

export interface PasswordFileOptions {
  /** Expanded. */
  readonly path: string;
  readonly check: PasswordCheck;
  readonly clock: Clock;
  readonly events: PasswordFileEvents;
}

/** Names and hashes of a file that is read again when it changes. A version that is no good changes nothing. */
export class PasswordFile {
  readonly #options: PasswordFileOptions;
  #known: KnownHashes;
  /** Of the file that was read last; empty for one that is no good, so that it is tried again. */
  #version = "";
  #cause = "";
  #watch: FileWatch | null = null;

  /** @throws CredentialsError when the file is not there, or is no password file */
  constructor(options: PasswordFileOptions) {
    this.#options = options;
    this.#known = known(readPasswordsNow(options.path));
  }

  /** Reads the file again, for what happened since, and whenever it changes from here on. */
  async start(): Promise<void> {
    const { path, clock } = this.#options;
    const onChange = (): void => void this.#read();
    this.#watch = new FileWatch({ path, clock, readVersion: () => this.#version, onChange });
    await this.#read();
  }

  close(): void {
    this.#watch?.close();
    this.#watch = null;
  }

  /** @param client whose turn a hash takes: an address, or a group of them */
  verify(login: Login, client: string): PasswordVerdict | Promise<PasswordVerdict> {
    return this.#options.check.verify(this.#known, login, client);
  }

  async #read(): Promise<void> {
    const { path, events } = this.#options;
    // Before the text: a version that came in between is then read once too often, and never missed.
    const version = await fileVersion(path);
    this.#version = version;
    try {
      const passwords = await readPasswords(path);
      // A later read is under way, or nobody is left to care.
      if (this.#version !== version || this.#watch === null) return;
      this.#known = known(passwords);
      this.#cause = "";
      events.onRead(path, passwords.hashes.size);
    } catch (error) {
      if (!(error instanceof CredentialsError)) throw error;
      if (this.#version === version && this.#watch !== null) this.#fail(error.message);
    }
  }

  #fail(cause: string): void {
    this.#version = "";
    if (cause === this.#cause) return;
    this.#cause = cause;
    this.#options.events.onFailure(this.#options.path, cause);
  }
}

const known = ({ hashes, maxCost }: Passwords): KnownHashes => knownHashes(hashes, maxCost);

/** All password files of one configuration: each is read once, and all share one queue of hashes. */
export class PasswordFiles {
  readonly #files = new Map<string, PasswordFile>();
  readonly #check: PasswordCheck;
  readonly #events: PasswordFileEvents;

  constructor(events: PasswordFileEvents, check = new PasswordCheck()) {
    this.#events = events;
    this.#check = check;
  }

  /**
   * @param path may begin with `$CREDENTIALS_DIRECTORY/`
   * @param where the place in the configuration, `routes[2].allow.basic.file`, for messages
   * @throws Error with all that is wrong, a line each
   */
  open(path: string, where: string, env: Environment = process.env): PasswordFile {
    try {
      const expanded = expandPath(path, env);
      const known = this.#files.get(expanded);
      if (known !== undefined) return known;
      const { clock, events } = { clock: SYSTEM_CLOCK, events: this.#events };
      const file = new PasswordFile({ path: expanded, check: this.#check, clock, events });
      this.#files.set(expanded, file);
      return file;
    } catch (error) {
      if (!(error instanceof CredentialsError)) throw error;
      throw new Error(`${where}: ${error.message}`);
    }
  }

  async start(): Promise<void> {
    await Promise.all([...this.#files.values()].map((file) => file.start()));
  }

  close(): void {
    for (const file of this.#files.values()) file.close();
  }
}
