import * as z from "zod";
import { parseSocketAddress, parseSystemdName } from "./address.js";
import type { ListenAddress } from "./gateway-config.js";
import { duration, listOf, mapOf, oneOf, textLeaf, wholeNumber, yesOrNo } from "./leaves.js";
import { Refusal } from "./refusal.js";
import { name, optional, required, withDefault } from "./schema-keys.js";
import { parseFilePath, parsePemPath } from "./values.js";

/** Where clients connect, and what TLS shows them. */

const ADDRESS_EXPECTED = 'an address and a port, 0.0.0.0:80 or "[::]:80", or systemd:NAME';

function parseListenAddress(text: string): ListenAddress | Refusal {
  if (text.startsWith("systemd:")) return parseSystemdName(text, ADDRESS_EXPECTED);
  const address = parseSocketAddress(text, ADDRESS_EXPECTED);
  return address instanceof Refusal ? address : { ...address, systemd: null };
}

const pemPath = (expected: string) => textLeaf({ type: "path", expected, parse: parsePemPath });

const DIRECTORY_EXPECTED = "the path of a directory";
const directory = () =>
  textLeaf({ type: "path", expected: DIRECTORY_EXPECTED, parse: parseFilePath(DIRECTORY_EXPECTED) });

const certificate = mapOf({
  certFile: optional(
    pemPath("the path of a PEM file with the certificate and its chain"),
    "**required** without `directory`",
    "The certificate, with what leads to its authority behind it: `fullchain.pem`. Read again when it changes.",
    "/etc/letsencrypt/live/img.example.com/fullchain.pem",
  ),
  keyFile: optional(
    pemPath("the path of a PEM file with the private key"),
    "**required** with `certFile`",
    "Its private key, not encrypted.",
    "/etc/letsencrypt/live/img.example.com/privkey.pem",
  ),
  directory: optional(
    directory(),
    "none",
    "Instead of two files: every certificate below it, as certbot (`/etc/letsencrypt/live`) and acme.sh (`~/.acme.sh`) lay them out, those that come later too.",
    "/etc/letsencrypt/live",
  ),
});

const tls = mapOf({
  certificates: required(
    listOf(certificate, "certificates, each { certFile, keyFile } or { directory }", 1),
    "Chosen by the name that the client asks for (SNI), wildcards after exact names; the first is for clients that name none, as with bare addresses.",
    [{ certFile: "/etc/ossgate/tls/img.pem", keyFile: "/etc/ossgate/tls/img.key" }],
  ),
  minVersion: withDefault(oneOf(["TLSv1.2", "TLSv1.3"]), "TLSv1.2", "The oldest version that clients may speak."),
  http2: withDefault(yesOrNo(), true, "Whether HTTP/2 is offered besides HTTP/1.1."),
  clientCaFile: optional(
    pemPath("the path of a PEM file of authorities"),
    "no client certificate is asked for",
    "Authorities of client certificates: who connects must show one of theirs.",
    "/etc/ossgate/tls/partners.pem",
  ),
  clientCertificate: withDefault(
    oneOf(["required", "optional"]),
    "required",
    "With `clientCaFile`. `optional`: who shows none gets to routes that `allow` others.",
  ),
});

export const listener = mapOf({
  name: required(name(), "What routes call this listener.", "web"),
  address: required(
    textLeaf({
      type: "address and port",
      expected: ADDRESS_EXPECTED,
      numberHint: "Add an address: 0.0.0.0:80 say.",
      parse: parseListenAddress,
    }),
    "Where it listens: `ip:port` or, in quotes, `[ipv6]:port`. `[::]` takes IPv4 too. Port 0 takes any free port. `systemd:NAME` takes the socket that systemd passed under that name (`FileDescriptorName=`).",
    "0.0.0.0:80",
  ),
  tls: optional(tls, "plain HTTP", "TLS to clients.", {
    certificates: [{ certFile: "/etc/ossgate/tls/img.pem", keyFile: "/etc/ossgate/tls/img.key" }],
  }),
  proxyProtocol: withDefault(
    yesOrNo(),
    false,
    "Whether connections from `trustedProxies` begin with a PROXY header, v1 or v2, which names the client.",
  ),
});

/** Of a route: what has to do with TLS. */
export const tlsKeys = {
  httpsRedirect: withDefault(
    yesOrNo(),
    false,
    "Plain HTTP is answered with a redirect to https of the same host and target, behind `deny` and rates and before all that a client has to show. A trusted proxy's `X-Forwarded-Proto` counts.",
  ),
  httpsPort: withDefault(wholeNumber(1, 65_535), 443, "Where `httpsRedirect` sends clients."),
  hsts: optional(
    mapOf({
      maxAge: withDefault(
        duration({ min: "0s", max: "3650d", example: "365d" }),
        "365d",
        "How long browsers use https alone; `0s` takes it back.",
      ),
      includeSubDomains: withDefault(yesOrNo(), false, "Whether that goes for all names below the host."),
      preload: withDefault(yesOrNo(), false, "Whether browsers may ship the host in their lists."),
    }),
    "none",
    "`Strict-Transport-Security` on all answers over TLS.",
    { maxAge: "365d" },
  ),
};

/** Where the answers to ACME's HTTP challenges lie. */
export const acmeChallengeDirectory = optional(
  directory(),
  "none",
  "Where certbot or acme.sh put their challenges, the folder itself: `/.well-known/acme-challenge/NAME` is served from it on listeners without TLS, for every host, before any route.",
  "/var/www/acme/.well-known/acme-challenge",
);

export const workers = withDefault(
  z.union([z.literal("auto"), wholeNumber(1, 256)], { error: "auto, or how many processes" }),
  "auto",
  "Processes that serve clients; `auto` is one for each core.",
);
