import { readFile } from "node:fs/promises";
import { request } from "node:http";
import { formatSocketAddress, parseSocketAddress } from "../config/address.js";
import { type AdminPlace, DEFAULT_ADMIN_ADDRESS, findAdminPlace } from "../config/admin-place.js";
import type { SocketAddress } from "../config/gateway-config.js";
import { Refusal } from "../config/refusal.js";
import { readSecret } from "../credentials/secret-ref.js";
import type { ReloadOutcome } from "../server/admin-source.js";
import { readArguments } from "./arguments.js";
import { EXIT } from "./exit-codes.js";

/** A command that tells a running gateway to do something. */
export interface AdminCall {
  readonly command: string;
  /** `/reload` */
  readonly path: string;
  readonly help: string;
  /** What is printed when it was done. */
  done(outcome: ReloadOutcome): string;
}

/** The file that the package installs. */
const INSTALLED_CONFIG = "/etc/ossgate/gateway.yaml";

/** Runs such a command; resolves with the exit status: 0 done, 3 bad configuration, 2 wrong usage, 1 anything else. */
export async function callAdmin(call: AdminCall, args: readonly string[]): Promise<number> {
  const options = parseCall(call, args);
  if (typeof options === "number") return options;
  try {
    const place = await findPlace(options);
    return report(call, await post(call.path, place));
  } catch (error) {
    process.stderr.write(`ossgate ${call.command}: ${(error as Error).message}\n`);
    return EXIT.failed;
  }
}

interface CallOptions {
  readonly config: string | undefined;
  readonly admin: SocketAddress | null;
}

function parseCall({ command, help }: AdminCall, args: readonly string[]): CallOptions | number {
  const usage = (message: string): number => {
    process.stderr.write(`ossgate ${command}: ${message}\n\n${help}`);
    return EXIT.usage;
  };
  const parsed = readArguments({
    args: [...args],
    options: {
      config: { type: "string", short: "c" },
      admin: { type: "string" },
      help: { type: "boolean", short: "h" },
    },
  });
  if (typeof parsed === "string") return usage(parsed);
  const { config, admin, help: asksHelp } = parsed.values;
  if (asksHelp === true) {
    process.stdout.write(help);
    return EXIT.good;
  }
  const address = admin === undefined ? null : parseSocketAddress(admin);
  if (address instanceof Refusal) return usage(`--admin is ${address.expected}`);
  return { config, admin: address };
}

async function findPlace({ config, admin }: CallOptions): Promise<AdminPlace> {
  const found = await readPlace(config);
  return admin === null ? found : { ...found, address: admin };
}

/** Of a file that is not to be had, when nobody named it: the default. */
async function readPlace(config: string | undefined): Promise<AdminPlace> {
  try {
    return findAdminPlace(await readFile(config ?? INSTALLED_CONFIG, "utf8"));
  } catch (error) {
    if (config !== undefined) throw new Error(`cannot read ${config}: ${(error as Error).message}`);
    return { address: DEFAULT_ADMIN_ADDRESS, bearerSecret: null };
  }
}

interface Answer {
  readonly status: number;
  readonly body: string;
}

function post(path: string, { address, bearerSecret }: AdminPlace): Promise<Answer> {
  const { host, port } = reachable(address);
  const headers =
    bearerSecret === null ? {} : { Authorization: `Bearer ${readSecret(bearerSecret, "admin.bearerSecret").reveal()}` };
  return new Promise((resolve, reject) => {
    const req = request({ host, port, path, method: "POST", agent: false, headers });
    req.on("error", ({ message }) => {
      const where = formatSocketAddress({ host, port });
      reject(new Error(`no gateway answers on ${where}: ${message}; name its admin listener with --config or --admin`));
    });
    req.on("response", (res) => {
      let body = "";
      res.setEncoding("utf8").on("data", (text: string) => {
        body += text;
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

const BAD_FILE = /:\d+:\d+: /;

function report(call: AdminCall, { status, body }: Answer): number {
  const outcome = readOutcome(body);
  if (outcome === null) {
    const first = body.split("\n", 1)[0] ?? "";
    process.stderr.write(`ossgate ${call.command}: the gateway answered ${status}: ${first.slice(0, 500)}\n`);
    return EXIT.failed;
  }
  for (const warning of outcome.warnings) process.stderr.write(`${warning}\n`);
  for (const problem of outcome.problems) process.stderr.write(`${problem}\n`);
  if (outcome.ok) {
    process.stdout.write(`${call.done(outcome)}\n`);
    return EXIT.good;
  }
  return outcome.problems.some((problem) => BAD_FILE.test(problem)) ? EXIT.badConfig : EXIT.failed;
}

function readOutcome(body: string): ReloadOutcome | null {
  try {
    const outcome = JSON.parse(body) as ReloadOutcome;
    return typeof outcome.ok === "boolean" && Array.isArray(outcome.problems) ? outcome : null;
  } catch {
    return null;
  }
}
