import t from "tap";
import { envProvider } from "../../../src/credentials/env.js";
import type { Environment } from "../../../src/credentials/small-file.js";

const { signal } = new AbortController();
const OSS = { OSS_ACCESS_KEY_ID: "oss-id", OSS_ACCESS_KEY_SECRET: "oss-secret" };
const ALIBABA = { ALIBABA_CLOUD_ACCESS_KEY_ID: "ali-id", ALIBABA_CLOUD_ACCESS_KEY_SECRET: "ali-secret" };

t.test("OSS's variables come first, then the vendor's, and they are never mixed", async (t) => {
  const cases: readonly (readonly [Environment, readonly (string | undefined)[]])[] = [
    [OSS, ["oss-id", "oss-secret", undefined]],
    [{ ...OSS, ...ALIBABA }, ["oss-id", "oss-secret", undefined]],
    [{ ...OSS, OSS_SESSION_TOKEN: "token" }, ["oss-id", "oss-secret", "token"]],
    [{ ...OSS, ALIBABA_CLOUD_SECURITY_TOKEN: "foreign" }, ["oss-id", "oss-secret", undefined]],
    [{ ...ALIBABA, ALIBABA_CLOUD_SECURITY_TOKEN: "token" }, ["ali-id", "ali-secret", "token"]],
    [{ ...ALIBABA, OSS_ACCESS_KEY_ID: "", OSS_SESSION_TOKEN: "" }, ["ali-id", "ali-secret", undefined]],
  ];
  for (const [env, wanted] of cases) {
    const set = await envProvider(env).fetch(signal);
    t.strictSame([set.accessKeyId, set.accessKeySecret.reveal(), set.securityToken], wanted, Object.keys(env).join());
    t.equal(set.expiresAtMs, undefined);
  }
});

t.test("half a pair is an error that names the missing variable, even where the other family is whole", async (t) => {
  const cases: readonly (readonly [Environment, RegExp])[] = [
    [{}, /OSS_ACCESS_KEY_ID.*ALIBABA_CLOUD_ACCESS_KEY_ID/],
    [{ OSS_ACCESS_KEY_ID: "planted" }, /^OSS_ACCESS_KEY_SECRET is not set/],
    [{ OSS_ACCESS_KEY_SECRET: "planted", ...ALIBABA }, /^OSS_ACCESS_KEY_ID is not set/],
    [{ OSS_SESSION_TOKEN: "planted", ...ALIBABA }, /^OSS_ACCESS_KEY_ID is not set/],
    [{ ALIBABA_CLOUD_ACCESS_KEY_ID: "planted" }, /^ALIBABA_CLOUD_ACCESS_KEY_SECRET is not set/],
    [{ ALIBABA_CLOUD_SECURITY_TOKEN: "planted" }, /^ALIBABA_CLOUD_ACCESS_KEY_ID is not set/],
    [{ ...OSS, OSS_ACCESS_KEY_SECRET: "planted\n" }, /^OSS_ACCESS_KEY_SECRET has a space, a line end/],
    [{ ...OSS, OSS_SESSION_TOKEN: "planted\r\nx-oss-acl: public" }, /^OSS_SESSION_TOKEN has a space, a line end/],
  ];
  for (const [env, message] of cases) {
    const error = await envProvider(env)
      .fetch(signal)
      .then(
        () => null,
        (error: Error) => error,
      );
    t.match(error, { name: "CredentialsError", message }, JSON.stringify(env));
    t.notMatch(error?.message, /planted/);
  }
});

t.test("the environment is read at each question", async (t) => {
  const env: Record<string, string> = { ...OSS };
  const provider = envProvider(env);
  await provider.fetch(signal);
  env.OSS_ACCESS_KEY_ID = "another";
  t.equal((await provider.fetch(signal)).accessKeyId, "another");
});
