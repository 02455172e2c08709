import type { GatewayConfig, SecretRef } from "../config/gateway-config.js";
import type { OssCredentials, Secret } from "../core/secret.js";
import type { CredentialsSource } from "../credentials/source.js";
import { LinkSigner } from "../policy/link-token.js";
import { admissionProblem, formProblem, methodProblem, presignProblem } from "./admission.js";
import { type IssueRoute, IssueRoutes, type Located } from "./issue-routes.js";
import { type IssuedLink, type LinkRequest, makeLink } from "./link.js";
import { placeObject } from "./placed-object.js";
import { type PresignedUrl, type PresignRequest, presign } from "./presign.js";
import { parsePublicUrl } from "./public-url.js";
import { IssueRefusal } from "./refusal.js";
import { type CallbackFields, type CallbackPlace, callbackConfig, makeCallback } from "./upload-callback.js";
import { dirProblem, formExpiry, makeUploadForm, type UploadForm, type UploadFormRequest } from "./upload-form.js";

/** What is asked for: a URL as clients use it, or a route by name with a decoded path. */
export interface Place {
  readonly url?: string | undefined;
  readonly route?: string | undefined;
  /** Decoded, with `route` only. */
  readonly path?: string | undefined;
}

/** Reads a secret of the configuration; throws an Error whose one sentence names `where`, and never the value. */
export type ReadSecret = (ref: SecretRef, where: string) => Secret;

interface IssuerOptions {
  readonly config: GatewayConfig;
  /** By name, as in the configuration. */
  readonly credentials: ReadonlyMap<string, CredentialsSource>;
  readonly readSecret: ReadSecret;
}

/**
 * Issues what lets people and applications through one gateway: links, presigned URLs, and forms for uploads. Nothing is
 * issued that the routes of this configuration would refuse. Secrets of links are read when they are first needed.
 */
export class Issuer {
  readonly #config: GatewayConfig;
  readonly #credentials: ReadonlyMap<string, CredentialsSource>;
  readonly #readSecret: ReadSecret;
  readonly #routes: IssueRoutes;
  readonly #linkSigners = new Map<IssueRoute, LinkSigner>();
  readonly #callbackSecrets = new Map<IssueRoute, Secret>();

  constructor({ config, credentials, readSecret }: IssuerOptions) {
    this.#config = config;
    this.#credentials = credentials;
    this.#readSecret = readSecret;
    this.#routes = new IssueRoutes(config);
  }

  /** Whether links are what its route is for: the kind of URL that is meant when nobody says it. */
  prefersLink(place: Place): boolean {
    const located = this.#locate(place);
    return !(located instanceof IssueRefusal) && located.route.config.allow?.links != null;
  }

  /** A link that the gateway's own secret signs. */
  link(request: Place & LinkRequest, nowMs: number): IssuedLink | IssueRefusal {
    const located = this.#locate(request);
    if (located instanceof IssueRefusal) return located;
    const signer = this.#linkSigner(located.route);
    if (signer instanceof IssueRefusal) return signer;
    const { links } = located.route.config.allow ?? { links: null };
    if (links === null) throw new Error("a route without links has no signer");
    return this.#fitting(makeLink(request, { located, links, signer }, nowMs), located);
  }

  /** An OSS presigned URL on the address of a route that honours it. */
  presign(request: Place & PresignRequest, nowMs: number): PresignedUrl | IssueRefusal {
    const located = this.#locate(request);
    if (located instanceof IssueRefusal) return located;
    const object = placeObject(located);
    if (object instanceof IssueRefusal) return object;
    const { config: route } = located.route;
    const problem = presignProblem(route) ?? methodProblem(route, request.method ?? "GET") ?? admissionProblem(route);
    if (problem !== null) return problem;
    const credentials = this.#credentialsFor(located.route, request.credentials, nowMs);
    if (credentials instanceof IssueRefusal) return credentials;
    return this.#fitting(presign(request, { located, object, credentials }, nowMs), located);
  }

  /** A form upload (PostObject) on the address of a route that relays it. */
  uploadForm(request: Place & UploadFormRequest, nowMs: number): UploadForm | IssueRefusal {
    const located = this.#locate(request);
    if (located instanceof IssueRefusal) return located;
    const wrongDir = dirProblem(request);
    if (wrongDir !== null) return wrongDir;
    const object = placeObject(located);
    if (object instanceof IssueRefusal) return object;
    const { config: route } = located.route;
    const problem = formProblem(route) ?? methodProblem(route, "POST") ?? admissionProblem(route);
    if (problem !== null) return problem;
    const notRoot = formPlaceProblem(located, object.key);
    if (notRoot !== null) return notRoot;
    const credentials = this.#credentialsFor(located.route, request.credentials, nowMs);
    if (credentials instanceof IssueRefusal) return credentials;
    const expiry = formExpiry(request, credentials, nowMs);
    if (expiry instanceof IssueRefusal) return expiry;
    const place = { object, dir: request.dir, expiresSeconds: expiry.atSeconds };
    const callback = this.#callback(request, place);
    if (callback instanceof IssueRefusal) return callback;
    return makeUploadForm(request, { located, object, credentials, expiry, callback }, nowMs);
  }

