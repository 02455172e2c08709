/**
 * The http-proxy baseline: `http-proxy` in its documented use, with an agent that keeps upstream connections.
 * Plain JavaScript, so that no TypeScript loader adds to its memory.
 */
import { Agent, createServer } from "node:http";
import httpProxy from "http-proxy";

const [listenPort, originPort] = process.argv.slice(2).map(Number);
const agent = new Agent({ keepAlive: true, maxSockets: 256 });
const proxy = httpProxy.createProxyServer({ target: `http://127.0.0.1:${originPort}`, agent });

proxy.on("error", (_error, _request, response) => {
  if (!response.headersSent) response.writeHead?.(502);
  response.end();
});
createServer((request, response) => proxy.web(request, response)).listen(listenPort, "127.0.0.1");
