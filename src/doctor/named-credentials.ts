import type { CredentialsConfig, GatewayConfig } from "../config/gateway-config.js";
import { envProvider } from "../credentials/env.js";
import { fileProvider } from "../credentials/file.js";
import { OIDC_NAMES } from "../credentials/oidc-role.js";
import { expandPath, readSmallFile } from "../credentials/small-file.js";
import { bad, good, type Inspected, type InspectOptions, inWordsOf, type Named } from "./inspected.js";
import { isServices, SERVICES_ALONE } from "./services-own.js";

/** Credentials that lie on this machine; a service that gives some is asked by the doctor alone. */
export async function inspectCredentials(
  { credentials }: GatewayConfig,
  options: InspectOptions,
): Promise<readonly Inspected[]> {
  const found: Inspected[] = [];
  for (const [name, config] of credentials) {
    const wanted = wantedOf(config);
    if (wanted === null) continue;
    const path = ["credentials", name, wanted.key];
    const named = { path, where: `credentials.${name}`, check: "credentials", expected: wanted.expected };
    found.push(await inspectOne(named, { config, wanted, options }));
  }
  return found;
}

interface Wanted {
  readonly key: string;
  readonly expected: string;
  /** `null`: variables. */
  readonly file: string | null;
}

function wantedOf(config: CredentialsConfig): Wanted | null {
  if (config.type === "env") return { key: "type", expected: "variables that hold a key", file: null };
  if (config.type === "file") return { key: "path", expected: "a JSON file that holds a key", file: config.path };
  if (config.type !== "oidcRole") return null;
  const file = config.tokenFile ?? `$${OIDC_NAMES.tokenFile}`;
  return { key: config.tokenFile === null ? "type" : "tokenFile", expected: "a file that holds a token", file };
}

interface Task {
  readonly config: CredentialsConfig;
  readonly wanted: Wanted;
  readonly options: InspectOptions;
}

/** What is missing here may come later: the gateway starts, answers what it has to sign with 503, and is not ready. */
const UNTIL_THEN = "Until then what is to be signed is answered 503.";

async function inspectOne(named: Named, { config, wanted: { file }, options }: Task): Promise<Inspected> {
  const { env, isService } = options;
  if (file !== null && isServices(file, env, isService)) return bad(named, "skipped", ...SERVICES_ALONE);
  try {
    await read(config, options);
    return good(named, file ?? "are set");
  } catch (error) {
    const next =
      file === null
        ? `Set them where the service gets its variables (systemctl edit ossgate: EnvironmentFile=); a shell's are others. ${UNTIL_THEN}`
        : `Write ${file}, and let the service's user read it. ${UNTIL_THEN}`;
    return bad(named, stopsTheStart(config, env) ? "broken" : "warn", inWordsOf(error), next);
  }
}

function stopsTheStart(config: CredentialsConfig, env: InspectOptions["env"]): boolean {
  return config.type === "file" && isServices(config.path, env, false);
}

async function read(config: CredentialsConfig, { env }: InspectOptions): Promise<void> {
  const signal = AbortSignal.abort();
  if (config.type === "env") await envProvider(env).fetch(signal);
  else if (config.type === "file") await fileProvider({ path: config.path, env }).fetch(signal);
  else if (config.type === "oidcRole") await readToken(config.tokenFile ?? env[OIDC_NAMES.tokenFile], env);
}

async function readToken(path: string | undefined, env: InspectOptions["env"]): Promise<void> {
  if (!path) throw new Error(`the variable ${OIDC_NAMES.tokenFile} is not set`);
  const text = await readSmallFile(expandPath(path, env));
  if (text.trim() === "") throw new Error(`${path} is empty`);
}
