import { OPERATIONS } from "../../../src/core/operations.js";
import { type AskedRequest, compileRules, filterSignedRequest } from "../../../src/signing/signed-request.js";
import { V1_SIGNED } from "./known-names.js";

const overrides = new Set(V1_SIGNED.filter((name) => name.startsWith("response-")));
const nothing = { allowsPut: false, process: [], responseOverrides: new Set<string>(), keyPrefix: "" };
const process = ["image/resize,*", "style/thumb", "hls/sign"];

/** Routes: one that only reads, one with reading options, one with uploads, one that names every operation. */
export const RULES = {
  plain: compileRules({ ...nothing, operations: new Set() }),
  reads: compileRules({ ...nothing, operations: new Set(), process, responseOverrides: overrides }),
  put: compileRules({ ...nothing, operations: new Set(), allowsPut: true }),
  all: compileRules({
    ...nothing,
    allowsPut: true,
    operations: new Set(OPERATIONS),
    process,
    responseOverrides: overrides,
  }),
} as const;

export type RulesName = keyof typeof RULES;
export const RULES_NAMES = Object.keys(RULES) as RulesName[];
export const METHODS = ["GET", "HEAD", "PUT", "POST", "DELETE"] as const;

/** The same rules with the key prefix `tenant/`. */
export const PREFIX = "tenant/";
export const bound = (name: RulesName) => ({ ...RULES[name], keyPrefix: PREFIX });

export const ask = (asked: Partial<AskedRequest>): AskedRequest => ({
  method: "GET",
  key: "k",
  bucket: "examplebucket",
  rawQuery: "",
  headers: [],
  carriesVerifiedSignature: false,
  ...asked,
});

export const filter = (asked: Partial<AskedRequest>, rules: RulesName = "plain") =>
  filterSignedRequest(ask(asked), RULES[rules]);

/** `ok`, or the code of the refusal. */
export const verdict = (asked: Partial<AskedRequest>, rules: RulesName = "plain"): string => {
  const filtered = filter(asked, rules);
  return filtered.ok ? "ok" : filtered.denial.code;
};

/** `METHOD target` with the key first: `GET k?acl`, `POST ?delete`. */
export function parseAsked(line: string): Pick<AskedRequest, "method" | "key" | "rawQuery"> {
  const [method = "", target = ""] = line.split(" ");
  const [key = "", rawQuery = ""] = target.split("?");
  return { method, key, rawQuery };
}
