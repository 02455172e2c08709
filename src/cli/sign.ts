import type { GatewayConfig } from "../config/gateway-config.js";
import { createCredentialsSources } from "../credentials/create.js";
import { readSecret } from "../credentials/secret-ref.js";
import type { CredentialsSource } from "../credentials/source.js";
import { explain } from "../issue/explain.js";
import { Issuer } from "../issue/issuer.js";
import type { IssuedLink } from "../issue/link.js";
import { PRESIGN_METHODS, type PresignedUrl } from "../issue/presign.js";
import { IssueRefusal } from "../issue/refusal.js";
import { readConfigFile } from "./config-file.js";
import { EXIT } from "./exit-codes.js";
import { readSignOptions, type SignOptions, signUsage } from "./sign-options.js";

/** `ossgate sign`: the URL alone on standard output; resolves with the exit status. */
export async function sign(args: readonly string[]): Promise<number> {
  const options = readSignOptions(args);
  if (typeof options === "number") return options;
  const config = await readConfigFile(options.config, "sign", { showsWarnings: false });
  if (typeof config === "number") return config;
  const problems = new Map<string, string>();
  const sources = createCredentialsSources(config.credentials, {
    onRefreshed: () => {},
    onRefreshFailed: (name, message) => problems.set(name, message),
  });
  try {
    return await issue(options, config, { sources, problems });
  } finally {
    for (const source of sources.values()) source.close();
  }
}

interface Credentials {
  readonly sources: ReadonlyMap<string, CredentialsSource>;
  /** By name, why they are not there. */
  readonly problems: ReadonlyMap<string, string>;
}

async function issue(options: SignOptions, config: GatewayConfig, credentials: Credentials): Promise<number> {
  const issuer = new Issuer({ config, credentials: credentials.sources, readSecret });
  const { url, kind } = options.request;
  const isLink = kind === "link" || (kind === null && issuer.prefersLink({ url }));
  const [misplaced] = isLink ? options.onlyPresigned : options.onlyLinks;
  if (misplaced !== undefined) return signUsage(`${misplaced} is for ${isLink ? "presigned URLs" : "links"} only`);
  if (isLink) return print(issuer.link(options.request, Date.now()), options);
  return issuePresigned(issuer, options, credentials);
}

async function issuePresigned(issuer: Issuer, options: SignOptions, credentials: Credentials): Promise<number> {
  const { request } = options;
  const method = PRESIGN_METHODS.find((known) => known === request.method);
  if (method === undefined) return signUsage(`--method of a presigned URL is one of ${PRESIGN_METHODS.join(", ")}`);
  const name = issuer.credentialsName({ url: request.url }, request.credentials);
  if (name instanceof IssueRefusal) return fail(name.message);
  await credentials.sources.get(name)?.start();
  const issued = issuer.presign({ ...request, method }, Date.now());
  const problem = credentials.problems.get(name);
  if (issued instanceof IssueRefusal && issued.status === 503 && problem !== undefined) {
    return fail(`credentials ${name}: ${problem}`);
  }
  return print(issued, options);
}

function print(issued: IssuedLink | PresignedUrl | IssueRefusal, { explains }: SignOptions): number {
  if (issued instanceof IssueRefusal) return fail(issued.message);
  process.stdout.write(`${issued.url}\n`);
  if (issued.kind === "presigned" && issued.isCappedByCredentials) {
    const end = new Date(issued.expiresSeconds * 1_000).toISOString();
    process.stderr.write(`ossgate sign: the URL ends with its credentials, at ${end}\n`);
  }
  if (explains) process.stderr.write(`\n${explain(issued)}`);
  return EXIT.good;
}

function fail(message: string): number {
  process.stderr.write(`ossgate sign: ${message}\n`);
  return EXIT.failed;
}
