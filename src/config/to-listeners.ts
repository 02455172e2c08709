import type { CertificateConfig, ListenerConfig } from "./gateway-config.js";
import type { ParsedConfig } from "./schema.js";

type ParsedListener = ParsedConfig["listeners"][number];
type ParsedCertificate = NonNullable<ParsedListener["tls"]>["certificates"][number];
type ParsedHsts = NonNullable<ParsedConfig["routes"][number]["hsts"]>;

/** What has to do with listeners and TLS, under the names that the rest of the program uses. */
export function toListener({ tls, ...rest }: ParsedListener): ListenerConfig {
  if (tls === undefined) return { ...rest, tls: null };
  const { certificates, clientCaFile = null, ...others } = tls;
  return { ...rest, tls: { ...others, certificates: certificates.map(toCertificate), clientCaFile } };
}

function toCertificate({ certFile = "", keyFile = "", directory }: ParsedCertificate): CertificateConfig {
  return directory === undefined
    ? { certFile, keyFile, directory: null }
    : { certFile: null, keyFile: null, directory };
}

/** RFC 6797 §6.1. */
export function toHsts({ maxAge, includeSubDomains, preload }: ParsedHsts): string {
  const seconds = Math.round(maxAge / 1_000);
  return `max-age=${seconds}${includeSubDomains ? "; includeSubDomains" : ""}${preload ? "; preload" : ""}`;
}
