import t from "tap";
import type { Denial, ErrorCode } from "../../../src/core/errors.js";
import {
  type AccessRules,
  type AskedFacts,
  compileAccess,
  decideAtOnce,
  decideEarly,
  decideWhole,
} from "../../../src/policy/access.js";
import { EXPIRED, INVALID, type LinkVerdict } from "../../../src/policy/link-verdict.js";

const VALID: LinkVerdict = { ok: true, expiresSeconds: 1, isPrefix: false, path: "/", scope: null, client: null };

const booleans = [false, true];
const links = new Map<string, LinkVerdict | null>([
  ["none", null],
  ["valid", VALID],
  ["invalid", INVALID],
  ["expired", EXPIRED],
]);

interface Situation {
  readonly rules: AccessRules;
  readonly address: { readonly isDenied: boolean; readonly isListed: boolean; readonly isCertified: boolean };
  readonly link: string;
  readonly isSignatureVerified: boolean;
}

/** Everything that can be without a member that is asked: 32 kinds of rules, 4 kinds of address, 8 of proof. */
function* situations(): Generator<Situation> {
  for (const rules of allRules())
    for (const address of addresses())
      for (const link of links.keys())
        for (const isSignatureVerified of booleans) yield { rules, address, link, isSignatureVerified };
}

function* allRules(): Generator<AccessRules> {
  for (const anyone of booleans)
    for (const clients of booleans)
      for (const links of booleans)
        for (const signatures of booleans)
          for (const certificates of booleans)
            for (const satisfy of ["any", "all"] as const)
              yield { anyone, clients, links, signatures, certificates, basic: false, forwardAuth: false, satisfy };
}

function* addresses(): Generator<Situation["address"]> {
  for (const isDenied of booleans)
    for (const isListed of booleans) for (const isCertified of booleans) yield { isDenied, isListed, isCertified };
}

/** The rule in the words, written from the list of members. */
function isAdmitted({ rules, address, link, isSignatureVerified }: Situation): boolean {
  const members: readonly (readonly [isThere: boolean, isContent: boolean])[] = [
    [rules.clients, address.isListed],
    [rules.links, link === "valid"],
    [rules.signatures, isSignatureVerified],
    [rules.certificates, address.isCertified],
  ];
  const contents = members.filter(([isThere]) => isThere).map(([, isContent]) => isContent);
  if (address.isDenied) return false;
  if (rules.anyone) return true;
  if (contents.length === 0) return false;
  return rules.satisfy === "any" ? contents.includes(true) : !contents.includes(false);
}

const decide = ({ rules, address, link, isSignatureVerified }: Situation) =>
  decideWhole(rules, address, { link: links.get(link) ?? null, isSignatureVerified }, {});

t.test("allow, satisfy and deny admit whom they say, in every situation", (t) => {
  let count = 0;
  let admitted = 0;
  for (const situation of situations()) {
    count += 1;
    const isIn = decide(situation) === null;
    if (isIn) admitted += 1;
    if (isIn !== isAdmitted(situation)) t.fail(JSON.stringify(situation));
  }
  t.equal(count, 4096);
  t.ok(admitted > 400 && admitted < 3_600, `${admitted} of them are admitted`);
  t.end();
});

t.test("what is refused early would be refused by the whole, with the same words", (t) => {
  let refused = 0;
  for (const situation of situations()) {
    const early = decideEarly(situation.rules, situation.address);
    if (early === null) continue;
    refused += 1;
    if (decide(situation) !== early) t.fail(JSON.stringify(situation));
  }
  t.ok(refused > 0);
  t.end();
});

t.test("whom no link, no signature and no certificate could admit is refused early, and nobody else", (t) => {
  for (const rules of allRules()) {
    for (const address of addresses()) {
      const proofs = [...links.keys()].flatMap((link) =>
        booleans.map((isSignatureVerified) => ({ link, isSignatureVerified })),
      );
      const mayBeCertified = booleans.map((isCertified) => ({ ...address, isCertified }));
      const canBeAdmitted = proofs.some((proof) =>
        mayBeCertified.some((client) => isAdmitted({ rules, address: client, ...proof })),
      );
      const early = decideEarly(rules, address);
      t.equal(early === null, canBeAdmitted, JSON.stringify({ rules, address }));
    }
  }
  t.end();
});

