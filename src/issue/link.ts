import { isIP } from "node:net";
import type { LinksConfig } from "../config/gateway-config.js";
import { encodePath } from "../core/target.js";
import { canonicalClient } from "../policy/clients.js";
import type { LinkSigner } from "../policy/link-token.js";
import { isKnownParameter } from "../signing/request-parameters.js";
import type { QueryPairs } from "../signing/types.js";
import { methodProblem } from "./admission.js";
import { type ExpiryRequest, settleExpiry } from "./expiry.js";
import { clientKey, filterProblem } from "./honoured.js";
import type { IssueRoute, Located } from "./issue-routes.js";
import { collectParameters, type ParameterFields, queryText } from "./parameters.js";
import { IssueRefusal } from "./refusal.js";

export interface LinkRequest extends ExpiryRequest, ParameterFields {
  /** The link covers everything below the path, which ends at `/`. */
  readonly isPrefix?: boolean | undefined;
  /** The only address that may use the link. */
  readonly client?: string | undefined;
  /** `GET`, which admits HEAD, when absent. */
  readonly method?: string | undefined;
}

export interface IssuedLink {
  readonly kind: "link";
  readonly url: string;
  readonly route: string;
  readonly method: string;
  /** Unix seconds. */
  readonly expiresSeconds: number;
  /** Decoded; what the link covers, exactly or, when `isPrefix`, with everything below. */
  readonly path: string;
  readonly isPrefix: boolean;
  /** Canonical; `null`: any. */
  readonly client: string | null;
}

interface LinkParts {
  readonly located: Located;
  readonly links: LinksConfig;
  readonly signer: LinkSigner;
}

const DEFAULT_SECONDS = 3_600;

/** Makes a link (policy/link-token.ts) for a URL of a route that has links. */
export function makeLink(request: LinkRequest, parts: LinkParts, nowMs: number): IssuedLink | IssueRefusal {
  const { route, url } = parts.located;
  const { isPrefix = false, method = "GET" } = request;
  if (isPrefix && !url.path.endsWith("/")) {
    return new IssueRefusal(
      400,
      "A link for a prefix must end at a '/', so that it covers one directory and no other.",
    );
  }
  const expiresSeconds = linkExpiry(request, parts, nowMs);
  if (expiresSeconds instanceof IssueRefusal) return expiresSeconds;
  const parameters = collectParameters(url.query, request);
  if (parameters instanceof IssueRefusal) return parameters;
  const client = readClient(request.client);
  if (client instanceof IssueRefusal) return client;
  const refused = methodProblem(route.config, method) ?? linkedRequestProblem(request, parts, parameters);
  if (refused !== null) return refused;
  const common = { path: url.path, isPrefix, expiresSeconds, client, method };
  const token = parts.signer.sign({ ...common, scope: null, parameters: signedParameters(route, parameters) });
  const own = parameters.length === 0 ? "" : `${queryText(parameters)}&`;
  const text = `${url.origin}${encodePath(url.path)}?${own}${token}`;
  return { kind: "link", url: text, route: route.config.name, ...common };
}

function linkExpiry(request: ExpiryRequest, { located, links }: LinkParts, nowMs: number): number | IssueRefusal {
  const limits = {
    defaultSeconds: DEFAULT_SECONDS,
    maxSeconds: Math.floor(links.maxAgeMs / 1_000),
    limitName: `allow.links.maxAge of route ${located.route.config.name}`,
  };
  return settleExpiry(request, limits, nowMs);
}

/** Whether the gateway would refuse what the link is for, link or not. */
function linkedRequestProblem(
  { isPrefix = false, method = "GET" }: LinkRequest,
  { located }: LinkParts,
  parameters: QueryPairs,
): IssueRefusal | null {
  // Of a prefix any key below shows what else is refused.
  const key = clientKey(located) + (isPrefix ? "any" : "");
  const asked = { method, key, rawQuery: queryText(parameters), headers: [], carriesVerifiedSignature: false };
  return filterProblem(located.route, asked);
}

/** Where the gateway signs, what OSS does not know is dropped, and is no part of a link. */
function signedParameters({ rules }: IssueRoute, parameters: QueryPairs): QueryPairs {
  return rules === null ? parameters : parameters.filter(([name]) => isKnownParameter(name));
}

function readClient(client: string | undefined): string | null | IssueRefusal {
  if (client === undefined) return null;
  if (isIP(client) !== 0 && !client.includes("%")) return canonicalClient(client);
  return new IssueRefusal(400, "The client must be one IPv4 or IPv6 address.");
}
