import { request as httpRequest, type IncomingMessage } from "node:http";
import { connect, type Socket } from "node:net";
import { Secret } from "../../../src/core/secret.js";
import type { Emulator } from "../../../src/emulator/index.js";
import { parseQuery } from "../../../src/signing/canonical.js";
import { presignV1Url, presignV4Url, signV1Header, signV4Header } from "../../../src/signing/sign.js";
import type { KnownCredentials, SigningInput } from "../../../src/signing/types.js";

export const BUCKET = "test-bucket";
export const DOMAIN = "img.example.com";
export const DEFAULT_HOST = `${BUCKET}.oss-cn-hangzhou.aliyuncs.com`;
export const REGION = "cn-hangzhou";

export const OWNER: KnownCredentials = { accessKeyId: "AKOWNER", accessKeySecret: new Secret("owner-secret") };
export const STS: KnownCredentials = {
  accessKeyId: "STS.GUEST",
  accessKeySecret: new Secret("guest-secret"),
  securityToken: "CAIS+token/with=specials==",
  expiresAtMs: Date.parse("2025-01-01T02:00:00Z"),
};

/** The time at which tests that sign stop the clock. */
export const NOW_MS = Date.parse("2025-01-01T00:00:00Z");

/** One request; `target` goes onto the request line as it is. */
export interface Wire {
  readonly method?: string;
  readonly host?: string;
  readonly target: string;
  readonly headers?: readonly string[];
  readonly body?: string | Buffer;
}

export interface Answered {
  readonly status: number;
  readonly headers: IncomingMessage["headers"];
  readonly body: Buffer;
  readonly text: string;
  /** The error code of the document, if it is one. */
  readonly code: string | undefined;
  readonly gotContinue: boolean;
}

/** Sends a request on a connection of its own and reads the whole answer. */
export function send(emulator: Emulator, wire: Wire): Promise<Answered> {
  const { method = "GET", host = DOMAIN, target, headers = [], body } = wire;
  const length = body === undefined ? [] : ["Content-Length", String(Buffer.byteLength(body))];
  const isChunked = headers.some((name) => name.toLowerCase() === "transfer-encoding");
  return new Promise((resolve, reject) => {
    const request = httpRequest(
      { host: "127.0.0.1", port: emulator.port, method, path: target, setHost: false, agent: false },
      (response) => readAnswer(response, gotContinue).then(resolve, reject),
    );
    let gotContinue = false;
    for (const [name, value] of pairs(["Host", host, ...(isChunked ? [] : length), ...headers])) {
      request.setHeader(name, value);
    }
    const isExpecting = request.getHeader("expect") !== undefined;
    request.once("continue", () => {
      gotContinue = true;
      request.end(body);
    });
    request.once("error", reject);
    if (isExpecting) request.flushHeaders();
    else request.end(body);
  });
}

async function readAnswer(response: IncomingMessage, gotContinue: boolean): Promise<Answered> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  const body = Buffer.concat(chunks);
  const text = body.toString();
  const code = /<Error><Code>([^<]+)<\/Code>/.exec(text)?.[1];
  return { status: response.statusCode ?? 0, headers: response.headers, body, text, code, gotContinue };
}

function* pairs(list: readonly string[]): Iterable<[string, string]> {
  for (let i = 0; i < list.length; i += 2) yield [list[i] as string, list[i + 1] as string];
}

/** Opens a plain connection and writes these bytes to it. */
export function openRaw(emulator: Emulator, bytes: string): Socket {
  const socket = connect({ host: "127.0.0.1", port: emulator.port, allowHalfOpen: true });
  socket.write(bytes);
  return socket;
}

/** Everything that arrives until the other side ends, and how it ended. */
export function readRaw(socket: Socket): Promise<{ readonly text: string; readonly error: string | undefined }> {
  return new Promise((resolve) => {
    let text = "";
    let error: string | undefined;
    socket.on("data", (chunk: Buffer) => {
      text += chunk.toString("latin1");
    });
    socket.once("error", (cause: NodeJS.ErrnoException) => {
      error = cause.code;
    });
    socket.once("end", () => socket.end());
    socket.once("close", () => resolve({ text, error }));
  });
}

export type Signing = "v1-header" | "v1-url" | "v4-header" | "v4-url";
export const SIGNINGS: readonly Signing[] = ["v1-header", "v1-url", "v4-header", "v4-url"];

/** Signs a request to the test bucket at `NOW_MS`; URLs hold for an hour. */
export function signed(wire: Wire & { readonly key: string }, how: Signing, credentials = OWNER): Wire {
  const { method = "GET", target, headers = [], key, host = DOMAIN } = wire;
  const rawQuery = target.split("?")[1] ?? "";
  const input: SigningInput = {
    method,
    bucket: BUCKET,
    key,
    query: parseQuery(rawQuery),
    headers: [...headers, "Host", host],
  };
  const v4 = { nowMs: NOW_MS, region: REGION };
  if (how === "v1-header") return { ...wire, headers: [...headers, ...signV1Header(input, credentials, NOW_MS)] };
  if (how === "v4-header") return { ...wire, headers: [...headers, ...signV4Header(input, credentials, v4)] };
  const added =
    how === "v1-url"
      ? presignV1Url(input, credentials, NOW_MS / 1000 + 3600)
      : presignV4Url(input, credentials, { ...v4, expiresSeconds: 3600 });
  return { ...wire, target: `${target}${rawQuery === "" ? "?" : "&"}${added}` };
}
