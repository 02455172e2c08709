import { accessSync, constants, statSync } from "node:fs";
import { dirname } from "node:path";
import type { GatewayConfig, SecretRef } from "../config/gateway-config.js";
import type { Path } from "../config/problem.js";
import { readPasswordsNow } from "../credentials/password-text.js";
import { readSecret } from "../credentials/secret-ref.js";
import { expandPath } from "../credentials/small-file.js";
import { readCaFile } from "../route/ca-file.js";
import {
  bad,
  fileErrorInWords,
  good,
  type Inspected,
  type InspectOptions,
  inWordsOf,
  type Named,
} from "./inspected.js";
import { inspectCertificates } from "./named-certificates.js";
import { inspectCredentials } from "./named-credentials.js";
import { isServices, SERVICES_ALONE } from "./services-own.js";

/**
 * Opens what the configuration names, as the gateway does when it starts: certificates with their keys, authorities,
 * passwords, secrets, files of credentials, directories. Nothing is changed, made or connected to.
 * @returns what was looked at, in the configuration's order; never rejects
 */
export async function inspectFiles(config: GatewayConfig, options: InspectOptions): Promise<readonly Inspected[]> {
  return [
    ...(await inspectCertificates(config, options)),
    ...secretsOf(config).map((one) => inspectSecret(one, options)),
    ...authoritiesOf(config).map(inspectAuthority),
    ...passwordsOf(config).map((one) => inspectPasswords(one, options)),
    ...(await inspectCredentials(config, options)),
    ...logsOf(config).map((one) => inspectLog(one, options)),
    ...inspectChallenges(config),
  ];
}

interface NamedSecret {
  readonly named: Named;
  readonly ref: SecretRef;
  /** Chosen by others, however short. */
  readonly isOthers: boolean;
}

type SecretPlace = readonly [path: Path, where: string, ref: SecretRef | null | undefined, isOthers?: boolean];

function secretsOf({ admin, limits, routes }: GatewayConfig): readonly NamedSecret[] {
  const places: readonly SecretPlace[] = [
    [["admin", "bearerSecret"], "admin.bearerSecret", admin.bearerSecret],
    [["admin", "readerSecret"], "admin.readerSecret", admin.readerSecret],
    [["limits", "shared", "password"], "limits.shared.password", limits.shared?.password, true],
    ...routes.flatMap(secretsOfRoute),
  ];
  return places.flatMap(([path, where, ref, isOthers = false]) => {
    if (ref === null || ref === undefined) return [];
    const expected = ref.kind === "env" ? "a variable that holds a secret" : "a file that holds a secret";
    return [{ named: { path: [...path, ref.kind], where, check: "secret", expected }, ref, isOthers }];
  });
}

function secretsOfRoute({ name, allow, target }: GatewayConfig["routes"][number], index: number): SecretPlace[] {
  const links = allow?.links;
  const path = ["routes", index, "allow", "links"] as const;
  const where = `routes ${name} allow.links`;
  return [
    [[...path, "secret"], `${where}.secret`, links?.secret],
    ...(links?.previousSecrets ?? []).map(
      (ref, i): SecretPlace => [[...path, "previousSecrets", i], `${where}.previousSecrets[${i}]`, ref],
    ),
    [[...path, "secureLink", "secret"], `${where}.secureLink.secret`, links?.secureLink?.secret, true],
    [
      ["routes", index, "callback", "secret"],
      `routes ${name} callback.secret`,
      target.kind === "callback" ? target.secret : null,
    ],
  ];
}

function inspectSecret({ named, ref, isOthers }: NamedSecret, { env, isService }: InspectOptions): Inspected {
  if (ref.kind === "file" && isServices(ref.path, env, isService)) return bad(named, "skipped", ...SERVICES_ALONE);
  try {
    readSecret(ref, "", env, isOthers ? 1 : undefined);
    return good(named, "is there");
  } catch (error) {
    const next =
      ref.kind === "env"
        ? `Set ${ref.name} where the service gets its variables (systemctl edit ossgate: EnvironmentFile=); a shell's are others.`
        : `Write the secret to ${ref.path}, and let the service's user read it.`;
    return bad(named, "broken", inWordsOf(error), next);
  }
}

interface NamedFile {
  readonly named: Named;
  readonly file: string;
}

function authoritiesOf({ buckets, routes }: GatewayConfig): readonly NamedFile[] {
  const common = { check: "authority", expected: "a file of certificates in PEM" };
  const places: readonly (readonly [Path, string, string | null | undefined])[] = [
    ...[...buckets.values()].map(
      ({ alias, caFile }) => [["buckets", alias, "caFile"], `buckets.${alias}.caFile`, caFile] as const,
    ),
    ...routes.map(({ name, allow }, i) => {
      const path = ["routes", i, "allow", "forwardAuth", "caFile"] as const;
      return [path, `routes ${name} allow.forwardAuth.caFile`, allow?.forwardAuth?.caFile] as const;
    }),
  ];
  return places.flatMap(([path, where, file]) =>
    file === null || file === undefined ? [] : [{ named: { path, where, ...common }, file }],
  );
}