const closed: AccessRules = {
  anyone: false,
  clients: false,
  links: false,
  signatures: false,
  basic: false,
  forwardAuth: false,
  certificates: false,
  satisfy: "any",
};
const stranger = { isDenied: false, isListed: false, isCertified: false };
const listed = { ...stranger, isListed: true };
const certified = { ...stranger, isCertified: true };

const refusals: readonly (readonly [
  claim: string,
  rules: Partial<AccessRules>,
  address: Situation["address"],
  link: string,
  isSignatureVerified: boolean,
  code: string,
])[] = [
  ["only addresses: the address", { clients: true }, stranger, "none", false, "CLIENT_NOT_ALLOWED"],
  ["only links, none sent", { links: true }, stranger, "none", false, "LINK_REQUIRED"],
  ["only links, a bad one", { links: true }, stranger, "invalid", false, "LINK_INVALID"],
  ["only links, an old one", { links: true }, stranger, "expired", false, "LINK_EXPIRED"],
  ["only signatures", { signatures: true }, stranger, "none", false, "CLIENT_NOT_ALLOWED"],
  ["only certificates", { certificates: true }, stranger, "none", false, "CLIENT_NOT_ALLOWED"],
  [
    "a certificate and a link, where both are needed and the link is old",
    { certificates: true, links: true, satisfy: "all" },
    certified,
    "expired",
    false,
    "LINK_EXPIRED",
  ],
  ["addresses or links: a link helps", { clients: true, links: true }, stranger, "none", false, "LINK_REQUIRED"],
  ["addresses or links: the old link", { clients: true, links: true }, stranger, "expired", false, "LINK_EXPIRED"],
  ["links or signatures: a link helps", { links: true, signatures: true }, stranger, "none", false, "LINK_REQUIRED"],
  [
    "addresses and links, from outside",
    { clients: true, links: true, satisfy: "all" },
    stranger,
    "valid",
    false,
    "CLIENT_NOT_ALLOWED",
  ],
  [
    "addresses and links, from inside",
    { clients: true, links: true, satisfy: "all" },
    listed,
    "none",
    false,
    "LINK_REQUIRED",
  ],
  [
    "addresses and links, an old link from outside",
    { clients: true, links: true, satisfy: "all" },
    stranger,
    "expired",
    false,
    "CLIENT_NOT_ALLOWED",
  ],
  [
    "links and signatures, an old link",
    { links: true, signatures: true, satisfy: "all" },
    stranger,
    "expired",
    true,
    "LINK_EXPIRED",
  ],
  [
    "links and signatures, no signature",
    { links: true, signatures: true, satisfy: "all" },
    stranger,
    "valid",
    false,
    "CLIENT_NOT_ALLOWED",
  ],
  ["nobody is allowed", {}, listed, "valid", true, "CLIENT_NOT_ALLOWED"],
  [
    "denied, though all else is right",
    { anyone: true },
    { isDenied: true, isListed: true, isCertified: true },
    "valid",
    true,
    "CLIENT_NOT_ALLOWED",
  ],
];

t.test("the refusal is the one that helps most", (t) => {
  for (const [claim, rules, address, link, isSignatureVerified, code] of refusals) {
    const denial = decide({ rules: { ...closed, ...rules }, address, link, isSignatureVerified });
    t.equal(denial?.code, code, claim);
    t.ok(Object.isFrozen(denial), claim);
  }
  t.end();
});

t.test("an address that is not listed is told nothing of the link that it sent, where both are needed", (t) => {
  const rules: AccessRules = { ...closed, clients: true, links: true, satisfy: "all" };
  const told = [...links.keys()].map((link) => decide({ rules, address: stranger, link, isSignatureVerified: false }));
  t.equal(new Set(told).size, 1);
  t.end();
});

const MEMBERS = {
  anyone: false,
  clients: [],
  links: false,
  signatures: false,
  basic: false,
  forwardAuth: false,
  certificates: [],
};

