import { IncomingMessage, type OutgoingHttpHeader, type OutgoingHttpHeaders, ServerResponse } from "node:http";
import { Socket } from "node:net";
import { type OssCredentials, Secret } from "../core/secret.js";
import type { PasswordFile } from "../credentials/password-file.js";
import type { CredentialsSource } from "../credentials/source.js";
import type { CompiledBucket, CompiledLogin, CompiledRoute, CompiledSigning } from "../route/compiled-route.js";
import { RouteTable } from "../route/table.js";
import { DayKeyCache } from "../signing/day-key.js";
import type { Stats } from "../telemetry/stats.js";
import type { ForwardAuth } from "../transport/forward-auth.js";

/** What is signed with in an explanation: nothing that any OSS knows. */
export const NO_CREDENTIALS: OssCredentials = Object.freeze({
  accessKeyId: "explained",
  accessKeySecret: new Secret("explained"),
});

/** The same for credentials that come with a token, so that its header is seen. */
const NO_TEMPORARY_CREDENTIALS: OssCredentials = Object.freeze({ ...NO_CREDENTIALS, securityToken: "explained" });

export interface ShadowOptions {
  /** Counts what nobody reads. */
  readonly stats: Stats;
  /** Whether the credentials of that name can be used now. */
  isValid(credentials: string): boolean;
  /** Told of each member of `allow` that a request would wait for. */
  onAsked(member: "basic" | "forwardAuth"): void;
}

/**
 * Routes as they are compiled, but for what leaves traces: nothing is counted or limited, nobody is asked (the answer is
 * yes), and nothing is signed with credentials that are worth something.
 */
export class ShadowTable extends RouteTable<CompiledRoute> {
  readonly #table: RouteTable<CompiledRoute>;
  readonly #options: ShadowOptions;
  readonly #routes = new Map<CompiledRoute, CompiledRoute>();
  readonly #buckets = new Map<CompiledBucket, CompiledBucket>();
  readonly #realBuckets = new Map<CompiledBucket, CompiledBucket>();

  constructor(table: RouteTable<CompiledRoute>, options: ShadowOptions) {
    super([]);
    this.#table = table;
    this.#options = options;
  }

  override find(host: string, path: string): CompiledRoute | null {
    const found = this.#table.find(host, path);
    return found === null ? null : this.#shadow(found);
  }

  /** The bucket that requests are served with, whose shadow it is. */
  realOf(bucket: CompiledBucket): CompiledBucket {
    return this.#realBuckets.get(bucket) ?? bucket;
  }

  /** Stages compare routes, so that each has one shadow. */
  #shadow(route: CompiledRoute): CompiledRoute {
    let shadow = this.#routes.get(route);
    if (shadow === undefined) {
      shadow = this.#makeShadow(route);
      this.#routes.set(route, shadow);
    }
    return shadow;
  }

  #makeShadow(route: CompiledRoute): CompiledRoute {
    const { bucket, choice, signing, login } = route;
    const shadowsOf = (buckets: ReadonlyMap<string, CompiledBucket>): ReadonlyMap<string, CompiledBucket> =>
      new Map([...buckets].map(([name, each]) => [name, this.#bucket(each)]));
    return {
      ...route,
      bucket: bucket === null ? null : this.#bucket(bucket),
      choice: choice === null ? null : { byOssName: shadowsOf(choice.byOssName), byHost: shadowsOf(choice.byHost) },
      signing: signing === null ? null : this.#signing(signing),
      login: login === null ? null : this.#login(login),
      limits: null,
      bandwidth: null,
      shedOf: null,
      stats: this.#options.stats.route(route.name),
    };
  }

  #bucket(bucket: CompiledBucket): CompiledBucket {
    let shadow = this.#buckets.get(bucket);
    if (shadow === undefined) {
      shadow = { ...bucket, limits: null, stats: this.#options.stats.upstream(bucket.alias) };
      this.#buckets.set(bucket, shadow);
      this.#realBuckets.set(shadow, bucket);
    }
    return shadow;
  }

  /** What a client signed is verified with the real credentials: that answers yes or no, as it would to the client. */
  #signing(signing: CompiledSigning): CompiledSigning {
    const { name } = signing.source;
    const source: CredentialsSource = {
      name,
      current: (nowMs) => (this.#options.isValid(name) ? standInFor(signing.source.current(nowMs)) : null),
      find: (accessKeyId, nowMs) => signing.source.find(accessKeyId, nowMs),
      start: async () => {},
      noteRefused() {},
      close() {},
    };
    return { ...signing, source, dayKeys: new DayKeyCache() };
  }

  #login({ basic, forwardAuth }: CompiledLogin): CompiledLogin {
    const { onAsked } = this.#options;
    const verify = (): "right" => {
      onAsked("basic");
      return "right";
    };
    const ask = (): { readonly kind: "yes" } => {
      onAsked("forwardAuth");
      return { kind: "yes" };
    };
    // Of both the stages use these methods alone.
    return {
      basic: basic === null ? null : { ...basic, file: { verify } as unknown as PasswordFile },
      forwardAuth: forwardAuth === null ? null : { ...forwardAuth, service: { ask } as unknown as ForwardAuth },
    };
  }
}

function standInFor(credentials: OssCredentials | null): OssCredentials {
  return credentials?.securityToken === undefined ? NO_CREDENTIALS : NO_TEMPORARY_CREDENTIALS;
}

/** A connection that does not exist, from an address that is said. */
class ShadowSocket extends Socket {
  constructor(address: string) {
    super();
    Object.defineProperty(this, "remoteAddress", { value: address });
  }
}

/** Takes an answer down instead of sending it. */
export class ShadowResponse extends ServerResponse {
  /** `null`: no answer was given. */
  answer: { readonly status: number; readonly headers: readonly string[] } | null = null;

  override writeHead(
    status: number,
    reason?: string | OutgoingHttpHeaders | OutgoingHttpHeader[],
    headers?: OutgoingHttpHeaders | OutgoingHttpHeader[],
  ): this {
    const lines = typeof reason === "string" ? headers : reason;
    this.answer = { status, headers: Array.isArray(lines) ? lines.map(String) : [] };
    return this;
  }

  override write(): boolean {
    return true;
  }

  override end(): this {
    return this;
  }
}

export interface ShadowRequest {
  readonly method: string;
  readonly target: string;
  /** With Host. */
  readonly headers: readonly string[];
  readonly client: string;
}

/** A request as Node would have parsed it, with all of its body, and what would take its answer. */
export function shadowRequest({ method, target, headers, client }: ShadowRequest): {
  readonly req: IncomingMessage;
  readonly res: ShadowResponse;
} {
  const req = new IncomingMessage(new ShadowSocket(client));
  Object.assign(req, { method, url: target, httpVersionMajor: 1, httpVersionMinor: 1, httpVersion: "1.1" });
  req.rawHeaders = [...headers];
  // Node's own reader of a message does the same.
  for (let i = 0; i < headers.length; i += 2) req.headers[(headers[i] as string).toLowerCase()] ??= headers[i + 1];
  req.complete = true;
  return { req, res: new ShadowResponse(req) };
}
