/** Servers that share hosts in a real NGINX and what import-nginx makes of them: each host is answered by its own server, or by nobody. */
import { join } from "node:path";
import t from "tap";
import { includesOf, readConfFile } from "../../src/cli/import-nginx-files.js";
import { convertConf } from "../../src/nginx/convert.js";
import { parseConf } from "../../src/nginx/parse.js";
import { NEEDS_NGINX, startNginx, TEMPORARY } from "../nginx/real-nginx.js";
import { startEmulator, startGateway } from "../support/gateway.js";
import { answerTo, head } from "../support/raw-client.js";

const ENDPOINT = "examplebucket.oss-cn-beijing-internal.aliyuncs.com";
const PASS = `proxy_pass http://${ENDPOINT};`;

/** In the order of the file: each has a name or names, and what stands in it. */
const SERVERS: readonly (readonly [names: string, body: string])[] = [
  ["*.example.com", `location / { ${PASS} }`],
  ["refused.example.com", "return 403;"],
  ["elsewhere.example.com", "return 301 https://www.example.org$request_uri;"],
  ["secure.example.com", "return 301 https://$host$request_uri;"],
  ["files.example.com", "root /nonexistent;"],
  ["app.example.com", "location / { proxy_pass http://127.0.0.1:1; }"],
  ["missing.example.com", "location / { return 404; }"],
  ["guarded.example.com", `location / { deny all; ${PASS} }`],
  ["part.example.com", `location /pub/ { ${PASS} }`],
  ["*.dev.example.com", "location / { return 401; }"],
  ["open.dev.example.com", `location / { ${PASS} }`],
  ["twice.example.org", `location /pub/ { ${PASS} }`],
  ["twice.example.org", `location / { ${PASS} }`],
  ["other.example.org twice.example.org", `location / { ${PASS} }`],
  ["shut.example.org", `location / { deny all; ${PASS} }`],
  ["shut.example.org", `location / { ${PASS} }`],
];

const HOSTS = [
  ...["a", "refused", "elsewhere", "secure", "files", "app", "missing", "guarded", "part", "x.dev", "open.dev"].map(
    (name) => `${name}.example.com`,
  ),
  ...["twice", "other", "shut"].map((name) => `${name}.example.org`),
];
const KEYS = ["a.txt", "pub/a.txt"];
const SERVED: readonly string[] = [
  "a.example.com/a.txt",
  "a.example.com/pub/a.txt",
  "part.example.com/pub/a.txt",
  "open.dev.example.com/a.txt",
  "open.dev.example.com/pub/a.txt",
  "twice.example.org/pub/a.txt",
  "other.example.org/a.txt",
  "other.example.org/pub/a.txt",
];

t.test("hosts that several servers could have", NEEDS_NGINX, async (t) => {
  const emulator = await startEmulator(t);
  emulator.addBucket({ name: "examplebucket", region: "cn-beijing", acl: "public-read" });
  for (const key of KEYS) emulator.putObject("examplebucket", key, key);
  const { port } = new URL(emulator.url);
  const nginx = await startNginx(t, (listen) => ({
    "nginx.conf": `events {} http { access_log off; ${TEMPORARY}
      upstream ${ENDPOINT} { server 127.0.0.1:${port}; }
      ${SERVERS.map(([names, body]) => `server { listen 127.0.0.1:${listen}; server_name ${names}; ${body} }`).join("\n")}
    }`,
  }));
  const file = join(nginx.folder, "nginx.conf");
  const parsed = parseConf(readConfFile(file), includesOf(file, null));
  const { yaml } = convertConf(parsed.ok ? parsed.directives : [], { hosts: [] });
  const gateway = await startGateway(
    t,
    `${yaml.replace(`127.0.0.1:${nginx.port}`, "127.0.0.1:0")}admin: { address: "127.0.0.1:0" }\n`,
  );
  for (const host of HOSTS) {
    for (const key of KEYS) {
      const ask = async (to: number) => (await answerTo(to, head("GET", `/${key}`, ["Host", host]), "GET")).status;
      const [theirs, ours] = [await ask(nginx.port), await ask(gateway.port)];
      const isServed = SERVED.includes(`${host}/${key}`);
      t.equal(theirs < 300, isServed, `${host}/${key}: NGINX answers ${theirs}`);
      t.equal(ours < 300, isServed, `${host}/${key}: the gateway answers ${ours}`);
    }
  }
});
