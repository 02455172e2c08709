import { headerValue } from "../core/headers.js";
import { isV1SignedParameter } from "./canonical.js";
import type { Mismatch } from "./mismatch-causes.js";
import { type Reading, type StatedSignature, withHeaders } from "./signed-text.js";
import { decodedOnceMore, encodedOnceMore } from "./string-to-sign-diff.js";

/** A request that the client may have signed, of which a hop made the one that arrived. */
export interface Guess {
  readonly mismatch: Pick<Mismatch, "cause" | "name">;
  readonly reading: Reading;
  /** The request that arrived has a mark that makes this likely although nothing proves it. */
  readonly isTelling: boolean;
}

export interface GuessInput {
  readonly reading: Reading;
  readonly stated: StatedSignature;
  readonly rawPath: string;
  readonly hosts: Iterable<string>;
  readonly hasHop: boolean;
}

/** Requests are a client's; each guess costs an HMAC or more. */
const MAX_EACH = 16;

/** What hops are known to do (oss-semantics §2.7), undone, in the order of what is told first. */
export function mutationsOf(input: GuessInput): readonly Guess[] {
  return [...keys(input), ...headers(input), ...types(input), ...parameters(input), ...hosts(input), ...methods(input)];
}

function methods({ reading }: GuessInput): readonly Guess[] {
  const { method } = reading;
  const signed = method === "GET" ? "HEAD" : "GET";
  if (method !== "GET" && method !== "HEAD") return [];
  const mismatch = { cause: "method-changed", name: `${signed} became ${method}` } as const;
  return [{ mismatch, reading: { ...reading, method: signed }, isTelling: false }];
}

const isRead = (method: string): boolean => method === "GET" || method === "HEAD" || method === "DELETE";

/** Types that clients and proxies put in by themselves. */
const USUAL_TYPES: readonly string[] = ["application/octet-stream", "application/x-www-form-urlencoded", "text/plain"];

function types({ reading, stated, hasHop }: GuessInput): readonly Guess[] {
  const type = headerValue(reading.headers, "content-type");
  const withType = (value: string | null): Reading => withHeaders(reading, { "content-type": value });
  if (type === undefined) {
    return USUAL_TYPES.map((value) => ({
      mismatch: { cause: "header-removed", name: "content-type" },
      reading: withType(value),
      isTelling: false,
    }));
  }
  // ali-oss signs a type with its reads; whoever follows a signed URL has none to send.
  const isOdd = isRead(reading.method) && (stated.signatureClass.endsWith("-url") || hasHop);
  const added: Guess = {
    mismatch: { cause: "content-type-added", name: "content-type" },
    reading: withType(null),
    isTelling: isOdd,
  };
  const [bare = ""] = type.split(";");
  const others = [bare.trim(), `${bare.trim()}; charset=utf-8`, `${bare.trim()};charset=UTF-8`, ...USUAL_TYPES];
  const changed = others.map(
    (value): Guess => ({
      mismatch: { cause: "header-changed", name: "content-type" },
      reading: withType(value),
      isTelling: false,
    }),
  );
  return [added, ...changed];
}

/** What CDNs and proxies put into requests to OSS (oss-semantics §2.7); clients hardly do. */
const OFTEN_ADDED: ReadonlySet<string> = new Set([
  "x-oss-range-behavior",
  "x-oss-multi-range-behavior",
  "x-oss-traffic-limit",
]);

/** Headers of the signature itself are no hop's. */
const OF_THE_SIGNATURE: ReadonlySet<string> = new Set(["x-oss-date", "x-oss-content-sha256", "x-oss-security-token"]);

function headers({ reading, stated }: GuessInput): readonly Guess[] {
  const names = new Set<string>();
  for (let i = 0; i < reading.headers.length && names.size < MAX_EACH; i += 2) {
    const name = (reading.headers[i] as string).toLowerCase();
    if ((name.startsWith("x-oss-") && !OF_THE_SIGNATURE.has(name)) || name === "content-md5") names.add(name);
  }
  const isUrl = stated.signatureClass.endsWith("-url");
  // What describes a body or an object to be stored has nothing to do with a request that has none.
  const isOdd = (name: string): boolean =>
    isRead(reading.method) && (isUrl || name === "content-md5" || name.startsWith("x-oss-meta-"));
  return [...names].map((name) => ({
    mismatch: { cause: "header-added-by-hop", name },
    reading: withHeaders(reading, { [name]: null }),
    isTelling: OFTEN_ADDED.has(name) || isOdd(name),
  }));
}

function keys({ reading, rawPath }: GuessInput): readonly Guess[] {
  const { key } = reading;
  const decoded = decodedOnceMore(key);
  const encoded = encodedOnceMore(key);
  const guesses: Guess[] = [];
  if (decoded !== key) guesses.push(keyGuess("key-encoded-twice", reading, decoded, true));
  if (key.includes("+"))
    guesses.push(keyGuess("plus-as-space", reading, key.replaceAll("+", " "), rawPath.includes("+")));
  if (key.includes(" ")) guesses.push(keyGuess("plus-as-space", reading, key.replaceAll(" ", "+"), false));
  if (encoded !== key) guesses.push(keyGuess("key-decoded", reading, encoded, false));
  return guesses;
}

function keyGuess(
  cause: "key-encoded-twice" | "plus-as-space" | "key-decoded",
  reading: Reading,
  key: string,
  isTelling: boolean,
): Guess {
  return { mismatch: { cause, name: null }, reading: { ...reading, key }, isTelling };
}

/** What pages, mail programs and caches hang on URLs. */
const OF_TRACKERS = /^(?:utm_|gclid$|fbclid$|msclkid$|spm$|from$|isappinstalled$|_$|t$|ts$|v$|timestamp$|nocache$)/i;

function parameters({ reading, stated }: GuessInput): readonly Guess[] {
  const isV1 = stated.signatureClass.startsWith("v1");
  const { query } = reading;
  const candidates = query.filter(([name]) => (isV1 ? isV1SignedParameter(name) : !name.startsWith("x-oss-")));
  // One occurrence at a time: a hop may add what is there already.
  const without = candidates.slice(0, MAX_EACH).map((pair): Guess => {
    const [name] = pair;
    return {
      mismatch: { cause: "query-changed", name },
      reading: { ...reading, query: query.filter((other) => other !== pair) },
      isTelling: !isV1 && OF_TRACKERS.test(name),
    };
  });
  const blanks = candidates.find(([, value]) => value !== null && /[ +]/.test(value));
  if (blanks === undefined) return without;
  const asPlus = query.map(([name, value]) => [name, value?.replaceAll(" ", "+") ?? null] as const);
  return [
    ...without,
    {
      mismatch: { cause: "plus-as-space", name: blanks[0] },
      reading: { ...reading, query: asPlus },
      isTelling: false,
    },
  ];
}

function hosts({ reading, stated, hosts: known, hasHop }: GuessInput): readonly Guess[] {
  if (!stated.additionalHeaders.includes("host")) return [];
  return [...known].slice(0, MAX_EACH).map((host) => ({
    mismatch: { cause: "host-signed", name: "host" },
    reading: withHeaders(reading, { host }),
    isTelling: hasHop,
  }));
}
