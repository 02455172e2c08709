import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer, type RequestListener } from "node:http";
import { createRequire } from "node:module";
import type { AddressInfo } from "node:net";
import type { Teardown } from "../support/gateway.js";

const HLS_JS = createRequire(import.meta.url).resolve("hls.js/dist/hls.min.js");

const FILES: ReadonlyMap<string, readonly [type: string, file: string | URL]> = new Map([
  ["/", ["text/html; charset=utf-8", new URL("page/index.html", import.meta.url)]],
  ["/player.js", ["text/javascript", new URL("page/player.js", import.meta.url)]],
  ["/probe.js", ["text/javascript", new URL("page/probe.js", import.meta.url)]],
  ["/hls.js", ["text/javascript", HLS_JS]],
]);

/**
 * Serves the page that plays, from an origin of its own; it ends with the test.
 * @returns the origin, `http://localhost:port`
 */
export async function startPageServer(t: Teardown): Promise<string> {
  return `http://localhost:${await listen(t, serveFile)}`;
}

/** Pages of whatever origins a test needs: every host of a name is served the same ones. */
export interface Pages {
  /** `http://HOST:port`, for a host such as `www.page.test`. */
  origin(host: string): string;
  /** Serves a page; a path that has one already gets the new one. */
  put(path: string, html: string, headers?: Readonly<Record<string, string>>): void;
}

/** Serves pages that the test writes, besides the files of this directory; it ends with the test. */
export async function startPages(t: Teardown): Promise<Pages> {
  const pages = new Map<string, readonly [html: string, headers: Readonly<Record<string, string>>]>();
  const port = await listen(t, (req, res) => {
    const [path = ""] = (req.url ?? "").split("?");
    const page = pages.get(path);
    if (page === undefined) return serveFile(req, res);
    const [html, headers] = page;
    res.writeHead(200, { "content-type": "text/html; charset=utf-8", ...headers }).end(html);
  });
  return {
    origin: (host) => `http://${host}:${port}`,
    put: (path, html, headers = {}) => void pages.set(path, [html, headers]),
  };
}

const serveFile: RequestListener = async (req, res) => {
  const found = FILES.get(req.url ?? "");
  if (found === undefined) {
    res.writeHead(404).end();
    return;
  }
  const [type, file] = found;
  res.writeHead(200, { "content-type": type }).end(await readFile(file));
};

async function listen(t: Teardown, listener: RequestListener): Promise<number> {
  const server = createServer(listener);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.teardown(() => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  });
  return (server.address() as AddressInfo).port;
}
