import { parseCorsHeader, parseExposedHeader, parseOrigin } from "../config/values-policies.js";
import { type CorsRule, corsRuleProblem } from "../policy/cors.js";
import { type Converted, type ImportCommand, runImport } from "./import-command.js";
import { childrenOf, type Shape, textsOf, type XmlElement } from "./import-xml.js";
import { flowList, lines, type Sorted, sortValues } from "./import-yaml.js";

const USAGE = `Usage: ossgate import-cors FILE

Reads the CORS rules of a bucket, as OSS's GetBucketCors and PutBucketCors have
them in XML, and prints them as the 'cors' of a route, indented to be put into
'routes' as they are. FILE is - for standard input.

Comments in what is printed say where it differs. A route with 'cors' answers
preflights itself; the rules that the bucket has are not asked any more.

Exit code: 0 good, 3 no such document, 2 wrong usage, 1 anything else.
`;

const MAX_RULES = 20;
const MAX_AGE_SECONDS = 24 * 3600;

const MANY = { most: Number.POSITIVE_INFINITY, inside: "text" } as const;
const ONE = { most: 1, inside: "text" } as const;
const RULE: Shape = {
  AllowedOrigin: MANY,
  AllowedMethod: MANY,
  AllowedHeader: MANY,
  ExposeHeader: MANY,
  MaxAgeSeconds: ONE,
};

/** What the command does, without files. */
export const CORS_IMPORT: ImportCommand = {
  name: "import-cors",
  usage: USAGE,
  root: "CORSConfiguration",
  shape: { CORSRule: { most: Number.POSITIVE_INFINITY, inside: RULE }, ResponseVary: ONE },
  convert: convertCors,
};

/** `ossgate import-cors FILE`; resolves with the exit status, see {@link runImport}. */
export function importCors(args: readonly string[]): Promise<number> {
  return runImport(CORS_IMPORT, args);
}

function convertCors(root: XmlElement): Converted {
  const rules = childrenOf(root, "CORSRule").map(readRule);
  if (rules.length === 0) return { problem: "has no CORSRule" };
  if (rules.length > MAX_RULES) return { problem: `has ${rules.length} rules, OSS and the gateway take ${MAX_RULES}` };
  for (const [index, rule] of rules.entries()) {
    const problem = typeof rule === "string" ? rule : corsRuleProblem(rule);
    if (problem !== null) return { problem: `has a rule that OSS would not take, number ${index + 1}: ${problem}` };
  }
  const [vary = "false"] = textsOf(root, "ResponseVary");
  if (vary !== "true" && vary !== "false") return { problem: "has a ResponseVary that is neither true nor false" };
  const blocks = rules.map((rule, index) => ruleBlock(rule as CorsRule, index + 1));
  if (blocks.every(({ isKept }) => !isKept)) return { problem: "has no rule that an origin of a browser can match" };
  const body = [
    ...lines(0, "# From a CORSConfiguration of OSS. With this, the gateway answers preflights; the bucket's own rules"),
    ...lines(0, "# are not asked any more.", "cors:"),
    ...(vary === "true" ? lines(1, "responseVary: true") : []),
    ...lines(1, "rules:"),
    ...blocks.flatMap((block) => block.lines),
  ];
  return { yaml: `${body.join("\n")}\n` };
}

/** @returns a sentence where a number is none */
function readRule(element: XmlElement): CorsRule | string {
  const [maxAge] = textsOf(element, "MaxAgeSeconds");
  if (maxAge !== undefined && !/^\d{1,9}$/.test(maxAge)) return "Its MaxAgeSeconds is no number from 0 to 999999999.";
  return {
    allowedOrigins: textsOf(element, "AllowedOrigin"),
    allowedMethods: textsOf(element, "AllowedMethod"),
    allowedHeaders: textsOf(element, "AllowedHeader"),
    exposeHeaders: textsOf(element, "ExposeHeader"),
    maxAgeSeconds: maxAge === undefined ? null : Number(maxAge),
  };
}

interface RuleBlock {
  readonly lines: readonly string[];
  readonly isKept: boolean;
}

/** What no browser sends matches nothing at OSS either, so leaving it out changes nothing. */
function ruleBlock(rule: CorsRule, number: number): RuleBlock {
  const origins = sortValues(rule.allowedOrigins, parseOrigin);
  if (origins.taken.length === 0) {
    const comment = `# Rule ${number} is left out: no browser sends an origin that it allows.`;
    return { lines: lines(2, comment, ...origins.comments), isKept: false };
  }
  const headers = sortValues(rule.allowedHeaders, parseCorsHeader);
  const exposed = sortValues(rule.exposeHeaders, parseExposedHeader);
  const [first = "", ...others] = [
    ...listLines("allowedOrigins", origins),
    `allowedMethods: [${rule.allowedMethods.join(", ")}]`,
    ...listLines("allowedHeaders", headers),
    ...listLines("exposeHeaders", exposed),
    ...maxAgeLines(rule.maxAgeSeconds),
  ];
  return { lines: [...lines(2, `- ${first}`), ...lines(3, ...others)], isKept: true };
}

function listLines(key: string, { taken, comments }: Sorted): string[] {
  return [...(taken.length === 0 ? [] : [`${key}: ${flowList(taken)}`]), ...comments];
}

function maxAgeLines(seconds: number | null): string[] {
  if (seconds === null) return [];
  if (seconds <= MAX_AGE_SECONDS) return [`maxAge: ${seconds}s`];
  return [`maxAge: 24h # ${seconds} s at OSS; no browser remembers longer than a day`];
}