t.test("a policy is made of addresses as the configuration writes them", (t) => {
  const allow = { ...MEMBERS, clients: ["203.0.113.0/24"], links: true };
  const policy = compileAccess({ allow, satisfy: "any", deny: { clients: ["203.0.113.66", "198.51.100.0/24"] } });
  const decided = (client: string, link: LinkVerdict | null) => {
    const decision = policy.decide({ client, link, isSignatureVerified: false, certificate: null });
    return decision === "ask" ? decision : decision?.code;
  };
  t.equal(decided("203.0.113.1", null), undefined, "a listed address");
  t.equal(decided("203.0.113.1", EXPIRED), undefined, "a listed address with an old link");
  t.equal(decided("192.0.2.1", VALID), undefined, "a link from anywhere");
  t.equal(decided("192.0.2.1", null), "LINK_REQUIRED");
  t.equal(decided("203.0.113.66", VALID), "CLIENT_NOT_ALLOWED", "deny wins over the list and the link");
  t.equal(policy.early("198.51.100.7")?.code, "CLIENT_NOT_ALLOWED");
  t.equal(policy.early("192.0.2.1"), null, "a link may follow");
  t.end();
});

t.test("a route that says nothing is open but to those whom it denies", (t) => {
  const policy = compileAccess({ allow: null, satisfy: "any", deny: { clients: ["192.0.2.0/24"] } });
  t.equal(policy.early("203.0.113.1"), null);
  t.equal(policy.decide({ client: "203.0.113.1", link: null, isSignatureVerified: false, certificate: null }), null);
  t.equal(policy.early("192.0.2.1")?.code, "CLIENT_NOT_ALLOWED");
  t.end();
});

t.test("a client whose address is not known is on no list", (t) => {
  const allow = { ...MEMBERS, clients: ["0.0.0.0/0", "::/0"] };
  t.equal(compileAccess({ allow, satisfy: "any", deny: { clients: [] } }).early("")?.code, "CLIENT_NOT_ALLOWED");
  t.end();
});

const denial = (code: ErrorCode, headers?: readonly string[]): Denial => ({
  code,
  reason: code,
  ...(headers === undefined ? {} : { headers }),
});

const LOGIN = denial("LOGIN_REQUIRED", ["WWW-Authenticate", "Basic"]);
const BUSY = denial("GATEWAY_BUSY", ["Retry-After", "1"]);
const SERVICE_LOGIN = denial("LOGIN_REQUIRED", ["WWW-Authenticate", "Bearer"]);
const REDIRECT = denial("FORWARD_AUTH_DENIED", ["Location", "/login"]);
const SERVICE_NO = denial("FORWARD_AUTH_DENIED");
const UNAVAILABLE = denial("FORWARD_AUTH_UNAVAILABLE");

const basicAnswers = [null, LOGIN, BUSY];
const serviceAnswers = [null, SERVICE_LOGIN, REDIRECT, SERVICE_NO, UNAVAILABLE];

interface AskedSituation extends Situation {
  readonly asked: { readonly basic: Denial | null; readonly forwardAuth: Denial | null };
}

/** The same situations for each choice of members that are asked, and for all that they may say. */
function* askedSituations(): Generator<AskedSituation> {
  for (const situation of situations())
    for (const basicIsThere of booleans)
      for (const forwardAuthIsThere of booleans)
        for (const basic of basicAnswers)
          for (const forwardAuth of serviceAnswers) {
            const rules = { ...situation.rules, basic: basicIsThere, forwardAuth: forwardAuthIsThere };
            yield { ...situation, rules, asked: { basic, forwardAuth } };
          }
}

/** The rule again, in other words, of all five members. */
function isAdmittedAfterAsking(situation: AskedSituation): boolean {
  const { rules, address, asked, link, isSignatureVerified } = situation;
  const members: readonly (readonly [isThere: boolean, isContent: boolean])[] = [
    [rules.clients, address.isListed],
    [rules.links, link === "valid"],
    [rules.signatures, isSignatureVerified],
    [rules.certificates, address.isCertified],
    [rules.basic, asked.basic === null],
    [rules.forwardAuth, asked.forwardAuth === null],
  ];
  const contents = members.filter(([isThere]) => isThere).map(([, isContent]) => isContent);
  if (address.isDenied) return false;
  if (rules.anyone) return true;
  if (contents.length === 0) return false;
  return rules.satisfy === "any" ? contents.includes(true) : !contents.includes(false);
}

