import { readFile } from "node:fs/promises";
import { request } from "node:http";
import { formatSocketAddress, parseSocketAddress } from "../config/address.js";
import { type AdminPlace, DEFAULT_ADMIN_ADDRESS, findAdminPlace } from "../config/admin-place.js";
import type { SecretRef, SocketAddress } from "../config/gateway-config.js";
import { Refusal } from "../config/refusal.js";
import type { Secret } from "../core/secret.js";
import { readSecret } from "../credentials/secret-ref.js";
import { readErrorInWords } from "./config-file.js";
import { configFile } from "./default-file.js";

/** Options of every command that asks a running gateway, for `parseArgs`. */
export const ADMIN_OPTIONS = {
  config: { type: "string", short: "c" },
  admin: { type: "string" },
  "secret-file": { type: "string" },
  help: { type: "boolean", short: "h" },
} as const;

/** What those options were. */
interface AdminValues {
  readonly config?: string | undefined;
  readonly admin?: string | undefined;
  readonly "secret-file"?: string | undefined;
}

/** How the admin listener of a running gateway is found and opened. */
export interface AdminAccess {
  readonly config: string | undefined;
  /** `null`: what the configuration says. */
  readonly admin: SocketAddress | null;
  /** Holds the bearer secret; `null`: where the configuration says that it is. */
  readonly secretFile: string | null;
}

/** @returns what is wrong with the options, when something is */
export function readAccess({ config, admin, "secret-file": secretFile }: AdminValues): AdminAccess | string {
  const address = admin === undefined ? null : parseSocketAddress(admin);
  if (address instanceof Refusal) return `--admin is ${address.expected}`;
  return { config, admin: address, secretFile: secretFile ?? null };
}

export interface AdminRequest {
  readonly method: "GET" | "POST";
  /** With its query. */
  readonly path: string;
  /** Whether it is asked without the secret when that cannot be read: a listener of this machine alone shows without. */
  readonly isShown: boolean;
  /** Ends what is said when the secret cannot be read, a sentence; `""`: nothing more to say. */
  readonly otherwise: string;
}

export interface AdminAnswer {
  readonly status: number;
  readonly body: string;
}

/** Asks the gateway. @throws Error with one sentence and what to do */
export async function askAdmin(access: AdminAccess, asked: AdminRequest): Promise<AdminAnswer> {
  const place = await findPlace(access);
  const secret = secretOf(access, place.bearerSecret, asked);
  return send(reachable(access.admin ?? place.address), asked, secret);
}

/** Of a file that is not to be had, when nobody named it: the default. */
async function findPlace({ config }: AdminAccess): Promise<AdminPlace> {
  const file = configFile(config);
  try {
    if (file !== null) return findAdminPlace(await readFile(file, "utf8"));
  } catch (error) {
    if (config !== undefined) throw new Error(`cannot read ${config}: ${readErrorInWords(error)}`);
  }
  return { address: DEFAULT_ADMIN_ADDRESS, bearerSecret: null };
}

function secretOf(
  { secretFile }: AdminAccess,
  configured: SecretRef | null,
  { isShown, otherwise }: AdminRequest,
): Secret | null {
  if (secretFile !== null) return readSecret({ kind: "file", path: secretFile }, "--secret-file");
  if (configured === null) return null;
  try {
    return readSecret(configured, "admin.bearerSecret");
  } catch (error) {
    if (isShown) return null;
    const next = "Name a file that holds it with --secret-file, or be root while the service runs.";
    throw new Error(`${(error as Error).message}. ${next}${otherwise === "" ? "" : ` ${otherwise}`}`);
  }
}

/** An answer longer than all that are given. */
const MAX_ANSWER_CHARACTERS = 16 * 1024 * 1024;

function send({ host, port }: SocketAddress, asked: AdminRequest, secret: Secret | null): Promise<AdminAnswer> {
  const { method, path } = asked;
  const headers = secret === null ? {} : { Authorization: `Bearer ${secret.reveal()}` };
  return new Promise((resolve, reject) => {
    const req = request({ host, port, path, method, agent: false, headers });
    req.on("error", ({ message }) => {
      const where = formatSocketAddress({ host, port });
      reject(new Error(`no gateway answers on ${where}: ${message}; name its admin listener with --config or --admin`));
    });
    req.on("response", (res) => {
      let body = "";
      res.setEncoding("utf8").on("data", (text: string) => {
        body += text;
        if (body.length > MAX_ANSWER_CHARACTERS) req.destroy(new Error("its answer does not end"));
      });
      res.on("error", reject);
      res.on("end", () => resolve({ status: res.statusCode ?? 0, body }));
    });
    req.end();
  });
}

/** What listens on every address is reached by this machine's own. */
function reachable({ host, port }: SocketAddress): SocketAddress {
  if (host === "0.0.0.0") return { host: "127.0.0.1", port };
  return host === "::" ? { host: "::1", port } : { host, port };
}