  #callback({ callback }: UploadFormRequest, place: CallbackPlace): CallbackFields | null | IssueRefusal {
    if (callback === undefined) return null;
    const located = this.#locate({ url: callback.url, route: callback.route });
    if (located instanceof IssueRefusal) return new IssueRefusal(located.status, `callback: ${located.message}`);
    const { route } = located;
    const config = callbackConfig(route, place.object);
    if (config instanceof IssueRefusal) return config;
    const held = this.#callbackSecrets.get(route);
    const secret = held ?? this.#secret(config.secret, `routes[${route.index}].callback.secret`);
    if (secret instanceof IssueRefusal) return secret;
    this.#callbackSecrets.set(route, secret);
    return makeCallback(callback, located, place, secret);
  }

  #locate(place: Place): Located | IssueRefusal {
    const found = this.#find(place);
    if (found instanceof IssueRefusal || found.route.deniedPaths?.has(found.url.path, "") !== true) return found;
    return new IssueRefusal(422, `Route ${found.route.config.name} refuses paths like this one (deny.paths).`);
  }

  #find({ url, route, path }: Place): Located | IssueRefusal {
    if (url !== undefined && route === undefined && path === undefined) {
      const parsed = parsePublicUrl(url);
      return parsed instanceof IssueRefusal ? parsed : this.#routes.byUrl(parsed);
    }
    if (url !== undefined || route === undefined) {
      return new IssueRefusal(400, "Say either url, or route with a path.");
    }
    return this.#routes.byName(route, path);
  }

  #linkSigner(route: IssueRoute): LinkSigner | IssueRefusal {
    const held = this.#linkSigners.get(route);
    if (held !== undefined) return held;
    const { name, allow } = route.config;
    if (allow === null || allow.links === null) {
      return new IssueRefusal(422, `Route ${name} takes no links. Give it allow.links.`);
    }
    const secret = this.#secret(allow.links.secret, `routes[${route.index}].allow.links.secret`);
    if (secret instanceof IssueRefusal) return secret;
    const signer = new LinkSigner(secret, name);
    this.#linkSigners.set(route, signer);
    return signer;
  }

  #secret(ref: SecretRef, where: string): Secret | IssueRefusal {
    try {
      return this.#readSecret(ref, where);
    } catch (error) {
      return new IssueRefusal(503, (error as Error).message);
    }
  }

  #credentialsFor(route: IssueRoute, wanted: string | undefined, nowMs: number): OssCredentials | IssueRefusal {
    const name = this.#credentialsName(route, wanted);
    if (name instanceof IssueRefusal) return name;
    const current = this.#credentials.get(name)?.current(nowMs) ?? null;
    return current ?? new IssueRefusal(503, `Credentials ${name} are not available at the moment.`);
  }

  /** The name of the credentials that sign for a place; the command line starts these alone. */
  credentialsName(place: Place, wanted: string | undefined): string | IssueRefusal {
    const located = this.#locate(place);
    return located instanceof IssueRefusal ? located : this.#credentialsName(located.route, wanted);
  }

  #credentialsName({ config }: IssueRoute, wanted: string | undefined): string | IssueRefusal {
    const names = [...this.#config.credentials.keys()];
    const own = config.sign?.credentials ?? (names.length === 1 ? names[0] : undefined);
    const name = wanted ?? own;
    if (name === undefined) {
      const hint = names.length === 0 ? "The configuration has none." : `There is ${names.join(", ")}.`;
      return new IssueRefusal(400, `Say which credentials sign. ${hint}`);
    }
    if (!names.includes(name)) return new IssueRefusal(404, `There are no credentials ${name} in the configuration.`);
    if (config.clientSignatures !== "verify" || name === config.sign?.credentials) return name;
    return new IssueRefusal(422, `Route ${config.name} verifies with ${config.sign?.credentials}, and with no others.`);
  }

  /** A URL that the gateway would answer 414 is of no use. */
  #fitting<T extends { readonly url: string }>(issued: T | IssueRefusal, { url }: Located): T | IssueRefusal {
    if (issued instanceof IssueRefusal) return issued;
    const { targetSizeBytes } = this.#config.limits;
    if (issued.url.length - url.origin.length <= targetSizeBytes) return issued;
    return new IssueRefusal(400, `The URL would be longer than the ${targetSizeBytes} bytes of limits.targetSize.`);
  }
}

/** A form is posted to the root of its bucket. */
function formPlaceProblem({ route, url }: Located, key: string): IssueRefusal | null {
  const { name, stripPrefix } = route.config;
  if (key === "") return null;
  if (route.pathPrefix !== "" && !stripPrefix) {
    return new IssueRefusal(
      422,
      `Route ${name} has a path prefix without stripPrefix, and forms go to the bucket's root.`,
    );
  }
  return new IssueRefusal(400, `A form is posted to the bucket's root: take ${url.path} out of the URL, and set dir.`);
}