/** What the gateway does: in order, and nobody is asked whose answer no longer matters. */
function decideInOrder({ rules, address, link, isSignatureVerified, asked }: AskedSituation) {
  const proof = { link: links.get(link) ?? null, isSignatureVerified };
  const atOnce = decideAtOnce(rules, address, proof);
  if (atOnce !== "ask") return { denied: atOnce, whoWasAsked: "" };
  let facts: AskedFacts = {};
  let whoWasAsked = "";
  if (rules.basic) {
    facts = { basic: asked.basic };
    whoWasAsked += "basic ";
  }
  const isDecided = facts.basic !== undefined && (facts.basic === null) === (rules.satisfy === "any");
  if (rules.forwardAuth && !isDecided) {
    facts = { ...facts, forwardAuth: asked.forwardAuth };
    whoWasAsked += "service";
  }
  return { denied: decideWhole(rules, address, proof, facts), whoWasAsked };
}

t.test("with passwords and a service, allow and satisfy admit whom they say, in every situation", (t) => {
  let count = 0;
  let admitted = 0;
  for (const situation of askedSituations()) {
    count += 1;
    const isIn = decideInOrder(situation).denied === null;
    if (isIn) admitted += 1;
    if (isIn !== isAdmittedAfterAsking(situation)) t.fail(JSON.stringify(situation));
  }
  t.equal(count, 245_760);
  t.ok(admitted > 40_000 && admitted < 200_000, `${admitted} of them are admitted`);
  t.end();
});

t.test("nobody is asked about a request that what is known at once admits or refuses", (t) => {
  for (const situation of askedSituations()) {
    const { rules, address } = situation;
    const { whoWasAsked } = decideInOrder(situation);
    if (whoWasAsked === "") continue;
    const without = { ...rules, basic: false, forwardAuth: false };
    const hasOthers = rules.clients || rules.links || rules.signatures || rules.certificates;
    const atOnce = decide({ ...situation, rules: without });
    const isOpen = rules.satisfy === "any" ? atOnce !== null : atOnce === null || !hasOthers;
    if (!isOpen || address.isDenied || rules.anyone) t.fail(JSON.stringify(situation));
  }
  t.end();
});

t.test("whoever could still be admitted by a password or a service is not refused early", (t) => {
  for (const situation of askedSituations()) {
    const { rules, address } = situation;
    const early = decideEarly(rules, address);
    if (early !== null && isAdmittedAfterAsking(situation)) t.fail(JSON.stringify(situation));
    if (early !== null && decideInOrder(situation).denied !== early) t.fail(JSON.stringify(situation));
  }
  t.end();
});

t.test("a member that was not asked admits nobody", (t) => {
  for (const satisfy of ["any", "all"] as const)
    for (const members of [{ basic: true }, { forwardAuth: true }, { basic: true, forwardAuth: true }]) {
      const rules = { ...closed, ...members, satisfy };
      const proof = { link: null, isSignatureVerified: false };
      t.ok(decideWhole(rules, stranger, proof, {}), JSON.stringify(rules));
    }
  t.end();
});

