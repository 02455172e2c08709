/** The vendor's recipes in a real NGINX and what import-nginx makes of them: both before the same bucket, side by side. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import t, { type Test } from "tap";
import { includesOf, readConfFile } from "../../src/cli/import-nginx-files.js";
import type { Emulator } from "../../src/emulator/index.js";
import { convertConf } from "../../src/nginx/convert.js";
import type { Finding } from "../../src/nginx/findings.js";
import { parseConf } from "../../src/nginx/parse.js";
import { NEEDS_NGINX, type RunningNginx, startNginx, TEMPORARY } from "../nginx/real-nginx.js";
import { HOST_LINES, RECIPES } from "../nginx/recipes.js";
import { startEmulator, startGateway, type TestGateway } from "../support/gateway.js";
import { answerTo, head, type RawAnswer } from "../support/raw-client.js";

const BUCKET = "examplebucket";
const REGION = "cn-beijing";
const DOMAIN = "img.example.com";
const ENDPOINT = `${BUCKET}.oss-${REGION}-internal.aliyuncs.com`;
const ADDRESS = "127.0.0.1";

interface Asked {
  readonly method?: string;
  readonly target: string;
  readonly headers?: readonly string[];
  readonly body?: string;
}

const REQUESTS: readonly Asked[] = [
  { target: "/a.txt" },
  { target: "/photo.jpg" },
  { target: "/page.html" },
  { method: "HEAD", target: "/a.txt" },
  { target: "/a.txt", headers: ["Range", "bytes=2-4"] },
  { target: "/a.txt", headers: ["Range", "bytes=-3"] },
  { target: "/a.txt", headers: ["Range", "bytes=900-"] },
  { target: "/a.txt", headers: ["If-None-Match", '"no"'] },
  { target: "/a.txt", headers: ["If-Modified-Since", "Wed, 01 Jan 2031 00:00:00 GMT"] },
  { target: "/none.txt" },
  { method: "HEAD", target: "/none.txt" },
  { target: "/" },
  { target: "/?list-type=2&max-keys=2&prefix=a" },
  { target: "/a.txt?x=1&y=%20z&empty" },
  { target: "/a.txt?" },
  { target: "/a.txt?response-content-type=text%2Fplain" },
  { target: "/a.txt?OSSAccessKeyId=nobody&Expires=4000000000&Signature=eA%3D%3D" },
  { target: "/a%20b.txt" },
  { target: "/%E5%9B%BE.png" },
  { target: "/dir%2Fb.txt" },
  { target: "/dir/b.txt" },
  { target: "/100%25.txt" },
  { target: "/plus+sign.txt" },
  { target: "/plus%2Bsign.txt" },
  { target: "/a.txt", headers: ["Referer", "https://www.example.com/", "User-Agent", "curl/8"] },
  { method: "PUT", target: "/new.txt", headers: ["Content-Type", "text/plain"], body: "hello" },
  { target: "/new.txt" },
  { method: "PUT", target: "/sp%C3%A4t%20er.txt", body: "" },
  { method: "DELETE", target: "/new.txt" },
  {
    method: "OPTIONS",
    target: "/a.txt",
    headers: ["Origin", "https://a.example", "Access-Control-Request-Method", "GET"],
  },
];

const KEYS = [
  "a.txt",
  "photo.jpg",
  "page.html",
  "a b.txt",
  "图.png",
  "dir/b.txt",
  "100%.txt",
  "plus sign.txt",
  "plus+sign.txt",
];

interface World {
  readonly emulator: Emulator;
  readonly nginx: RunningNginx;
  readonly gateway: TestGateway;
  readonly findings: readonly Finding[];
}

async function startWorld(
  t: Test,
  system: keyof typeof RECIPES,
  line: keyof typeof HOST_LINES,
  serverName: string,
): Promise<World> {
  const emulator = await startEmulator(t);
  emulator.addBucket({ name: BUCKET, region: REGION, acl: "public-read-write", domains: [DOMAIN] });
  const { port } = new URL(emulator.url);
  // The recipe's own name leads to the emulator; the recipe stays as it is.
  const upstream = `upstream ${ENDPOINT} { server 127.0.0.1:${port}; }`;
  const nginx = await startNginx(t, (listenPort) =>
    RECIPES[system]({
      serverName,
      listen: `${ADDRESS}:${listenPort}`,
      bucketUrl: `http://${ENDPOINT}`,
      hostLine: HOST_LINES[line],
      http: `${upstream} ${TEMPORARY}`,
    }),
  );
  const { yaml, findings } = importFrom(join(nginx.folder, "nginx.conf"));
  const address = `"${ADDRESS}:${nginx.port}"`;
  t.ok(yaml.includes(address), "it listens where NGINX did");
  const gateway = await startGateway(
    t,
    `${yaml.replace(address, `"${ADDRESS}:0"`)}admin: { address: "127.0.0.1:0" }\n`,
  );
  for (const key of KEYS) {
    const put = ["Host", ENDPOINT, "Content-Length", String(key.length)];
    const answer = await answerTo(
      Number(port),
      `${head("PUT", `/${encodeURIComponent(key)}`, put)}${"x".repeat(key.length)}`,
    );
    t.equal(answer.status, 200);
  }
  return { emulator, nginx, gateway, findings };
}

function importFrom(file: string) {
  const parsed = parseConf(readConfFile(file), includesOf(file, null));
  if (!parsed.ok) throw new Error(parsed.problem.message);
  return convertConf(parsed.directives, { hosts: [] });
}

function ask(port: number, host: string, { method = "GET", target, headers = [], body }: Asked): Promise<RawAnswer> {
  const framing = body === undefined ? [] : ["Content-Length", String(body.length)];
  return answerTo(port, head(method, target, ["Host", host, ...headers, ...framing]) + (body ?? ""), method);
}

/** Their own: who answers, when, and on which connection. */
const OWN = /^(?:server|date|connection|keep-alive|x-oss-request-id|x-oss-server-time|transfer-encoding)$/;

