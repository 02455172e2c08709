import { createPublicKey, type KeyObject } from "node:crypto";
import { askOnce } from "./ask-once.js";

const MAX_KEY_BYTES = 8 * 1024;
const FETCH_TIMEOUT_MS = 2_000;
const KEPT_MS = 24 * 3_600_000;
const FAILURE_KEPT_MS = 30_000;
const MAX_ENTRIES = 16;
const FETCHES_PER_MINUTE = 5;
const MINUTE_MS = 60_000;
/** Larger keys cost time for each signature, and the vendor has none. */
const MAX_MODULUS_BITS = 4_096;

export interface PublicKeyOptions {
  /** URLs that are fetched however many others were: what strangers ask for must not be in their way. */
  readonly known: readonly string[];
  /** Told of each fetch that gave no key, so at most as often as there are fetches. */
  onFailure(url: string, cause: string): void;
  /** PEM text of an extra authority. */
  readonly ca?: string;
  /** Connects there in place of the URL's host; the certificate must still have the host's name. */
  readonly connectTo?: { readonly host: string; readonly port: number };
  /** Default 2 s. */
  readonly timeoutMs?: number;
}

interface Entry {
  /** `null`: it could not be had. */
  readonly key: KeyObject | null;
  readonly untilMs: number;
}

/**
 * RSA public keys by their URL, fetched when they are first asked for. Keys are kept for a day, failures for 30 s, 16 of
 * each; at most 5 URLs a minute are fetched that gave no key before, each once at a time.
 */
export class PublicKeys {
  readonly #options: PublicKeyOptions;
  /** Least recently used first. One that is too old still says that its URL is a good one. */
  readonly #keys = new Map<string, Entry>();
  readonly #failures = new Map<string, Entry>();
  readonly #flights = new Map<string, Promise<KeyObject | null>>();
  /** When URLs were fetched that gave no key before; at most {@link FETCHES_PER_MINUTE}. */
  #fetchesAtMs: number[] = [];

  constructor(options: PublicKeyOptions) {
    this.#options = options;
  }

  /**
   * The key at an https URL. Redirects are not followed.
   * @param nowMs monotonic milliseconds
   * @returns `null` when there is none, when it could not be had in time, or when too many were asked for
   */
  get(url: URL, nowMs: number): Promise<KeyObject | null> {
    const { href } = url;
    const entry = this.#fresh(href, nowMs);
    if (entry !== undefined) return Promise.resolve(entry.key);
    const flight = this.#flights.get(href);
    if (flight !== undefined) return flight;
    if (url.protocol !== "https:" || !this.#mayFetch(href, nowMs)) return Promise.resolve(null);
    const started = this.#fetch(url, nowMs).finally(() => this.#flights.delete(href));
    this.#flights.set(href, started);
    return started;
  }

  /** Keys, failures and fetches under way, for tests and metrics. */
  get size(): number {
    return this.#keys.size + this.#failures.size + this.#flights.size;
  }

  #fresh(href: string, nowMs: number): Entry | undefined {
    const key = this.#keys.get(href);
    if (key !== undefined && key.untilMs > nowMs) {
      keep(this.#keys, href, key);
      return key;
    }
    const failure = this.#failures.get(href);
    return failure !== undefined && failure.untilMs > nowMs ? failure : undefined;
  }

  #mayFetch(href: string, nowMs: number): boolean {
    if (this.#options.known.includes(href) || this.#keys.has(href)) return true;
    this.#fetchesAtMs = this.#fetchesAtMs.filter((atMs) => atMs > nowMs - MINUTE_MS);
    if (this.#fetchesAtMs.length >= FETCHES_PER_MINUTE) return false;
    this.#fetchesAtMs.push(nowMs);
    return true;
  }

  async #fetch(url: URL, nowMs: number): Promise<KeyObject | null> {
    const { href } = url;
    try {
      const key = await this.#ask(url);
      this.#failures.delete(href);
      keep(this.#keys, href, { key, untilMs: nowMs + KEPT_MS });
      return key;
    } catch (error) {
      keep(this.#failures, href, { key: null, untilMs: nowMs + FAILURE_KEPT_MS });
      this.#options.onFailure(href, (error as Error).message);
      return null;
    }
  }

  async #ask(url: URL): Promise<KeyObject> {
    const { status, body } = await askOnce({
      url,
      method: "GET",
      headers: ["User-Agent", "ossgate"],
      body: null,
      maxAnswerBytes: MAX_KEY_BYTES,
      timeoutMs: this.#options.timeoutMs ?? FETCH_TIMEOUT_MS,
      ca: this.#options.ca ?? null,
      connectTo: this.#options.connectTo ?? null,
      signal: null,
    });
    if (status !== 200) throw new Error(`the answer is ${status}`);
    return parseRsaPublicKey(body.toString("latin1"));
  }
}

/** Puts an entry last, and drops the first when there are too many. */
function keep(entries: Map<string, Entry>, href: string, entry: Entry): void {
  entries.delete(href);
  entries.set(href, entry);
  if (entries.size <= MAX_ENTRIES) return;
  for (const oldest of entries.keys()) {
    entries.delete(oldest);
    return;
  }
}

const PUBLIC_KEY_PEM = /^\s*-----BEGIN (?:RSA )?PUBLIC KEY-----[\sA-Za-z0-9+/=]+-----END (?:RSA )?PUBLIC KEY-----\s*$/;

/** @throws Error for anything but one RSA public key */
function parseRsaPublicKey(pem: string): KeyObject {
  // createPublicKey would take certificates and private keys too.
  if (!PUBLIC_KEY_PEM.test(pem)) throw new Error("the answer is no public key in PEM");
  const key = createPublicKey(pem);
  const bits = key.asymmetricKeyDetails?.modulusLength ?? 0;
  if (key.asymmetricKeyType !== "rsa" || bits > MAX_MODULUS_BITS)
    throw new Error("the key is no RSA key of up to 4096 bits");
  return key;
}
