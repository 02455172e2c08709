import { readFileSync } from "node:fs";
import t from "tap";
import { isRefusal } from "../../../src/emulator/answer.js";
import { coversField, parsePolicy, policyProblem } from "../../../src/emulator/post-policy.js";

const EXPIRATION = "2025-01-01T01:00:00.000Z";
const NOW_MS = Date.parse(EXPIRATION) - 1;
const encode = (policy: unknown): string => Buffer.from(JSON.stringify(policy)).toString("base64");
const dollarName = ["$", "{filename}"].join("");

const FIELDS = new Map([
  ["key", `user/eric/${dollarName}`],
  ["content-type", "image/png"],
  ["x-oss-meta-tag", "dummy_etag_1"],
]);

function judge(conditions: readonly unknown[], fileBytes = 10, nowMs = NOW_MS): string | null {
  const policy = parsePolicy(encode({ expiration: EXPIRATION, conditions }));
  if (isRefusal(policy)) return policy.code;
  return policyProblem(policy, { bucket: "bucket-a", fields: FIELDS, fileBytes }, nowMs)?.code ?? null;
}

const TABLE: readonly (readonly [condition: unknown, code: string | null])[] = [
  [{ bucket: "bucket-a" }, null],
  [{ bucket: "bucket-b" }, "AccessDenied"],
  [["eq", "$bucket", "bucket-a"], null],
  [["eq", "$key", `user/eric/${dollarName}`], null],
  [["eq", "$key", "user/eric/a.txt"], "AccessDenied"],
  [["starts-with", "$key", "user/"], null],
  [["starts-with", "$key", "other/"], "AccessDenied"],
  [["starts-with", "$x-oss-meta-none", ""], null],
  [["starts-with", "$x-oss-meta-none", "a"], "AccessDenied"],
  [["eq", "$Content-Type", "image/png"], null],
  [["in", "$content-type", ["image/jpg", "image/png"]], null],
  [["in", "$content-type", ["image/jpg"]], "AccessDenied"],
  [["not-in", "$content-type", ["image/jpg"]], null],
  [["not-in", "$content-type", ["image/png"]], "AccessDenied"],
  [["not-in", "$cache-control", ["no-cache"]], null],
  [["content-length-range", 1, 10], null],
  [["content-length-range", 11, 20], "EntityTooSmall"],
  [["content-length-range", 1, 9], "EntityTooLarge"],
  [["content-length-range", "a", 9], "InvalidPolicyDocument"],
  [["like", "$key", "x"], "InvalidPolicyDocument"],
  [["eq", "key", "x"], "InvalidPolicyDocument"],
  ["key", "InvalidPolicyDocument"],
];

for (const [condition, code] of TABLE) {
  t.test(`the condition ${JSON.stringify(condition)} ${code === null ? "is met" : `ends in ${code}`}`, async (t) => {
    t.equal(judge([condition]), code);
  });
}

t.test("a policy holds until its expiration and not a millisecond longer", async (t) => {
  t.equal(judge([], 10, Date.parse(EXPIRATION)), null);
  t.equal(judge([], 10, Date.parse(EXPIRATION) + 1), "AccessDenied");
});

t.test("a policy without expiration or conditions, or that is no JSON, is invalid", async (t) => {
  for (const bad of [encode({ expiration: EXPIRATION }), encode({ conditions: [] }), "####", encode(null)]) {
    t.match(parsePolicy(bad), { code: "InvalidPolicyDocument" });
  }
});

t.test("published policies with escaped dollars and slashes are understood", async (t) => {
  const vectors = JSON.parse(readFileSync("test/vectors/extra.json", "utf8")) as {
    kind: string;
    policyBase64?: string;
  }[];
  const published = vectors.filter(({ kind }) => kind === "post-v1");
  t.equal(published.length, 3);
  for (const { policyBase64 } of published) t.notOk(isRefusal(parsePolicy(policyBase64 ?? "")));
});

t.test("a field is covered by an exact condition and by one with an operator", async (t) => {
  const policy = parsePolicy(
    encode({ expiration: EXPIRATION, conditions: [{ "x-oss-date": "d" }, ["eq", "$key", "k"]] }),
  );
  if (isRefusal(policy)) throw new Error(policy.code);
  t.ok(coversField(policy, "x-oss-date"));
  t.ok(coversField(policy, "key"));
  t.notOk(coversField(policy, "x-oss-credential"));
});
