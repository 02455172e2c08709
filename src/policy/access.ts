import type { Denial } from "../core/errors.js";
import { type Clients, compileClients } from "./clients.js";
import type { LinkVerdict } from "./link-verdict.js";

/** Who may use a route, as its configuration says. */
export interface AccessOptions {
  /** `null`: the route says nothing, and everybody may. Without any member nobody may. */
  readonly allow: {
    readonly anyone: boolean;
    /** CIDRs and single addresses; empty: no member. */
    readonly clients: readonly string[];
    readonly links: boolean;
    /** Requests whose OSS signature was verified here. */
    readonly signatures: boolean;
  } | null;
  /** Counts only where `allow` has more than one member. */
  readonly satisfy: "any" | "all";
  readonly deny: { readonly clients: readonly string[] };
}

/** What is known of a request when the whole of `allow` is decided. */
export interface AccessFacts {
  /** Canonical, see `canonicalClient`; `""` when it is not known. */
  readonly client: string;
  /** `null`: the request carries no link. What admits in place of a link stands here too. */
  readonly link: LinkVerdict | null;
  readonly isSignatureVerified: boolean;
}

export interface AccessPolicy {
  /**
   * Stage 3: `deny`, and `allow` where addresses alone decide.
   * @param client canonical
   */
  early(client: string): Denial | null;
  /** Stage 5: all of it, `deny` first again. */
  decide(facts: AccessFacts): Denial | null;
}

/** The members of `allow` that a route has. */
export interface AccessRules {
  readonly anyone: boolean;
  readonly clients: boolean;
  readonly links: boolean;
  readonly signatures: boolean;
  readonly satisfy: "any" | "all";
}

/** What is known of the client's address. */
export interface AddressFacts {
  readonly isDenied: boolean;
  readonly isListed: boolean;
}

/** @throws Error for what is no CIDR */
export function compileAccess({ allow, satisfy, deny }: AccessOptions): AccessPolicy {
  const denied = compileClients(deny.clients);
  const listed = compileClients(allow?.clients ?? []);
  const rules: AccessRules = {
    anyone: allow === null || allow.anyone,
    clients: allow !== null && allow.clients.length > 0,
    links: allow?.links ?? false,
    signatures: allow?.signatures ?? false,
    satisfy,
  };
  return {
    early: (client) => decideEarly(rules, addressFacts(denied, listed, client)),
    decide: (facts) => decideWhole(rules, addressFacts(denied, listed, facts.client), facts),
  };
}

function addressFacts(denied: Clients, listed: Clients, client: string): AddressFacts {
  return { isDenied: denied.has(client), isListed: listed.has(client) };
}

/** What addresses alone decide; `null` leaves the rest to {@link decideWhole}. */
export function decideEarly(rules: AccessRules, address: AddressFacts): Denial | null {
  if (address.isDenied) return CLIENT_DENIED;
  if (rules.anyone) return null;
  const canBeAdmittedOtherwise = rules.links || rules.signatures;
  if (canBeAdmittedOtherwise && rules.satisfy === "any") return null;
  if (rules.clients) return address.isListed ? null : CLIENT_NOT_LISTED;
  return canBeAdmittedOtherwise ? null : NOBODY;
}

/**
 * Decides `deny`, then `allow` as a whole.
 *
 * `satisfy: any` needs one member that is content, whatever the others say: a link that expired does not keep a listed
 * address out. `all` needs each. The refusal is the one that helps most: what is wrong with the link that was sent,
 * else that one is needed, else a signature, else the address.
 */
export function decideWhole(
  rules: AccessRules,
  address: AddressFacts,
  proof: Pick<AccessFacts, "link" | "isSignatureVerified">,
): Denial | null {
  const denied = decideEarly(rules, address);
  if (denied !== null || rules.anyone) return denied;
  const isLinked = proof.link?.ok === true;
  const missesLink = rules.links && !isLinked;
  const missesSignature = rules.signatures && !proof.isSignatureVerified;
  if (rules.satisfy === "any") {
    // Each member that the route has and that is content.
    if (rules.clients && address.isListed) return null;
    if (rules.links && isLinked) return null;
    if (rules.signatures && proof.isSignatureVerified) return null;
  }
  if (missesLink) return proof.link?.ok === false ? proof.link.denial : LINK_REQUIRED;
  return missesSignature ? SIGNATURE_REQUIRED : null;
}

function denial(code: Denial["code"], reason: string): Denial {
  return Object.freeze({ code, reason });
}

const CLIENT_DENIED = denial("CLIENT_NOT_ALLOWED", "Requests from this address are refused here.");
const CLIENT_NOT_LISTED = denial("CLIENT_NOT_ALLOWED", "This address is not among those that may use this route.");
const NOBODY = denial("CLIENT_NOT_ALLOWED", "This route allows nobody. Say in its allow who may use it.");
const SIGNATURE_REQUIRED = denial(
  "CLIENT_NOT_ALLOWED",
  "This route takes requests that are signed with OSS credentials it knows. Sign the request.",
);
const LINK_REQUIRED = denial(
  "LINK_REQUIRED",
  "This route is open to those who have a link to it. Ask for one, and use it exactly as it was issued.",
);
