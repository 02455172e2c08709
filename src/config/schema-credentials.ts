import { duration, mapOf, oneOf, textLeaf, variantsOf } from "./leaves.js";
import { optional, reference, required, withDefault } from "./schema-keys.js";
import { parseFilePath, REFERENCE_EXPECTED } from "./values.js";
import * as values from "./values-credentials.js";

/** `credentials.<alias>`: one map for each kind of source (oss-semantics §8). */

const kind = <const W extends string>(word: W, what: string) => required(oneOf([word]), what, word);

const URL_PATTERN = /^https?:\/\/[^?#@]+$/;

const stsEndpoint = () =>
  withDefault(
    textLeaf({ type: "URL", expected: values.STS_EXPECTED, parse: values.parseStsEndpoint, pattern: URL_PATTERN }),
    "https://sts.aliyuncs.com",
    "Where STS is; `https://sts-vpc.cn-beijing.aliyuncs.com` from inside of a VPC. Plain http to this machine alone.",
  );

const sessionName = () =>
  withDefault(
    textLeaf({
      type: "name",
      expected: "a session name of 2 to 64 letters, digits, '.', '@', '-' or '_'",
      parse: values.parseBy(values.SESSION_NAME, "a session name of 2 to 64 letters, digits, '.', '@', '-' or '_'"),
      pattern: values.SESSION_NAME,
    }),
    "ossgate",
    "What the audit log of the account calls the session.",
  );

const sessionDuration = () =>
  withDefault(
    duration({ min: "15m", max: "12h", example: "1h" }),
    "1h",
    "How long a set of credentials holds; no longer than the role allows. It is renewed well before.",
  );

const ROLE_ARN_EXPECTED = "the ARN of a role, acs:ram::123456789012****:role/oss-reader say, with all its digits";
const roleArn = () =>
  textLeaf({
    type: "ARN",
    expected: ROLE_ARN_EXPECTED,
    parse: values.parseBy(values.ROLE_ARN, ROLE_ARN_EXPECTED),
    pattern: values.ROLE_ARN,
  });
const ROLE_ARN_EXAMPLE = "acs:ram::1234567890123456:role/oss-reader";

const env = mapOf({
  type: kind(
    "env",
    "The environment: `OSS_ACCESS_KEY_ID`, `OSS_ACCESS_KEY_SECRET` and, with STS, `OSS_SESSION_TOKEN`; else `ALIBABA_CLOUD_ACCESS_KEY_ID` and its like.",
  ),
});

const file = mapOf({
  type: kind(
    "file",
    "A JSON file with `AccessKeyId`, `AccessKeySecret` and perhaps `SecurityToken` and `Expiration`; read again when it changes.",
  ),
  path: required(
    textLeaf({ type: "path", expected: "the path of a JSON file", parse: parseFilePath("the path of a JSON file") }),
    "Where the file is; a relative path begins at the working directory. `$CREDENTIALS_DIRECTORY` at the beginning stands for systemd's directory of credentials.",
    "/run/credentials/ossgate.service/oss.json",
  ),
});

const ROLE_NAME_EXPECTED = "the name of a RAM role, oss-reader say";
const ecsRamRole = mapOf({
  type: kind("ecsRamRole", "The RAM role of the ECS instance, from its metadata service."),
  roleName: optional(
    textLeaf({
      type: "name",
      expected: ROLE_NAME_EXPECTED,
      parse: values.parseBy(values.ROLE_NAME, ROLE_NAME_EXPECTED),
      pattern: values.ROLE_NAME,
    }),
    "the role that the metadata service names",
    "The name of the role.",
    "oss-reader",
  ),
  metadataUrl: withDefault(
    textLeaf({
      type: "URL",
      expected: "a URL such as http://100.100.100.200",
      parse: values.parseBaseUrl("http://100.100.100.200"),
      pattern: URL_PATTERN,
    }),
    "http://100.100.100.200",
    "Where the metadata service is.",
  ),
});

const POLICY_EXAMPLE =
  '{"Version":"1","Statement":[{"Effect":"Allow","Action":"oss:GetObject","Resource":"acs:oss:*:*:examplebucket/*"}]}';
const EXTERNAL_ID_EXPECTED = "an external id of 2 to 1224 letters, digits or any of +=,.@:/_-";

const assumeRole = mapOf({
  type: kind("assumeRole", "A role that STS gives to other credentials of this file."),
  roleArn: required(roleArn(), "The role.", ROLE_ARN_EXAMPLE),
  from: required(reference(REFERENCE_EXPECTED.credentials), "The credentials that ask STS, by name.", "account"),
  sessionName: sessionName(),
  duration: sessionDuration(),
  externalId: optional(
    textLeaf({
      type: "text",
      expected: EXTERNAL_ID_EXPECTED,
      parse: values.parseBy(values.EXTERNAL_ID, EXTERNAL_ID_EXPECTED),
      pattern: values.EXTERNAL_ID,
    }),
    "none",
    "What a role of another account may ask for.",
    "ossgate-production",
  ),
  policy: optional(
    textLeaf({ type: "JSON text", expected: "a policy as JSON text", parse: values.parsePolicy }),
    "none",
    "A session policy: what the credentials may do at most, besides what the role may.",
    POLICY_EXAMPLE,
  ),
  stsEndpoint: stsEndpoint(),
});

const PROVIDER_EXPECTED = "the ARN of an OIDC provider, acs:ram::123456789012****:oidc-provider/ack say";
const TOKEN_FILE_EXPECTED = "the path of a token file";

const oidcRole = mapOf({
  type: kind("oidcRole", "A role that STS gives for an OIDC token: RRSA of ACK, say."),
  roleArn: optional(roleArn(), "`ALIBABA_CLOUD_ROLE_ARN`", "The role.", ROLE_ARN_EXAMPLE),
  providerArn: optional(
    textLeaf({
      type: "ARN",
      expected: PROVIDER_EXPECTED,
      parse: values.parseBy(values.PROVIDER_ARN, PROVIDER_EXPECTED),
      pattern: values.PROVIDER_ARN,
    }),
    "`ALIBABA_CLOUD_OIDC_PROVIDER_ARN`",
    "Who vouches for the token.",
    "acs:ram::1234567890123456:oidc-provider/ack-rrsa",
  ),
  tokenFile: optional(
    textLeaf({ type: "path", expected: TOKEN_FILE_EXPECTED, parse: parseFilePath(TOKEN_FILE_EXPECTED) }),
    "`ALIBABA_CLOUD_OIDC_TOKEN_FILE`",
    "Where the token is; a relative path begins at the working directory. Read again each time.",
    "/var/run/secrets/ack.alibabacloud.com/rrsa-tokens/token",
  ),
  sessionName: sessionName(),
  duration: sessionDuration(),
  stsEndpoint: stsEndpoint(),
});

const URI_EXAMPLE = "http://127.0.0.1:9999/credentials";
const credentialsUri = mapOf({
  type: kind("credentialsUri", "A local service that answers with credentials as JSON."),
  url: required(
    textLeaf({
      type: "URL",
      expected: `a URL such as ${URI_EXAMPLE}`,
      parse: values.parseUrlText(URI_EXAMPLE),
      pattern: URL_PATTERN,
    }),
    "The URL that is asked.",
    URI_EXAMPLE,
  ),
});

const defaultChain = mapOf({
  type: kind(
    "default",
    "The first of these that there is, as Alibaba Cloud's own programs look for them: environment, OIDC, profile of the CLI, credentials file, metadata service, credentials URI.",
  ),
});

export const KEYS_HINT =
  "A secret is never written here: { type: env } or { type: file, path: PATH } says where it is.";

/** Whether a key of credentials, spelt in any way, would hold a secret. */
export function isSecretKey(key: string): boolean {
  return /accesskey|secret|token|password/i.test(key.replace(/[-_]/g, ""));
}

const KEYS_TYPE = /^(?:static|inline|literal|plain|ak|keys?|accesskeys?)$/i;
const ECS_TYPE = /^(?:ecs|ram|instance|imds|metadata)/i;

/** What other programs call kinds of credentials. */
function typeHint(written: Readonly<Record<string, unknown>>): string {
  const type = typeof written.type === "string" ? written.type.replace(/[-_ ]/g, "") : "";
  if (KEYS_TYPE.test(type)) return KEYS_HINT;
  if (ECS_TYPE.test(type)) return "Did you mean ecsRamRole?";
  return Object.keys(written).some((key) => isSecretKey(key) && key !== "tokenFile") ? KEYS_HINT : "";
}

export const credentialsSchema = variantsOf(
  [env, file, ecsRamRole, assumeRole, oidcRole, credentialsUri, defaultChain],
  "a map",
  typeHint,
);
