import t from "tap";
import { type AccessRules, compileAccess, decideEarly, decideWhole } from "../../../src/policy/access.js";
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
  readonly address: { readonly isDenied: boolean; readonly isListed: boolean };
  readonly link: string;
  readonly isSignatureVerified: boolean;
}

/** Everything that can be: 32 kinds of rules, 4 kinds of address, 8 of proof. */
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
          for (const satisfy of ["any", "all"] as const) yield { anyone, clients, links, signatures, satisfy };
}

function* addresses(): Generator<Situation["address"]> {
  for (const isDenied of booleans) for (const isListed of booleans) yield { isDenied, isListed };
}

/** The rule in the words, written from the list of members. */
function isAdmitted({ rules, address, link, isSignatureVerified }: Situation): boolean {
  const members: readonly (readonly [isThere: boolean, isContent: boolean])[] = [
    [rules.clients, address.isListed],
    [rules.links, link === "valid"],
    [rules.signatures, isSignatureVerified],
  ];
  const contents = members.filter(([isThere]) => isThere).map(([, isContent]) => isContent);
  if (address.isDenied) return false;
  if (rules.anyone) return true;
  if (contents.length === 0) return false;
  return rules.satisfy === "any" ? contents.includes(true) : !contents.includes(false);
}

const decide = ({ rules, address, link, isSignatureVerified }: Situation) =>
  decideWhole(rules, address, { link: links.get(link) ?? null, isSignatureVerified });

t.test("allow, satisfy and deny admit whom they say, in every situation", (t) => {
  let count = 0;
  let admitted = 0;
  for (const situation of situations()) {
    count += 1;
    const isIn = decide(situation) === null;
    if (isIn) admitted += 1;
    if (isIn !== isAdmitted(situation)) t.fail(JSON.stringify(situation));
  }
  t.equal(count, 1024);
  t.ok(admitted > 100 && admitted < 900, `${admitted} of them are admitted`);
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

t.test("whom no link and no signature could admit is refused early, and nobody else", (t) => {
  for (const rules of allRules()) {
    for (const address of addresses()) {
      const proofs = [...links.keys()].flatMap((link) =>
        booleans.map((isSignatureVerified) => ({ link, isSignatureVerified })),
      );
      const canBeAdmitted = proofs.some((proof) => isAdmitted({ rules, address, ...proof }));
      const early = decideEarly(rules, address);
      t.equal(early === null, canBeAdmitted, JSON.stringify({ rules, address }));
    }
  }
  t.end();
});

const closed: AccessRules = { anyone: false, clients: false, links: false, signatures: false, satisfy: "any" };
const stranger = { isDenied: false, isListed: false };
const listed = { isDenied: false, isListed: true };

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
    { isDenied: true, isListed: true },
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

t.test("a policy is made of addresses as the configuration writes them", (t) => {
  const allow = { anyone: false, clients: ["203.0.113.0/24"], links: true, signatures: false };
  const policy = compileAccess({ allow, satisfy: "any", deny: { clients: ["203.0.113.66", "198.51.100.0/24"] } });
  const decided = (client: string, link: LinkVerdict | null) =>
    policy.decide({ client, link, isSignatureVerified: false })?.code;
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
  t.equal(policy.decide({ client: "203.0.113.1", link: null, isSignatureVerified: false }), null);
  t.equal(policy.early("192.0.2.1")?.code, "CLIENT_NOT_ALLOWED");
  t.end();
});

t.test("a client whose address is not known is on no list", (t) => {
  const allow = { anyone: false, clients: ["0.0.0.0/0", "::/0"], links: false, signatures: false };
  t.equal(compileAccess({ allow, satisfy: "any", deny: { clients: [] } }).early("")?.code, "CLIENT_NOT_ALLOWED");
  t.end();
});