const askedRefusals: readonly (readonly [
  claim: string,
  rules: Partial<AccessRules>,
  link: string,
  asked: AskedFacts,
  refusal: Denial | ErrorCode,
])[] = [
  ["only passwords", { basic: true }, "none", { basic: LOGIN }, LOGIN],
  ["only a service", { forwardAuth: true }, "none", { forwardAuth: SERVICE_NO }, SERVICE_NO],
  ["a password or an address", { basic: true, clients: true }, "none", { basic: LOGIN }, LOGIN],
  ["a password or a link", { basic: true, links: true }, "none", { basic: LOGIN }, LOGIN],
  ["a password or a link, an old one", { basic: true, links: true }, "expired", { basic: LOGIN }, LOGIN],
  [
    "a password or a service that shows a login page",
    { basic: true, forwardAuth: true },
    "none",
    { basic: LOGIN, forwardAuth: REDIRECT },
    LOGIN,
  ],
  [
    "a password that could not be checked, and a service that says no",
    { basic: true, forwardAuth: true },
    "none",
    { basic: BUSY, forwardAuth: SERVICE_NO },
    BUSY,
  ],
  [
    "a wrong password, and a service that is down",
    { basic: true, forwardAuth: true },
    "none",
    { basic: LOGIN, forwardAuth: UNAVAILABLE },
    UNAVAILABLE,
  ],
  [
    "a link or a service that shows a login page",
    { links: true, forwardAuth: true },
    "expired",
    { forwardAuth: REDIRECT },
    REDIRECT,
  ],
  [
    "a link or a service that asks for a token",
    { links: true, forwardAuth: true },
    "none",
    { forwardAuth: SERVICE_LOGIN },
    SERVICE_LOGIN,
  ],
  [
    "a link or a service that says no: the old link",
    { links: true, forwardAuth: true },
    "expired",
    { forwardAuth: SERVICE_NO },
    "LINK_EXPIRED",
  ],
  [
    "a link or a service that says no: a link helps",
    { links: true, forwardAuth: true },
    "none",
    { forwardAuth: SERVICE_NO },
    "LINK_REQUIRED",
  ],
  [
    "an address or a service that says no",
    { clients: true, forwardAuth: true },
    "none",
    { forwardAuth: SERVICE_NO },
    SERVICE_NO,
  ],
  [
    "a link or a service that is down",
    { links: true, forwardAuth: true },
    "expired",
    { forwardAuth: UNAVAILABLE },
    UNAVAILABLE,
  ],
  [
    "a password and a service: the password first",
    { basic: true, forwardAuth: true, satisfy: "all" },
    "none",
    { basic: LOGIN, forwardAuth: SERVICE_NO },
    LOGIN,
  ],
  [
    "a password and a service, the password is right",
    { basic: true, forwardAuth: true, satisfy: "all" },
    "none",
    { basic: null, forwardAuth: REDIRECT },
    REDIRECT,
  ],
  [
    "a link and a password: the link first",
    { links: true, basic: true, satisfy: "all" },
    "none",
    { basic: LOGIN },
    "LINK_REQUIRED",
  ],
];

t.test("the refusal after asking is the one that helps most", (t) => {
  for (const [claim, rules, link, asked, refusal] of askedRefusals) {
    const proof = { link: links.get(link) ?? null, isSignatureVerified: false };
    const denied = decideWhole({ ...closed, ...rules }, stranger, proof, asked);
    if (typeof refusal === "string") t.equal(denied?.code, refusal, claim);
    else t.equal(denied, refusal, claim);
  }
  t.end();
});

t.test("a policy asks after what is known at once, and stops when one answer decides", (t) => {
  const deny = { clients: [] };
  const allow = { ...MEMBERS, clients: ["203.0.113.0/24"], basic: true, forwardAuth: true };
  const any = compileAccess({ allow, satisfy: "any", deny });
  const facts = { client: "192.0.2.1", link: null, isSignatureVerified: false, certificate: null };
  t.equal(any.early(facts.client), null);
  t.equal(any.decide(facts), "ask");
  t.equal(any.decide({ ...facts, client: "203.0.113.1" }), null);
  t.equal(any.isDecidedBy(null), true);
  t.equal(any.isDecidedBy(LOGIN), false);
  t.equal(any.conclude(facts, { basic: LOGIN, forwardAuth: null }), null);
  const all = compileAccess({ allow, satisfy: "all", deny });
  t.equal(all.early(facts.client)?.code, "CLIENT_NOT_ALLOWED");
  t.equal(all.isDecidedBy(null), false);
  t.equal(all.isDecidedBy(LOGIN), true);
  const inside = { ...facts, client: "203.0.113.1" };
  t.equal(all.decide(inside), "ask");
  t.equal(all.conclude(inside, { basic: null, forwardAuth: SERVICE_NO }), SERVICE_NO);
  t.equal(all.conclude(inside, { basic: null, forwardAuth: null }), null);
  t.end();
});
