import { randomBytes } from "node:crypto";
import { availableParallelism } from "node:os";
import { LRUCache } from "lru-cache";
import { HmacSha256 } from "../core/hmac.js";
import type { Secret } from "../core/secret.js";
import { MAX_PASSWORD_BYTES, matchesHash, nobodysHash } from "./password-hash.js";
import { FairQueue, type QueueLimits } from "./password-queue.js";

/** `busy`: so many wait for their hash that this one was not checked. */
export type PasswordVerdict = "right" | "wrong" | "busy";

export interface Login {
  readonly name: string;
  readonly password: string;
}

/** What logins are checked against. */
export interface KnownHashes {
  readonly hashes: ReadonlyMap<string, Secret>;
  /** For names that are not among them, so that they take as long as others. */
  readonly nobodys: Secret;
}

/** @param maxCost of the hashes: a name that is not known takes as long as the slowest */
export function knownHashes(hashes: ReadonlyMap<string, Secret>, maxCost: number): KnownHashes {
  return { hashes, nobodys: nobodysHash(maxCost) };
}

const MAX_REMEMBERED = 10_000;
const RIGHT_KEPT_MS = 5 * 60_000;
/** A page of a client with an old password asks a hundred times; and nobody is kept out for longer than this. */
const WRONG_KEPT_MS = 30_000;

const LIMITS: QueueLimits = {
  // One core stays for the requests, and one of the four threads of libuv's pool for files and names.
  running: Math.max(1, Math.min(3, availableParallelism() - 1)),
  waiting: 64,
};

export interface PasswordCheckOptions {
  readonly limits?: QueueLimits;
  /** Monotonic milliseconds. */
  readonly clock?: { now(): number };
  /** For tests: in place of bcrypt. */
  readonly compare?: (password: string, hash: Secret) => Promise<boolean>;
}

/**
 * Checks names and passwords against hashes. Pairs that were checked are remembered under an HMAC of the pair and of the
 * hash, with a key of this object's own: nothing that is kept gives a password away, and what the file no longer says is
 * not found again. Right ones are kept 5 minutes, wrong ones 30 s, 10,000 of each apart, so that a flood of guesses
 * pushes out no right one; and each pair is hashed once at a time.
 */
export class PasswordCheck {
  readonly #hmac = new HmacSha256(randomBytes(32));
  readonly #queue: FairQueue;
  readonly #compare: (password: string, hash: Secret) => Promise<boolean>;
  readonly #right: LRUCache<string, true>;
  readonly #wrong: LRUCache<string, true>;
  readonly #flights = new Map<string, Promise<PasswordVerdict>>();

  constructor({ limits = LIMITS, clock = performance, compare = matchesHash }: PasswordCheckOptions = {}) {
    this.#queue = new FairQueue(limits);
    this.#compare = compare;
    const shared = { max: MAX_REMEMBERED, perf: clock, ttlResolution: 0 };
    this.#right = new LRUCache({ ...shared, ttl: RIGHT_KEPT_MS });
    this.#wrong = new LRUCache({ ...shared, ttl: WRONG_KEPT_MS });
  }

  /**
   * @param client whose turn a hash takes: an address, or a group of them
   * @returns at once for pairs that are remembered
   */
  verify({ hashes, nobodys }: KnownHashes, login: Login, client: string): PasswordVerdict | Promise<PasswordVerdict> {
    const { name, password } = login;
    // Also where a hash says so: an account without a password is a mistake, and open to all who know its name.
    if (password === "") return "wrong";
    if (Buffer.byteLength(password) > MAX_PASSWORD_BYTES || password.includes("\0")) return "wrong";
    const hash = hashes.get(name) ?? nobodys;
    // A hash has one length and a name no colon, so this is one text for each triple.
    const key = this.#hmac.digest(`${hash.reveal()}${name}:${password}`, "base64url");
    if (this.#right.get(key) === true) return "right";
    if (this.#wrong.get(key) === true) return "wrong";
    return this.#flights.get(key) ?? this.#check(key, password, hash, client);
  }

  /** What an unknown name is compared with fits no password that anybody knows. */
  #check(key: string, password: string, hash: Secret, client: string): Promise<PasswordVerdict> {
    const flight = this.#queue
      .run(client, () => this.#compare(password, hash))
      .then((isRight): PasswordVerdict => {
        if (isRight === null) return "busy";
        (isRight ? this.#right : this.#wrong).set(key, true);
        return isRight ? "right" : "wrong";
      })
      .finally(() => this.#flights.delete(key));
    this.#flights.set(key, flight);
    return flight;
  }
}