function inspectAuthority({ named, file }: NamedFile): Inspected {
  try {
    readCaFile(file, "");
    return good(named, file);
  } catch (error) {
    const { cause } = error as Error;
    const hasCode = (cause as NodeJS.ErrnoException | undefined)?.code !== undefined;
    const result = hasCode ? `${file}: ${fileErrorInWords(cause)}` : inWordsOf(error);
    return bad(named, "broken", result, `Put PEM certificates into ${file}, or take the key out.`);
  }
}

function passwordsOf({ routes }: GatewayConfig): readonly NamedFile[] {
  return routes.flatMap(({ name, allow }, i) => {
    const file = allow?.basic?.file;
    if (file === undefined) return [];
    const path = ["routes", i, "allow", "basic", "file"] as const;
    const expected = "a file of names and passwords";
    return [{ named: { path, where: `routes ${name} allow.basic.file`, check: "passwords", expected }, file }];
  });
}

function inspectPasswords({ named, file }: NamedFile, { env, isService }: InspectOptions): Inspected {
  if (isServices(file, env, isService)) return bad(named, "skipped", ...SERVICES_ALONE);
  try {
    const { hashes } = readPasswordsNow(expandPath(file, env));
    return good(named, `${file}, ${hashes.size === 1 ? "1 name" : `${hashes.size} names`}`);
  } catch (error) {
    return bad(named, "broken", inWordsOf(error), "Make it with htpasswd -B, and let the service's user read it.");
  }
}

function logsOf({ log }: GatewayConfig): readonly NamedFile[] {
  const places: readonly (readonly [Path, string])[] = [
    [["log", "output"], log.output],
    [["log", "access", "output"], log.access.output],
  ];
  return places
    .filter(([, output]) => output.startsWith("/"))
    .map(([path, file]) => {
      const named = { path, where: path.join("."), check: "log", expected: "a file that can be written to" };
      return { named, file };
    });
}

/** The unit's `LogsDirectory=`: systemd makes it when the service first starts. */
const SERVICES_LOGS = "/var/log/ossgate/";

const SERVICES_LOG: readonly [result: string, next: string] = [
  "only the service and root may look there",
  "Nothing is to be done; as root it is looked at too.",
];

/** Whether somebody else than the service is refused the service's own directory, which is closed once it has started. */
export function isServicesLog(file: string, error: unknown, isService: boolean): boolean {
  return !isService && file.startsWith(SERVICES_LOGS) && (error as NodeJS.ErrnoException).code === "EACCES";
}

function inspectLog({ named, file }: NamedFile, { isService }: InspectOptions): Inspected {
  try {
    accessSync(file, constants.W_OK);
    if (!statSync(file).isDirectory()) return good(named, file);
    return bad(named, "broken", "it is a directory", "Name a file in it.");
  } catch (error) {
    if (isServicesLog(file, error, isService)) return bad(named, "skipped", ...SERVICES_LOG);
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") return unwritable(named, file, error);
  }
  try {
    accessSync(dirname(file), constants.W_OK | constants.X_OK);
    return good(named, file);
  } catch (error) {
    if (isServicesLog(file, error, isService)) return bad(named, "skipped", ...SERVICES_LOG);
    if (file.startsWith(SERVICES_LOGS) && !isService) {
      return bad(named, "skipped", "systemd makes the directory for the service", "Nothing is to be done.");
    }
    return unwritable(named, dirname(file), error);
  }
}

function unwritable(named: Named, path: string, error: unknown): Inspected {
  const { code } = error as NodeJS.ErrnoException;
  const result =
    code === "ENOENT" ? `there is no directory ${path}` : `${path} cannot be written to: ${fileErrorInWords(error)}`;
  const next = `Make ${path} and let the service's user write to it; under systemd ReadWritePaths= has to name it, unless it is below ${SERVICES_LOGS}.`;
  return bad(named, "broken", result, next);
}

function inspectChallenges({ acmeChallengeDirectory: directory }: GatewayConfig): readonly Inspected[] {
  if (directory === null) return [];
  const where = "acmeChallengeDirectory";
  const named = { path: [where], where, check: "challenges", expected: "a directory that can be read" };
  const next = `Make ${directory}, and let the service's user read it; until then renewals fail.`;
  try {
    accessSync(directory, constants.R_OK | constants.X_OK);
    if (statSync(directory).isDirectory()) return [good(named, directory)];
    return [bad(named, "warn", "it is no directory", next)];
  } catch (error) {
    const isMissing = (error as NodeJS.ErrnoException).code === "ENOENT";
    const result = isMissing ? "there is no such directory" : `it cannot be read: ${fileErrorInWords(error)}`;
    return [bad(named, "warn", result, next)];
  }
}
