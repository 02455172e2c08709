import type { Secret } from "../core/secret.js";
import { hasDotSegment } from "../core/target.js";
import { MacKey } from "./link-mac.js";
import type { GatewayLink, RawLink } from "./link-query.js";
import { isLinkPrefix, linkText, linkTextHead, MAX_EXPIRES_DIGITS, type SignedClaims } from "./link-token.js";
import { checkExpiry, INVALID, type LinkRequest, type LinkVerdict } from "./link-verdict.js";
import type { CheckSecureLink } from "./secure-link.js";

/** What a route's links are checked with: made once from its configuration. */
export interface LinkKeys {
  /** How the signed text of the route's links begins. */
  readonly head: string;
  /** The current one and those of before a rotation. */
  readonly keys: readonly MacKey[];
  readonly maxAgeMs: number;
  /** `null`: NGINX's form is not taken. */
  readonly secureLink: CheckSecureLink | null;
}

export interface LinkKeyOptions {
  /** The route's name, as `LinkSigner` has it. */
  readonly route: string;
  /** The current one first. */
  readonly secrets: readonly Secret[];
  /** A link that expires later than this from now is refused. */
  readonly maxAgeMs: number;
  readonly secureLink?: CheckSecureLink | null;
}

export function compileLinkKeys({ route, secrets, maxAgeMs, secureLink = null }: LinkKeyOptions): LinkKeys {
  return { head: linkTextHead(route), keys: secrets.map((secret) => new MacKey(secret)), maxAgeMs, secureLink };
}

/**
 * Decides about a link. The signature comes first: whoever did not get the link from us learns only that it is invalid.
 *
 * Paths are compared decoded once, as OSS finds the key: a link for `/a/b` admits `/a%2Fb`, which is the same object,
 * and neither `/a/b/` nor `/a%252Fb`, which are others. A prefix link refuses a path with `.` or `..` segments.
 * @param request its `parameters` are those that go upstream, and must be the signed ones
 */
export function checkLink(link: RawLink, request: LinkRequest, keys: LinkKeys, nowMs: number): LinkVerdict {
  if (link.form === "secure-link") {
    return keys.secureLink === null ? INVALID : keys.secureLink(link, request, nowMs);
  }
  const claimed = readClaims(link, request);
  if (claimed === null || !isSigned(claimed, keys)) return INVALID;
  const expiresSeconds = Number(claimed.expires);
  const refusal = checkExpiry(expiresSeconds, keys.maxAgeMs, nowMs);
  if (refusal !== null) return refusal;
  const { isPrefix, path, scope, client } = claimed;
  return { ok: true, expiresSeconds, isPrefix, path, scope, client };
}

/** What a link says of itself and of the request that carries it. */
interface ClaimedLink extends SignedClaims {
  readonly path: string;
  readonly signature: string;
}

const EXPIRES = new RegExp(`^[0-9]{1,${MAX_EXPIRES_DIGITS}}$`);

/** @returns `null` for a link that could not cover the request even if it were signed */
function readClaims({ isMalformed, values }: GatewayLink, request: LinkRequest): ClaimedLink | null {
  const expires = values.get("expires") ?? "";
  const signature = values.get("signature");
  const method = values.get("method") ?? "GET";
  const prefix = values.get("prefix");
  const client = values.has("client") ? request.client : null;
  const scope = values.get("scope") ?? null;
  if (isMalformed || signature === undefined) return null;
  if (!EXPIRES.test(expires)) return null;
  if (!admitsMethod(method, request.method)) return null;
  // Two clients whose address is not known would pass for one.
  if (client === "" || (values.get("client") ?? "1") !== "1") return null;
  if (prefix !== undefined && !coversBelow(prefix, request.path)) return null;
  if (scope !== null && !isLinkPrefix(scope)) return null;
  const { parameters } = request;
  const path = prefix ?? request.path;
  return { path, isPrefix: prefix !== undefined, expires, scope, client, method, parameters, signature };
}

function admitsMethod(linked: string, asked: string): boolean {
  return linked === asked || (linked === "GET" && asked === "HEAD");
}

function coversBelow(prefix: string, path: string): boolean {
  // The prefix's own syntax is our signer's, but an application may sign too.
  return path.startsWith(prefix) && isLinkPrefix(prefix) && !hasDotSegment(path);
}

function isSigned(claimed: ClaimedLink, { head, keys }: LinkKeys): boolean {
  const text = linkText(head, claimed, claimed.path);
  return keys.some((key) => key.verifies(text, claimed.signature));
}
