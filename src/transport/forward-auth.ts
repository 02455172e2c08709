import { randomBytes } from "node:crypto";
import { LRUCache } from "lru-cache";
import { type HeaderList, headerValues } from "../core/headers.js";
import { HmacSha256 } from "../core/hmac.js";
import { clientGroup } from "../policy/client-group.js";
import { AuthService, type AuthServiceOptions } from "./forward-auth-ask.js";
import type { ServiceAnswer } from "./forward-auth-question.js";

export interface ForwardAuthOptions extends AuthServiceOptions {
  /** How long an answer holds; 0: it is asked each time. */
  readonly cacheMs: number;
  /** For tests: monotonic milliseconds. */
  readonly clock?: { now(): number };
}

/** What the service is told of a request. */
export interface ForwardedRequest {
  readonly route: string;
  readonly method: string;
  readonly scheme: "http" | "https";
  /** As the client wrote it. */
  readonly host: string;
  /** Path and query as the client wrote them, parameters that sign or admit included. */
  readonly target: string;
  /** Canonical. */
  readonly client: string;
  /** Those of the client's header lines that it is sent; none about the connection or the body, and no X-Forwarded-*. */
  readonly headers: HeaderList;
}

export type AuthAnswer =
  | { readonly kind: "yes" }
  | { readonly kind: "no" }
  /** 401. */
  | { readonly kind: "login"; readonly challenges: readonly string[] }
  /** To a page where one can log in. `headers`: Location and Set-Cookie. */
  | { readonly kind: "redirect"; readonly status: number; readonly headers: HeaderList }
  /** The cause is for the log alone. */
  | { readonly kind: "unavailable"; readonly cause: string };

/** An answer that is still to come. */
export interface ComingAnswer {
  /** Never rejects. */
  readonly answer: Promise<AuthAnswer>;
  /** Whoever asked has gone: where nobody else waits for this answer, the service is not asked any more. Idempotent. */
  leave(): void;
}

const MAX_REMEMBERED = 10_000;
/** Longer challenges are not remembered, so that those that are stay small. */
const MAX_KEPT_CHALLENGE_CHARACTERS = 512;

const YES: AuthAnswer = Object.freeze({ kind: "yes" });
const NO: AuthAnswer = Object.freeze({ kind: "no" });

/**
 * Asks an HTTP service whether requests may pass (as NGINX's `auth_request` and Traefik's `forwardAuth` do): 2xx is yes,
 * 401 and redirects show how to log in, any other 4xx is no, and everything else is no answer.
 *
 * Answers are remembered by all that the service was told, under an HMAC: those that say yes, and 401 and 403. The same
 * question is not asked twice at a time then. A redirect belongs to whoever asked: it may set a cookie.
 *
 * Clients, by their group, take turns at the service, and what nobody waits for any more is not asked.
 */
export class ForwardAuth {
  readonly #service: AuthService;
  readonly #answers: LRUCache<string, AuthAnswer> | null;
  readonly #flights = new Map<string, Flight>();
  readonly #hmac = new HmacSha256(randomBytes(32));

  constructor({ cacheMs, clock = performance, ...service }: ForwardAuthOptions) {
    this.#service = new AuthService(service);
    this.#answers =
      cacheMs === 0 ? null : new LRUCache({ max: MAX_REMEMBERED, ttl: cacheMs, perf: clock, ttlResolution: 0 });
  }

  /** @returns at once where the answer is remembered */
  ask(request: ForwardedRequest): AuthAnswer | ComingAnswer {
    if (this.#answers === null) return this.#askAlone(request);
    const key = this.#hmac.digest(keyText(request), "base64url");
    const known = this.#answers.get(key);
    if (known !== undefined) return known;
    const flight = this.#flights.get(key);
    return flight === undefined ? this.#fly(key, request) : this.#follow(flight, request);
  }

  /** Ends what runs, too. */
  destroy(): void {
    this.#service.destroy();
  }

  #askAlone(request: ForwardedRequest): ComingAnswer {
    const { understood, drop } = this.#send(request);
    return { answer: understood.then(({ answer }) => answer), leave: drop };
  }

