import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { once } from "node:events";
import type { RequestListener } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import type { Test } from "tap";
import { KNOWN_PUBLIC_KEY_URL } from "../../src/signing/callback.js";
import { type PublicKeyOptions, PublicKeys } from "../../src/transport/public-keys.js";
import { KEY_HOST_TLS } from "./callback-certificate.js";

/** A key pair such as OSS signs callbacks with. */
export function makeOssKeys(): { readonly privateKey: KeyObject; readonly publicPem: string } {
  const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 512 });
  return { privateKey, publicPem: publicKey.export({ type: "spki", format: "pem" }).toString() };
}

/** A server with the certificate of the vendor's key host. */
export interface KeyServer {
  readonly port: number;
  /** Targets, in order. */
  readonly requests: readonly string[];
  reply(answer: RequestListener): void;
}

/** Starts a key server; it ends with the test. */
export async function startKeyServer(
  t: Test,
  first: RequestListener,
  tls: { readonly key: string; readonly cert: string } = KEY_HOST_TLS,
): Promise<KeyServer> {
  let answer = first;
  const requests: string[] = [];
  const server = createServer(tls, (req, res) => {
    requests.push(`${req.method} ${req.url} ${req.headers.host}`);
    answer(req, res);
  });
  server.on("tlsClientError", () => {});
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return {
    port,
    requests,
    reply: (next) => {
      answer = next;
    },
  };
}

/** Keys from that server; what failed is added to `failures`. */
export function keysFrom(port: number, failures: string[] = [], more: Partial<PublicKeyOptions> = {}): PublicKeys {
  return new PublicKeys({
    known: [KNOWN_PUBLIC_KEY_URL],
    onFailure: (url, cause) => failures.push(`${url}: ${cause}`),
    ca: KEY_HOST_TLS.cert,
    connectTo: { host: "127.0.0.1", port },
    ...more,
  });
}

export const answerWith =
  (body: string, status = 200, headers: Readonly<Record<string, string>> = {}): RequestListener =>
  (_req, res) =>
    void res.writeHead(status, headers).end(body);
