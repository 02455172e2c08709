import { access, constants, stat } from "node:fs/promises";
import { dirname } from "node:path";
import type { GatewayConfig, SecretRef } from "../config/gateway-config.js";
import { readSecret } from "../credentials/secret-ref.js";
import { expandPath } from "../credentials/small-file.js";
import { readCaFile } from "../route/ca-file.js";
import { CertificateReader } from "../server/certificates.js";
import { inWords, Report } from "./finding.js";

const DAY_MS = 86_400_000;
/** ACME renews a month before the end. */
const SOON_MS = 21 * DAY_MS;

/** Files and variables that the configuration names: authorities, certificates, passwords, secrets, directories of logs. */
export async function examineFiles(config: GatewayConfig, nowMs: number): Promise<readonly Report[]> {
  const files = new Report("files");
  for (const [where, ref] of secretsOf(config)) examineSecret(files, where, ref);
  for (const [where, path] of authoritiesOf(config)) examineAuthority(files, where, path);
  for (const { name, allow } of config.routes) {
    if (allow?.basic) await examineReadable(files, `routes ${name} allow.basic.file`, allow.basic.file);
  }
  await examineDirectories(files, config);
  const listeners = await Promise.all(
    config.listeners.map(async ({ name, tls }) => {
      const report = new Report(`listener ${name}`);
      if (tls !== null) await examineCertificates(report, tls, nowMs);
      return report;
    }),
  );
  return [files, ...listeners];
}

/** Where a secret is, by its place in the configuration. */
function secretsOf({ admin, limits, routes }: GatewayConfig): readonly (readonly [where: string, ref: SecretRef])[] {
  const found: (readonly [string, SecretRef | null | undefined])[] = [
    ["admin.bearerSecret", admin.bearerSecret],
    ["admin.readerSecret", admin.readerSecret],
    ["limits.shared.password", limits.shared?.password],
    ...routes.flatMap(({ name, allow, target }) => [
      [`routes ${name} allow.links.secret`, allow?.links?.secret] as const,
      ...(allow?.links?.previousSecrets ?? []).map(
        (ref) => [`routes ${name} allow.links.previousSecrets`, ref] as const,
      ),
      [`routes ${name} allow.links.secureLink.secret`, allow?.links?.secureLink?.secret] as const,
      [`routes ${name} callback.secret`, target.kind === "callback" ? target.secret : null] as const,
    ]),
  ];
  return found.flatMap(([where, ref]) => (ref === null || ref === undefined ? [] : [[where, ref] as const]));
}

const SHORT_SECRETS: ReadonlySet<string> = new Set(["limits.shared.password"]);

function examineSecret(report: Report, where: string, ref: SecretRef): void {
  const isOthers = SHORT_SECRETS.has(where) || where.endsWith("secureLink.secret");
  try {
    readSecret(ref, where, process.env, isOthers ? 1 : undefined);
    report.ok("secret", where);
  } catch (error) {
    const next =
      ref.kind === "env"
        ? `Set ${ref.name} where the service gets its variables; the doctor's own may be others.`
        : `Write the secret to ${ref.path} and let the service's user read it.`;
    report.add(ref.kind === "env" ? "warn" : "broken", "secret", (error as Error).message, next);
  }
}

function authoritiesOf({ buckets, routes }: GatewayConfig): readonly (readonly [where: string, path: string])[] {
  return [
    ...[...buckets.values()].map(({ alias, caFile }) => [`buckets.${alias}.caFile`, caFile] as const),
    ...routes.map(({ name, allow }) => [`routes ${name} forwardAuth.caFile`, allow?.forwardAuth?.caFile] as const),
  ].flatMap(([where, path]) => (path === null || path === undefined ? [] : [[where, path] as const]));
}

function examineAuthority(report: Report, where: string, path: string): void {
  try {
    readCaFile(path, where);
    report.ok("authority", `${where}: ${path}`);
  } catch (error) {
    report.add(
      "broken",
      "authority",
      (error as Error).message,
      `Put PEM certificates into ${path}, or take the key out.`,
    );
  }
}

async function examineReadable(report: Report, where: string, path: string): Promise<void> {
  try {
    const expanded = expandPath(path, process.env);
    await access(expanded, constants.R_OK);
    if (!(await stat(expanded)).isFile()) throw Object.assign(new Error(), { code: "it is no file" });
    report.ok("passwords", `${where}: ${path}`);
  } catch (error) {
    const result = `${where}: ${path} cannot be read (${(error as NodeJS.ErrnoException).code ?? "unknown"})`;
    report.add("broken", "passwords", result, "Make it with htpasswd -B, and let the service's user read it.");
  }
}

async function examineDirectories(report: Report, { log, acmeChallengeDirectory }: GatewayConfig): Promise<void> {
  for (const [key, output] of [
    ["log.output", log.output],
    ["log.access.output", log.access.output],
  ] as const) {
    if (!output.startsWith("/")) continue;
    await examineAccess(report, { check: "log", key, path: dirname(output), mode: constants.W_OK });
  }
  if (acmeChallengeDirectory === null) return;
  const place = { check: "challenges", key: "acmeChallengeDirectory", path: acmeChallengeDirectory };
  await examineAccess(report, { ...place, mode: constants.R_OK });
}

interface DirectoryPlace {
  readonly check: string;
  readonly key: string;
  readonly path: string;
  readonly mode: number;
}

async function examineAccess(report: Report, { check, key, path, mode }: DirectoryPlace): Promise<void> {
  try {
    await access(path, mode);
    report.ok(check, `${key}: ${path}`);
  } catch (error) {
    const verb = mode === constants.W_OK ? "write to" : "read";
    const result = `${key}: this user cannot ${verb} ${path} (${(error as NodeJS.ErrnoException).code})`;
    report.add("warn", check, result, `Make ${path}, and let the service's user ${verb} it.`);
  }
}

async function examineCertificates(
  report: Report,
  tls: NonNullable<GatewayConfig["listeners"][number]["tls"]>,
  nowMs: number,
): Promise<void> {
  const reader = new CertificateReader(tls);
  try {
    const { held } = await reader.read(true);
    for (const problem of reader.problems)
      report.add("warn", "certificate", problem, "Repair the file, or take it away.");
    if (held.length === 0) {
      report.add("broken", "certificate", "there is none", "Have one made (certbot, acme.sh), or name the files.");
    }
    for (const { pair } of held) {
      const names = [...pair.names, ...pair.addresses].join(", ");
      examineExpiry(report, `${pair.file} (${names})`, pair.notAfterMs - nowMs);
    }
  } catch (error) {
    report.add(
      "broken",
      "certificate",
      (error as Error).message,
      "Repair the file: the gateway does not start without it.",
    );
  }
}

function examineExpiry(report: Report, what: string, leftMs: number): void {
  if (leftMs <= 0) {
    report.add(
      "broken",
      "certificate",
      `${what} expired ${inWords(leftMs)} ago`,
      "Renew it; the gateway takes the new one by itself.",
    );
  } else if (leftMs < SOON_MS) {
    report.add("warn", "certificate", `${what} expires in ${inWords(leftMs)}`, "Look why it was not renewed yet.");
  } else report.ok("certificate", `${what} is good for ${inWords(leftMs)}`);
}
