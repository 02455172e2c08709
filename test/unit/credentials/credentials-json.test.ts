import fc from "fast-check";
import t from "tap";
import { errorCodeIn, readCredentialsJson } from "../../../src/credentials/credentials-json.js";
import { CredentialsError } from "../../../src/credentials/provider.js";

const WHOLE = {
  AccessKeyId: "STS.id",
  AccessKeySecret: "the-secret",
  SecurityToken: "the-token",
  Expiration: "2025-01-01T01:00:00Z",
};
const LOWER = {
  accessKeyId: "STS.id",
  accessKeySecret: "the-secret",
  securityToken: "the-token",
  expiration: "2025-01-01T01:00:00Z",
};
const PERMANENT = { AccessKeyId: "id", AccessKeySecret: "the-secret" };

const read = (value: unknown, isTemporary = true) =>
  readCredentialsJson(typeof value === "string" ? value : JSON.stringify(value), { where: "the test", isTemporary });

t.test("the shapes that hold credentials", async (t) => {
  for (const shape of [
    WHOLE,
    LOWER,
    { Credentials: WHOLE },
    { credentials: LOWER },
    { ...WHOLE, Code: "Success", LastUpdated: "2025-01-01T00:00:00Z" },
    { StatusCode: 200, ...WHOLE },
  ]) {
    const set = read(shape);
    t.equal(set.accessKeyId, "STS.id");
    t.equal(set.accessKeySecret.reveal(), "the-secret");
    t.equal(set.securityToken, "the-token");
    t.equal(set.expiresAtMs, Date.UTC(2025, 0, 1, 1));
  }
  const permanent = read({ ...PERMANENT, SecurityToken: "", Expiration: null }, false);
  t.equal(permanent.securityToken, undefined);
  t.equal(permanent.expiresAtMs, undefined);
});

t.test("times of the forms that services write", async (t) => {
  for (const [text, wantedMs] of [
    ["2025-01-01T01:00:00.250Z", Date.UTC(2025, 0, 1, 1) + 250],
    ["2025-01-01T09:00:00+08:00", Date.UTC(2025, 0, 1, 1)],
    ["2025-01-01T01:00Z", Date.UTC(2025, 0, 1, 1)],
  ] as const) {
    t.equal(read({ ...WHOLE, Expiration: text }).expiresAtMs, wantedMs, text);
  }
});

t.test("what holds none is refused, naming what is wrong and nothing of the text", async (t) => {
  const cases: readonly (readonly [unknown, RegExp])[] = [
    ["", /not a JSON object/],
    ["planted{", /not a JSON object/],
    ["null", /not a JSON object/],
    ["[1]", /not a JSON object/],
    ['"planted"', /not a JSON object/],
    [{}, /AccessKeyId from the test is missing/],
    [{ ...WHOLE, AccessKeyId: "" }, /AccessKeyId .* is missing/],
    [{ ...WHOLE, AccessKeySecret: undefined }, /AccessKeySecret .* is missing/],
    [{ ...WHOLE, AccessKeySecret: 12 }, /AccessKeySecret .* is missing/],
    [{ ...WHOLE, AccessKeySecret: "planted secret" }, /AccessKeySecret .* has a space/],
    [{ ...WHOLE, AccessKeyId: "планted" }, /AccessKeyId .* foreign character/],
    [{ ...WHOLE, SecurityToken: `planted${"a".repeat(20_000)}` }, /SecurityToken .* longer than/],
    [{ ...WHOLE, SecurityToken: undefined }, /SecurityToken .* is missing/],
    [PERMANENT, /SecurityToken .* is missing/],
    [{ ...WHOLE, Expiration: undefined }, /Expiration .* is missing/],
    [{ ...WHOLE, Expiration: "planted" }, /Expiration .* is not a time/],
    [{ ...WHOLE, Expiration: "1" }, /Expiration .* is not a time/],
    [{ ...WHOLE, Expiration: "2025-13-01T00:00:00Z" }, /Expiration .* is not a time/],
    [{ ...WHOLE, Expiration: 1_735_693_200 }, /Expiration .* is not a time/],
    [{ ...WHOLE, Code: "Failed" }, /gave an error instead of credentials \(Failed\)/],
    [{ ...WHOLE, Code: "planted secret" }, /gave an error instead of credentials \(unnamed\)/],
    [{ Code: "NoPermission", Message: "planted" }, /\(NoPermission\)/],
  ];
  for (const [value, message] of cases) {
    try {
      read(value);
      t.fail(JSON.stringify(value));
    } catch (error) {
      t.match(error, { name: "CredentialsError", message }, JSON.stringify(value).slice(0, 60));
      t.notMatch((error as Error).message, /planted/);
    }
  }
});

t.test("no text at all makes it throw anything else, or quotes it", async () => {
  fc.assert(
    fc.property(fc.oneof(fc.json(), fc.string(), fc.base64String({ minLength: 20 })), (text) => {
      try {
        read(text);
      } catch (error) {
        if (!(error instanceof CredentialsError)) return false;
        return text.length < 20 || !error.message.includes(text);
      }
      return true;
    }),
    { numRuns: 2_000 },
  );
});

t.test("the error code of an answer is told only when it looks like one", async (t) => {
  for (const [text, wanted] of [
    ['{"Code":"InvalidAccessKeyId.NotFound","Message":"planted"}', "InvalidAccessKeyId.NotFound"],
    ['{"Code":"EntityNotExist.Role"}', "EntityNotExist.Role"],
    ['{"Code":"abcDEF123/+=="}', ""],
    ['{"Code":{"a":1}}', ""],
    ["<Error>", ""],
    ["", ""],
  ] as const) {
    t.equal(errorCodeIn(text), wanted, text);
  }
});
