import { type Denial, ERRORS } from "../core/errors.js";
import { type ClientCertificate, compileCertificates } from "./client-certificate.js";
import { compileClients } from "./clients.js";
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
    /** Requests with a name and a password that are known here. */
    readonly basic: boolean;
    /** Requests that a service says yes to. */
    readonly forwardAuth: boolean;
    /** Subjects of client certificates; empty: no member. */
    readonly certificates: readonly string[];
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
  /** Of the client's connection; `null`: it has shown none that is believed. */
  readonly certificate: ClientCertificate | null;
}

/**
 * What the members that had to be asked said: `null` is yes, and `undefined` that nobody asked, as where the route has no
 * such member or where it no longer matters.
 */
export interface AskedFacts {
  readonly basic?: Denial | null | undefined;
  readonly forwardAuth?: Denial | null | undefined;
}

/** What is known at once is content, or not, or leaves it to the members that must be asked. */
export type Decision = Denial | null | "ask";

export interface AccessPolicy {
  /**
   * Stage 3: `deny`, and `allow` where addresses alone decide.
   * @param client canonical
   */
  early(client: string): Denial | null;
  /** Stage 5: all that is known at once, `deny` first again. */
  decide(facts: AccessFacts): Decision;
  /** Whether what `basic` said, yes for `null`, decides already, so that no service need be asked. */
  isDecidedBy(basic: Denial | null): boolean;
  /** The end of stage 5, after `decide` said `ask`. */
  conclude(facts: AccessFacts, asked: AskedFacts): Denial | null;
}

/** The members of `allow` that a route has. */
export interface AccessRules {
  readonly anyone: boolean;
  readonly clients: boolean;
  readonly links: boolean;
  readonly signatures: boolean;
  readonly basic: boolean;
  readonly forwardAuth: boolean;
  readonly certificates: boolean;
  readonly satisfy: "any" | "all";
}

/** What is known of the client's address, and of its certificate. */
export interface AddressFacts {
  readonly isDenied: boolean;
  readonly isListed: boolean;
  readonly isCertified: boolean;
}

/** @throws Error for what is no CIDR */
export function compileAccess({ allow, satisfy, deny }: AccessOptions): AccessPolicy {
  const denied = compileClients(deny.clients);
  const denies = deny.clients.length > 0;
  const listed = compileClients(allow?.clients ?? []);
  const rules: AccessRules = {
    anyone: allow === null || allow.anyone,
    clients: allow !== null && allow.clients.length > 0,
    links: allow?.links ?? false,
    signatures: allow?.signatures ?? false,
    basic: allow?.basic ?? false,
    forwardAuth: allow?.forwardAuth ?? false,
    certificates: allow !== null && allow.certificates.length > 0,
    satisfy,
  };
  const certified = compileCertificates(allow?.certificates ?? []);
  const about = (client: string, certificate: ClientCertificate | null): AddressFacts => ({
    // Who is unknown may be one of them.
    isDenied: client === "" ? denies : denied.has(client),
    isListed: listed.has(client),
    isCertified: certified(certificate),
  });
  return {
    early: (client) => decideEarly(rules, about(client, null)),
    decide: (facts) => decideAtOnce(rules, about(facts.client, facts.certificate), facts),
    isDecidedBy: (basic) => (basic === null) === (satisfy === "any"),
    conclude: (facts, asked) => decideWhole(rules, about(facts.client, facts.certificate), facts, asked),
  };
}

/** What addresses alone decide; `null` leaves the rest to {@link decideWhole}. */
export function decideEarly(rules: AccessRules, address: AddressFacts): Denial | null {
  if (address.isDenied) return CLIENT_DENIED;
  if (rules.anyone) return null;
  const canBeAdmittedOtherwise =
    rules.links || rules.signatures || rules.basic || rules.forwardAuth || rules.certificates;
  if (canBeAdmittedOtherwise && rules.satisfy === "any") return null;
  if (rules.clients) return address.isListed ? null : CLIENT_NOT_LISTED;
  return canBeAdmittedOtherwise ? null : NOBODY;
}

type Proof = Pick<AccessFacts, "link" | "isSignatureVerified">;

/**
 * Decides `deny`, then as much of `allow` as is known without asking anybody: nobody hashes a password for a request
 * that is admitted, or refused, whatever the password may be.
 */
