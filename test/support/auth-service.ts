import { once } from "node:events";
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Teardown } from "./gateway.js";

/** One question that a service was asked. */
export interface AskedQuestion {
  readonly method: string;
  readonly target: string;
  /** Names and values in turn, as they came. */
  readonly rawHeaders: readonly string[];
  /** Of the first header with that lower-case name. */
  header(lowerName: string): string | undefined;
}

/** A service that is asked whether requests may pass, on a free port. */
export interface TestAuthService {
  readonly url: string;
  readonly port: number;
  readonly questions: readonly AskedQuestion[];
  reply(answer: RequestListener): void;
  /** Resolves when this many questions have come in all. */
  untilAsked(count: number): Promise<void>;
}

/** Starts a service; it ends with the test. */
export async function startAuthService(t: Teardown, first: RequestListener = status(200)): Promise<TestAuthService> {
  let answer = first;
  const questions: AskedQuestion[] = [];
  const waiting = new Set<() => void>();
  const server = createServer((req, res) => {
    questions.push(question(req));
    for (const look of [...waiting]) look();
    answer(req, res);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/check?from=gateway`,
    port,
    questions,
    reply: (next) => {
      answer = next;
    },
    untilAsked: (count) =>
      new Promise((resolve) => {
        const look = (): void => {
          if (questions.length < count) return;
          waiting.delete(look);
          resolve();
        };
        waiting.add(look);
        look();
      }),
  };
}

function question({ method = "", url = "", rawHeaders, headers }: IncomingMessage): AskedQuestion {
  return {
    method,
    target: url,
    rawHeaders,
    header: (lowerName) => {
      const value = headers[lowerName];
      return Array.isArray(value) ? value[0] : value;
    },
  };
}

/** Answers with this status, headers and text. */
export const status =
  (code: number, headers: Readonly<Record<string, string | string[]>> = {}, body = "for nobody"): RequestListener =>
  (_req: IncomingMessage, res: ServerResponse) =>
    void res.writeHead(code, headers).end(code === 204 ? undefined : body);
