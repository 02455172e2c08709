import { request as httpRequest, type IncomingMessage } from "node:http";
import { request as httpsRequest } from "node:https";
import { connect as netConnect } from "node:net";
import { type PeerCertificate, rootCertificates, connect as tlsConnect } from "node:tls";
import type { HeaderList } from "../core/headers.js";

/** One address of an endpoint, and how it is connected to. */
export interface Place {
  readonly address: string;
  readonly port: number;
  readonly tls: boolean;
  /** The endpoint's own name, which the certificate must prove; `""` for an endpoint that is an address. */
  readonly servername: string;
  /** PEM; `null`: the usual authorities alone. */
  readonly ca: string | null;
  /** Of each step. */
  readonly timeoutMs: number;
}

export interface Connected {
  readonly connectMs: number;
  /** `null`: plain HTTP. */
  readonly tls: TlsFacts | null;
}

export interface TlsFacts {
  /** `null`: the certificate is good for the endpoint. */
  readonly problem: string | null;
  readonly protocol: string;
  readonly names: string;
  /** Unix milliseconds; `NaN` when there is no certificate. */
  readonly notAfterMs: number;
}

/** What a connection failed with: a code (`ECONNREFUSED`, `TIMEOUT`), or a few words. */
export class ProbeError extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.name = "ProbeError";
    this.code = code;
  }
}

function timedOut(timeoutMs: number): ProbeError {
  return new ProbeError("TIMEOUT", `no answer within ${timeoutMs} ms`);
}

function probeError(error: unknown): ProbeError {
  if (error instanceof ProbeError) return error;
  const { code, message } = error as NodeJS.ErrnoException;
  return new ProbeError(code ?? "FAILED", message ?? String(error));
}

/** Connects, and for TLS looks at the certificate whether or not it is good. @throws ProbeError */
export async function connectTo(place: Place): Promise<Connected> {
  const startMs = performance.now();
  const { address, port, timeoutMs } = place;
  await new Promise<void>((resolve, reject) => {
    const socket = netConnect({ host: address, port });
    socket.setTimeout(timeoutMs, () => socket.destroy(timedOut(timeoutMs)));
    socket.once("connect", () => {
      resolve();
      socket.destroy();
    });
    socket.once("error", (error) => reject(probeError(error)));
  });
  const connectMs = performance.now() - startMs;
  return { connectMs, tls: place.tls ? await lookAtTls(place) : null };
}

function lookAtTls({ address, port, servername, ca, timeoutMs }: Place): Promise<TlsFacts> {
  return new Promise((resolve, reject) => {
    const socket = tlsConnect({
      host: address,
      port,
      servername,
      rejectUnauthorized: false,
      ...(ca === null ? {} : { ca: [...rootCertificates, ca] }),
    });
    socket.setTimeout(timeoutMs, () => socket.destroy(timedOut(timeoutMs)));
    socket.once("secureConnect", () => {
      const certificate: Partial<PeerCertificate> = socket.getPeerCertificate();
      resolve({
        problem: socket.authorized ? null : explainTls(socket.authorizationError, certificate),
        protocol: socket.getProtocol() ?? "",
        names: certificate.subjectaltname ?? "",
        notAfterMs: Date.parse(certificate.valid_to ?? ""),
      });
      socket.destroy();
    });
    socket.once("error", (error) => reject(probeError(error)));
  });
}

function explainTls(
  error: Error | string | undefined,
  { subjectaltname = "no name" }: Partial<PeerCertificate>,
): string {
  const code = typeof error === "string" ? error : ((error as NodeJS.ErrnoException | undefined)?.code ?? "unknown");
  if (code === "ERR_TLS_CERT_ALTNAME_INVALID")
    return `the certificate is for ${subjectaltname} and not for the endpoint`;
  if (code === "CERT_HAS_EXPIRED") return "the certificate has expired";
  return `nobody that is trusted vouches for the certificate (${code})`;
}

export interface ProbeRequest {
  readonly method: string;
  readonly rawTarget: string;
  /** With Host. */
  readonly headers: HeaderList;
}

export interface ProbeAnswer {
  readonly status: number;
  readonly headers: HeaderList;
  readonly body: Buffer;
  readonly tookMs: number;
  /** Unix milliseconds of here, in the middle between question and answer. */
  readonly atMs: number;
}

const MAX_BODY_BYTES = 256 * 1024;

/** Sends one request on a connection of its own; certificates must be good. @throws ProbeError */
export function ask(place: Place, { method, rawTarget, headers }: ProbeRequest): Promise<ProbeAnswer> {
  const { address, port, tls, servername, ca, timeoutMs } = place;
  const startMs = performance.now();
  const startedAtMs = Date.now();
  return new Promise((resolve, reject) => {
    const options = { host: address, port, method, path: rawTarget, setHost: false, agent: false };
    const common = { ...options, headers: [...headers, "Connection", "close"] as unknown as Record<string, string> };
    const secure = { ...common, servername, ...(ca === null ? {} : { ca: [...rootCertificates, ca] }) };
    const sent = tls ? httpsRequest(secure) : httpRequest(common);
    const limit = setTimeout(() => sent.destroy(timedOut(timeoutMs)), timeoutMs);
    const fail = (error: unknown): void => {
      clearTimeout(limit);
      reject(probeError(error));
    };
    sent.once("error", fail);
    sent.once("response", (answer: IncomingMessage) => {
      const tookMs = performance.now() - startMs;
      const chunks: Buffer[] = [];
      let size = 0;
      answer.on("data", (chunk: Buffer) => {
        size += chunk.length;
        chunks.push(chunk);
        if (size > MAX_BODY_BYTES)
          sent.destroy(new ProbeError("TOO_LARGE", "the answer is larger than any that was asked for"));
      });
      answer.once("error", fail);
      answer.once("end", () => {
        clearTimeout(limit);
        const { statusCode: status = 0, rawHeaders } = answer;
        resolve({ status, headers: rawHeaders, body: Buffer.concat(chunks), tookMs, atMs: startedAtMs + tookMs / 2 });
      });
    });
    sent.end();
  });
}
