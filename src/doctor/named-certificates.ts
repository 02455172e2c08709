import type { CertificateConfig, GatewayConfig, TlsConfig } from "../config/gateway-config.js";
import type { Path } from "../config/problem.js";
import { CertificateReader, type Certificates } from "../server/certificates.js";
import { inWords } from "./finding.js";
import { bad, good, type Inspected, type InspectOptions, inWordsOf, type Named } from "./inspected.js";
import { isServices, SERVICES_ALONE } from "./services-own.js";
import { whyUnseen } from "./unseen-certificates.js";

/** Certificates that belong to their keys, and authorities of clients, of each listener. */
export async function inspectCertificates(
  { listeners }: GatewayConfig,
  options: InspectOptions,
): Promise<readonly Inspected[]> {
  const found: Inspected[] = [];
  for (const [index, { name, tls }] of listeners.entries()) {
    if (tls === null) continue;
    const path = ["listeners", index, "tls"] as const;
    for (const [place, certificate] of tls.certificates.entries()) {
      const own = [...path, "certificates", place];
      found.push(...(await inspectOne({ tls, certificate, path: own, where: `listeners ${name}` }, options)));
    }
    if (tls.clientCaFile !== null)
      found.push(await inspectClientCa(tls, { path, where: `listeners ${name}` }, options));
  }
  return found;
}

interface Place {
  readonly path: Path;
  readonly where: string;
}

interface PlaceOfPair extends Place {
  readonly tls: TlsConfig;
  readonly certificate: CertificateConfig;
}

const NEXT = "Name the right files, have them made (certbot, acme.sh), or let the service's user read them.";

async function inspectOne(
  { tls, certificate, path, where }: PlaceOfPair,
  options: InspectOptions,
): Promise<readonly Inspected[]> {
  const { certFile, keyFile, directory } = certificate;
  const key = directory === null ? "certFile" : "directory";
  const expected = directory === null ? "a certificate and its key" : "a directory of certificates and keys";
  const named: Named = {
    path: [...path, key],
    where: `${where} ${directory ?? certFile}`,
    check: "certificate",
    expected,
  };
  const files = directory === null ? [certFile, keyFile] : [directory];
  if (files.some((file) => isServices(file, options.env, options.isService))) {
    return [bad(named, "skipped", ...SERVICES_ALONE)];
  }
  const reader = new CertificateReader({ ...tls, certificates: [certificate], clientCaFile: null });
  try {
    const certificates = await reader.read(true);
    const read = { certificates, problems: reader.problems, nowMs: options.nowMs };
    return shown(named, directory, read);
  } catch (error) {
    const message = inWordsOf(error);
    // Of two files the one that the message is about.
    const isKey = keyFile !== null && message.startsWith(`${keyFile} `);
    return [bad(isKey ? { ...named, path: [...path, "keyFile"] } : named, "broken", message, NEXT)];
  }
}

interface Read {
  readonly certificates: Certificates;
  readonly problems: readonly string[];
  readonly nowMs: number;
}

async function shown(
  named: Named,
  directory: string | null,
  { certificates, problems, nowMs }: Read,
): Promise<readonly Inspected[]> {
  const { held } = certificates;
  const broken = problems.map((problem) => bad(named, "warn", problem, NEXT));
  if (held.length === 0 && broken.length === 0) {
    const unseen = directory === null ? null : await whyUnseen(directory);
    if (unseen !== null) return [bad(named, "warn", unseen.result, `${unseen.next} Until then TLS fails there.`)];
    const next = "Have one made (certbot, acme.sh); until then TLS fails there.";
    return [bad(named, "warn", "there is none", next)];
  }
  return [...broken, ...held.map(({ pair }) => dated(named, pair, nowMs))];
}

type Pair = Certificates["held"][number]["pair"];

function dated(named: Named, { file, names, addresses, notBeforeMs, notAfterMs }: Pair, nowMs: number): Inspected {
  const what = `${file} (${[...names, ...addresses].join(", ")})`;
  const leftMs = notAfterMs - nowMs;
  if (leftMs <= 0) {
    const next = "Renew it; the gateway takes the new one by itself.";
    return bad(named, "warn", `${what} expired ${inWords(leftMs)} ago`, next);
  }
  if (notBeforeMs > nowMs) {
    return bad(
      named,
      "warn",
      `${what} is not good before ${new Date(notBeforeMs).toISOString()}`,
      "Look at the clock.",
    );
  }
  return good(named, `${what} is good for ${inWords(leftMs)}`);
}

async function inspectClientCa(tls: TlsConfig, { path, where }: Place, options: InspectOptions): Promise<Inspected> {
  const file = tls.clientCaFile as string;
  const expected = "a file of authorities' certificates";
  const named = { path: [...path, "clientCaFile"], where: `${where} clientCaFile`, check: "authority", expected };
  if (isServices(file, options.env, options.isService)) return bad(named, "skipped", ...SERVICES_ALONE);
  try {
    await new CertificateReader({ ...tls, certificates: [] }).read(true);
    return good(named, file);
  } catch (error) {
    return bad(named, "broken", inWordsOf(error), NEXT);
  }
}