export function decideAtOnce(rules: AccessRules, address: AddressFacts, proof: Proof): Decision {
  const denied = decideEarly(rules, address);
  if (denied !== null || rules.anyone) return denied;
  const isOneEnough = rules.satisfy === "any";
  if (isOneEnough && isAnyContent(rules, address, proof)) return null;
  const missing = missingProof(rules, address, proof);
  if (!rules.basic && !rules.forwardAuth) return missing;
  return isOneEnough || missing === null ? "ask" : missing;
}

/**
 * Decides `deny`, then `allow` as a whole.
 *
 * `satisfy: any` needs one member that is content, whatever the others say: a link that expired does not keep a listed
 * address out. `all` needs each, and the first that is not content is told of.
 */
export function decideWhole(rules: AccessRules, address: AddressFacts, proof: Proof, asked: AskedFacts): Denial | null {
  const atOnce = decideAtOnce(rules, address, proof);
  if (atOnce !== "ask") return atOnce;
  // What is no member, or was not asked, is content with nobody.
  const basic = rules.basic ? asked.basic : undefined;
  const forwardAuth = rules.forwardAuth ? asked.forwardAuth : undefined;
  if (rules.satisfy === "any") {
    if (basic === null || forwardAuth === null) return null;
    return mostHelpful(missingProof(rules, address, proof), basic, forwardAuth);
  }
  if (rules.basic && basic !== null) return basic ?? NOT_ASKED;
  return rules.forwardAuth && forwardAuth !== null ? (forwardAuth ?? NOT_ASKED) : null;
}

function isAnyContent(rules: AccessRules, address: AddressFacts, proof: Proof): boolean {
  if (rules.clients && address.isListed) return true;
  if (rules.certificates && address.isCertified) return true;
  if (rules.links && proof.link?.ok === true) return true;
  return rules.signatures && proof.isSignatureVerified;
}

/** What is wrong with the link that was sent, else that one is needed, else a signature, else a certificate. */
function missingProof(rules: AccessRules, { isCertified }: AddressFacts, proof: Proof): Denial | null {
  if (rules.links && proof.link?.ok !== true) return proof.link?.ok === false ? proof.link.denial : LINK_REQUIRED;
  if (rules.signatures && !proof.isSignatureVerified) return SIGNATURE_REQUIRED;
  return rules.certificates && !isCertified ? CERTIFICATE_REQUIRED : null;
}

/**
 * Of the refusals where one yes would have been enough. A member that could not answer might have said yes: then no client
 * should throw away a password that may be right. Else it is how to log in, by name and password before the service's
 * own way, else what is wrong with the link or the signature.
 */
function mostHelpful(missing: Denial | null, basic: Denial | undefined, forwardAuth: Denial | undefined): Denial {
  if (basic !== undefined && isUnknown(basic)) return basic;
  if (forwardAuth !== undefined && isUnknown(forwardAuth)) return forwardAuth;
  if (basic !== undefined) return basic;
  const showsWayIn = forwardAuth?.headers !== undefined;
  return (showsWayIn ? forwardAuth : (missing ?? forwardAuth)) ?? NOT_ASKED;
}

const isUnknown = ({ code }: Denial): boolean => ERRORS[code].origin === "gateway";

function denial(code: Denial["code"], reason: string): Denial {
  return Object.freeze({ code, reason });
}

const CLIENT_DENIED = denial("CLIENT_NOT_ALLOWED", "Requests from this address are refused here.");
const CLIENT_NOT_LISTED = denial("CLIENT_NOT_ALLOWED", "This address is not among those that may use this route.");
const NOBODY = denial("CLIENT_NOT_ALLOWED", "This route allows nobody. Say in its allow who may use it.");
const NOT_ASKED = denial("CLIENT_NOT_ALLOWED", "Who may use this route was not found out.");
const SIGNATURE_REQUIRED = denial(
  "CLIENT_NOT_ALLOWED",
  "This route takes requests that are signed with OSS credentials it knows. Sign the request.",
);
const CERTIFICATE_REQUIRED = denial(
  "CLIENT_NOT_ALLOWED",
  "This route takes clients that show a certificate it knows. Connect with one.",
);
const LINK_REQUIRED = denial(
  "LINK_REQUIRED",
  "This route is open to those who have a link to it. Ask for one, and use it exactly as it was issued.",
);