/** What a client sees of an answer; of an error's document not whose it is. */
function seen({ status, rawHeaders, body }: RawAnswer) {
  const headers: string[] = [];
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]?.toLowerCase() ?? "";
    if (OWN.test(name)) continue;
    const isOfDocument = status >= 400 && (name === "content-length" || name === "x-oss-err");
    if (!isOfDocument) headers.push(`${name}: ${rawHeaders[i + 1]}`);
  }
  const text = body
    .toString("latin1")
    .replace(/<(RequestId|HostId)>[^<]*/g, "<$1>")
    .replace(/<LastModified>[^<]*/g, "<LastModified>");
  return { status, headers: headers.sort(), body: text };
}

for (const system of Object.keys(RECIPES) as (keyof typeof RECIPES)[]) {
  for (const line of Object.keys(HOST_LINES) as (keyof typeof HOST_LINES)[]) {
    for (const serverName of [ADDRESS, DOMAIN]) {
      const isRefused = line === "present" && serverName === ADDRESS;
      const claim = isRefused
        ? "OSS refused all, which the report says, and serves now"
        : "the same answers as from NGINX";
      t.test(`${system}, Host ${line}, server_name ${serverName}: ${claim}`, NEEDS_NGINX, async (t) => {
        const { nginx, gateway, findings, emulator } = await startWorld(t, system, line, serverName);
        const dangers = findings.filter(
          ({ verdict, directive, text }) =>
            verdict.startsWith("dangerous") && directive.args[0] === "Host" && text.includes("403"),
        );
        t.equal(dangers.length, isRefused ? 1 : 0, "Host is called dangerous where OSS knows no bucket by it");
        if (isRefused) {
          const theirs = await ask(nginx.port, serverName, { target: "/a.txt" });
          t.match(theirs.body.toString(), "NonStandardHostForbidden");
          t.equal(theirs.status, 403);
          t.match(dangers[0]?.text, "NonStandardHostForbidden");
          t.equal((await ask(gateway.port, serverName, { target: "/a.txt" })).status, 200);
          return;
        }
        for (const asked of REQUESTS) {
          const theirs = seen(await ask(nginx.port, serverName, asked));
          const theirHost = emulator.captures.at(-1);
          const ours = seen(await ask(gateway.port, serverName, asked));
          const ourHost = emulator.captures.at(-1);
          t.same(ours, theirs, `${asked.method ?? "GET"} ${asked.target} ${asked.headers?.join(" ") ?? ""}`);
          t.equal(ourHost?.rawTarget, theirHost?.rawTarget, "OSS is asked for the same");
        }
      });
    }
  }
}

t.test("hosts that NGINX's only server answered too are 404, which the report says", NEEDS_NGINX, async (t) => {
  const { nginx, gateway, findings } = await startWorld(t, "ubuntu", "absent", ADDRESS);
  t.equal((await ask(nginx.port, "other.example.org", { target: "/a.txt" })).status, 200);
  t.equal((await ask(gateway.port, "other.example.org", { target: "/a.txt" })).status, 404);
  const said = findings.find(
    ({ directive, verdict }) => directive.name === "server" && verdict.startsWith("dangerous"),
  );
  t.match(said?.text, "unknown host");
  t.ok(readdirSync(nginx.folder).includes("sites-enabled"));
  t.equal(
    readFileSync(said?.directive.file ?? "", "utf8").split("\n")[(said?.directive.line ?? 0) - 1],
    "server {",
    "at its line",
  );
});
