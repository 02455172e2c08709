import { randomBytes } from "node:crypto";
import { LRUCache } from "lru-cache";
import { type HeaderList, headerValues } from "../core/headers.js";
import { HmacSha256 } from "../core/hmac.js";
import { AuthService, type AuthServiceOptions, type ServiceAnswer } from "./forward-auth-ask.js";

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
 */
export class ForwardAuth {
  readonly #service: AuthService;
  readonly #answers: LRUCache<string, AuthAnswer> | null;
  readonly #flights = new Map<string, Promise<AuthAnswer>>();
  readonly #hmac = new HmacSha256(randomBytes(32));

  constructor({ cacheMs, clock = performance, ...service }: ForwardAuthOptions) {
    this.#service = new AuthService(service);
    this.#answers =
      cacheMs === 0 ? null : new LRUCache({ max: MAX_REMEMBERED, ttl: cacheMs, perf: clock, ttlResolution: 0 });
  }

  /** @returns at once where the answer is remembered; never rejects */
  ask(request: ForwardedRequest): AuthAnswer | Promise<AuthAnswer> {
    if (this.#answers === null) return this.#send(request).then(({ answer }) => answer);
    const key = this.#hmac.digest(keyText(request), "base64url");
    const known = this.#answers.get(key);
    if (known !== undefined) return known;
    const flight = this.#flights.get(key);
    if (flight === undefined) return this.#fly(key, request);
    return flight.then((answer) =>
      answer.kind === "redirect" ? this.#send(request).then(({ answer: own }) => own) : answer,
    );
  }

  /** Ends what runs, too. */
  destroy(): void {
    this.#service.destroy();
  }

  #fly(key: string, request: ForwardedRequest): Promise<AuthAnswer> {
    const flight = this.#send(request).then(({ answer, isKept }) => {
      this.#flights.delete(key);
      if (isKept) this.#answers?.set(key, answer);
      return answer;
    });
    this.#flights.set(key, flight);
    return flight;
  }

  async #send(request: ForwardedRequest): Promise<Understood> {
    try {
      return understand(await this.#service.ask(questionHeaders(request)));
    } catch (error) {
      return unavailable((error as Error).message);
    }
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
