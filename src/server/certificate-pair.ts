import { createHash, createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { isIP } from "node:net";
import { createSecureContext } from "node:tls";
import { canonicalIpv6 } from "../core/host.js";

/** A certificate with its chain and its private key, checked to belong together. */
export interface CertificatePair {
  /** Where the certificate was read. */
  readonly file: string;
  /** PEM: the certificate, then each that vouches for the one before. */
  readonly cert: string;
  /** PEM. */
  readonly key: string;
  /** Lower case, wildcards as they are written. */
  readonly names: readonly string[];
  /** Canonical. */
  readonly addresses: readonly string[];
  /** Unix milliseconds. */
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  /** Tells versions apart; of the certificate and the key. */
  readonly digest: string;
}

/** Two files' texts, and where they were. */
export interface PairText {
  readonly certFile: string;
  readonly keyFile: string;
  readonly cert: string;
  readonly key: string;
}

const BLOCK = /-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----[^-]*-----END (?:TRUSTED |X509 )?CERTIFICATE-----/g;

/**
 * Reads a pair. The certificate that the key belongs to comes first, whatever the order in the file; what leads to its
 * authority follows, and what does not is left out.
 * @throws Error with one sentence that names the file
 */
export function readPair({ certFile, keyFile, cert, key }: PairText): CertificatePair {
  const privateKey = readKey(key, keyFile);
  const certificates = readCertificates(cert, certFile);
  const own = certificates.find((certificate) => certificate.checkPrivateKey(privateKey));
  if (own === undefined) {
    throw new Error(`${keyFile} is not the key of ${certFile}: they do not belong together`);
  }
  const { names, addresses } = subjectsOf(own);
  const chain = chainOf(own, certificates).map(String).join("");
  checkUsable(chain, key, certFile);
  return {
    file: certFile,
    cert: chain,
    key,
    names,
    addresses,
    notBeforeMs: Date.parse(own.validFrom),
    notAfterMs: Date.parse(own.validTo),
    digest: createHash("sha256").update(cert).update("\0").update(key).digest("base64"),
  };
}

/** What OpenSSL refuses, a weak key say, is better found out now than by a client. */
function checkUsable(cert: string, key: string, file: string): void {
  try {
    createSecureContext({ cert, key });
  } catch (cause) {
    throw new Error(`${file} cannot be used: ${(cause as Error).message}`, { cause });
  }
}

function readKey(text: string, file: string): KeyObject {
  try {
    return createPrivateKey(text);
  } catch {
    const isEncrypted = /BEGIN ENCRYPTED|^Proc-Type: 4,ENCRYPTED/m.test(text);
    const reason = isEncrypted ? "is encrypted; take the passphrase off" : "has no private key in PEM";
    // Without its cause, which may quote what was read.
    throw new Error(`${file} ${reason}`);
  }
}

/** @throws Error with one sentence that names the file */
export function readCertificates(text: string, file: string): readonly X509Certificate[] {
  const blocks = text.match(BLOCK) ?? [];
  if (blocks.length === 0) throw new Error(`${file} has no certificate in PEM`);
  return blocks.map((block, index) => {
    try {
      return new X509Certificate(block);
    } catch {
      throw new Error(`${file}: certificate ${index + 1} of it cannot be read`);
    }
  });
}

function chainOf(own: X509Certificate, certificates: readonly X509Certificate[]): readonly X509Certificate[] {
  const chain = [own];
  const rest = new Set(certificates.filter((certificate) => certificate.fingerprint256 !== own.fingerprint256));
  for (;;) {
    const last = chain.at(-1) as X509Certificate;
    const issuer = [...rest].find((certificate) => last.checkIssued(certificate));
    if (issuer === undefined) return chain;
    rest.delete(issuer);
    chain.push(issuer);
  }
}

/** One name of a subjectAltName as Node prints it; what needs quotes there is no host. */
const ALTERNATIVE = /([A-Za-z ]+):("(?:[^"\\]|\\.)*"|[^,]*)(?:, |$)/y;

function subjectsOf(certificate: X509Certificate): Pick<CertificatePair, "names" | "addresses"> {
  const names: string[] = [];
  const addresses: string[] = [];
  const text = certificate.subjectAltName ?? "";
  ALTERNATIVE.lastIndex = 0;
  while (ALTERNATIVE.lastIndex < text.length) {
    const [, kind, value = ""] = ALTERNATIVE.exec(text) ?? [];
    if (kind === undefined) break;
    if (kind === "DNS" && !value.startsWith('"')) names.push(hostName(value));
    else if (kind === "IP Address" && isIP(value) !== 0) addresses.push(canonicalIpv6(value));
  }
  // Old certificates have their name there alone.
  if (names.length === 0 && addresses.length === 0) {
    const commonName = /^CN=(.+)$/m.exec(certificate.subject)?.[1];
    if (commonName !== undefined) names.push(hostName(commonName));
  }
  return { names, addresses };
}

/** A name as it is compared: lower case, without the root's dot. */
export function hostName(name: string): string {
  const lower = name.toLowerCase();
  return lower.endsWith(".") ? lower.slice(0, -1) : lower;
}