  #fly(key: string, request: ForwardedRequest): ComingAnswer {
    const { understood, drop } = this.#send(request);
    const land = (): void => {
      // One that was dropped may have a follower by the time it ends.
      if (this.#flights.get(key) === flight) this.#flights.delete(key);
    };
    const answer = understood.then((landed) => {
      land();
      if (landed.isKept) this.#answers?.set(key, landed.answer);
      return landed.answer;
    });
    const flight = new Flight(answer, () => {
      land();
      drop();
    });
    this.#flights.set(key, flight);
    return { answer, leave: flight.board() };
  }

  #follow(flight: Flight, request: ForwardedRequest): ComingAnswer {
    let leave = flight.board();
    let hasLeft = false;
    const answer = flight.answer.then((shared) => {
      if (shared.kind !== "redirect" || hasLeft) return shared;
      const own = this.#askAlone(request);
      leave = own.leave;
      return own.answer;
    });
    const leaveOnce = (): void => {
      hasLeft = true;
      leave();
    };
    return { answer, leave: leaveOnce };
  }

  #send(request: ForwardedRequest): { readonly understood: Promise<Understood>; drop(): void } {
    const { answer, drop } = this.#service.ask(clientGroup(request.client), questionHeaders(request));
    return { understood: answer.then(understand).catch((error: Error) => unavailable(error.message)), drop };
  }
}

/** A question that all who ask the same wait for together. */
class Flight {
  readonly answer: Promise<AuthAnswer>;
  readonly #onEmpty: () => void;
  #passengers = 0;

  /** @param onEmpty called when the last has left */
  constructor(answer: Promise<AuthAnswer>, onEmpty: () => void) {
    this.answer = answer;
    this.#onEmpty = onEmpty;
  }

  /** @returns how to leave; calling it again changes nothing */
  board(): () => void {
    this.#passengers += 1;
    let isAboard = true;
    return () => {
      if (!isAboard) return;
      isAboard = false;
      this.#passengers -= 1;
      if (this.#passengers === 0) this.#onEmpty();
    };
  }
}

function keyText({ route, method, scheme, host, target, client, headers }: ForwardedRequest): string {
  return JSON.stringify([route, method, scheme, host, target, client, headers]);
}

function questionHeaders({ method, scheme, host, target, client, headers }: ForwardedRequest): HeaderList {
  return [
    "X-Forwarded-Method",
    method,
    "X-Forwarded-Proto",
    scheme,
    "X-Forwarded-Host",
    host,
    "X-Forwarded-Uri",
    target,
    "X-Forwarded-For",
    client,
    ...headers,
  ];
}

interface Understood {
  readonly answer: AuthAnswer;
  readonly isKept: boolean;
}

function unavailable(cause: string): Understood {
  return { answer: { kind: "unavailable", cause }, isKept: false };
}

function understand({ status, headers }: ServiceAnswer): Understood {
  if (status < 300) return { answer: YES, isKept: true };
  if (status === 401) return login(headers);
  if (status === 302 || status === 303 || status === 307) return redirect(status, headers);
  if (status >= 400 && status < 500) return { answer: NO, isKept: status === 403 };
  return unavailable(`the service answered ${status}`);
}

function login(headers: HeaderList): Understood {
  const challenges = headerValues(headers, "www-authenticate");
  if (!challenges.every(isHeaderText)) return unavailable("the service's WWW-Authenticate cannot be passed on");
  const characters = challenges.reduce((sum, { length }) => sum + length, 0);
  return { answer: { kind: "login", challenges }, isKept: characters <= MAX_KEPT_CHALLENGE_CHARACTERS };
}

function redirect(status: number, headers: HeaderList): Understood {
  const [location, ...more] = headerValues(headers, "location");
  const cookies = headerValues(headers, "set-cookie");
  if (location === undefined || more.length > 0)
    return unavailable(`the service answered ${status} without a Location`);
  if (![location, ...cookies].every(isHeaderText)) return unavailable("the service's redirect cannot be passed on");
  const passedOn = ["Location", location, ...cookies.flatMap((cookie) => ["Set-Cookie", cookie])];
  return { answer: { kind: "redirect", status, headers: passedOn }, isKept: false };
}

/** What Node writes as a header's value. */
function isHeaderText(value: string): boolean {
  return /^[\t\x20-\x7e\x80-\xff]*$/.test(value);
}
