import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import type { AddressInfo } from "node:net";
import type { Teardown } from "../support/gateway.js";

const HLS_JS = createRequire(import.meta.url).resolve("hls.js/dist/hls.min.js");

const FILES: ReadonlyMap<string, readonly [type: string, file: string | URL]> = new Map([
  ["/", ["text/html; charset=utf-8", new URL("page/index.html", import.meta.url)]],
  ["/player.js", ["text/javascript", new URL("page/player.js", import.meta.url)]],
  ["/hls.js", ["text/javascript", HLS_JS]],
]);

/**
 * Serves the page that plays, from an origin of its own; it ends with the test.
 * @returns the origin, `http://localhost:port`
 */
export async function startPageServer(t: Teardown): Promise<string> {
  const server = createServer(async (req, res) => {
    const found = FILES.get(req.url ?? "");
    if (found === undefined) {
      res.writeHead(404).end();
      return;
    }
    const [type, file] = found;
    res.writeHead(200, { "content-type": type }).end(await readFile(file));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.teardown(() => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  });
  return `http://localhost:${(server.address() as AddressInfo).port}`;
}
