/** Guards in a real NGINX and what import-nginx makes of them: what the one refuses the other does not serve. */
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
const ALL = `location / { ${PASS} }`;

const KEYS = [
  "index.html",
  "a.txt",
  "a.txt.bak",
  "private",
  "private/s.txt",
  "private.zip",
  "private-2024/x",
  "private/pub/a.txt",
  ".git/config",
  "x/.private/k",
  "old/a.txt",
  "img/1.jpg",
  "img/pub/2.jpg",
  "v1",
  "v1/k",
  "dir/index.html",
];
const TARGETS = [...KEYS.map((key) => `/${key}`), "/", "/?list-type=2", "/private/", "/PRIVATE/s.txt", "/a.txt?key=1"];

interface Case {
  readonly claim: string;
  readonly server: string;
  /** Lines of the request. */
  readonly headers?: readonly string[];
  readonly method?: string;
  /** What is served as NGINX serves it. */
  readonly served: readonly string[];
}

const CASES: readonly Case[] = [
  {
    claim: "a guarded prefix that ends in the middle of a name",
    server: `${ALL} location /private { deny all; ${PASS} }`,
    served: ["/a.txt", "/a.txt.bak", "/img/1.jpg", "/old/a.txt"],
  },
  {
    claim: "a guarded prefix that ends at a slash closes nothing else",
    server: `${ALL} location /private/ { deny all; ${PASS} }`,
    served: ["/a.txt", "/private.zip", "/img/1.jpg", "/old/a.txt"],
  },
  {
    claim: "names that begin with a dot",
    server: `${ALL} location ~ /\\. { deny all; }`,
    served: ["/a.txt", "/private/s.txt", "/img/1.jpg", "/a.txt.bak"],
  },
  {
    claim: "scripts that no bucket has",
    server: `${ALL} location ~ \\.bak$ { return 404; }`,
    served: ["/a.txt", "/private/s.txt", "/img/1.jpg", "/old/a.txt"],
  },
  {
    claim: "pictures for some pages alone, the usual recipe",
    server: `${ALL} location ~* \\.(gif|jpg|png)$ { valid_referers none *.example.com; if ($invalid_referer) { return 403; } ${PASS} }`,
    headers: ["Referer", "https://elsewhere.test/"],
    served: ["/a.txt", "/private/s.txt", "/old/a.txt"],
  },
  {
    claim: "pictures for some pages alone, from one of them",
    server: `${ALL} location ~* \\.(gif|jpg|png)$ { valid_referers none *.example.com; if ($invalid_referer) { return 403; } ${PASS} }`,
    headers: ["Referer", "https://www.example.com/"],
    served: ["/a.txt", "/img/1.jpg", "/img/pub/2.jpg"],
  },
  {
    claim: "one folder that is sent to another host",
    server: `${ALL} location /private/ { return 301 https://elsewhere.example.com$request_uri; }`,
    served: ["/a.txt", "/private.zip", "/img/1.jpg"],
  },
  {
    claim: "a folder without its slash, which NGINX redirects",
    server: `${ALL} location /private/ { proxy_pass http://${ENDPOINT}/img/; } location /img/ { ${PASS} }`,
    served: ["/a.txt", "/private.zip", "/img/1.jpg"],
  },
  {
    claim: "pictures, and nothing else",
    server: `location / { return 404; } location ~ \\.jpg$ { ${PASS} }`,
    served: ["/img/1.jpg", "/img/pub/2.jpg"],
  },
  {
    claim: "an expression whose beginning is known closes what lies there",
    server: `${ALL} location ~ ^/(img|old)/.*\\.(jpg|txt)$ { deny all; }`,
    served: ["/a.txt", "/private.zip", "/private/s.txt"],
  },
  {
    claim: "an expression comes before the prefixes below its own",
    server: `${ALL} location ~ ^/img/ { deny all; } location /img/pub/ { ${PASS} }`,
    served: ["/a.txt"],
  },
  {
    claim: "an expression comes before the prefix that it stands beside",
    server: `${ALL} location /img/ { ${PASS} } location ~ ^/img/(.*)$ { deny all; ${PASS} }`,
    served: ["/a.txt"],
  },
  {
    claim: "an expression without regard to case",
    server: `${ALL} location ~* ^/private/ { deny all; ${PASS} }`,
    served: ["/a.txt", "/private.zip", "/img/1.jpg"],
  },
  {
    claim: "a page for / alone beside the bucket",
    server: `location = / { proxy_pass http://${ENDPOINT}/index.html; } ${ALL}`,
    served: ["/", "/index.html", "/a.txt", "/dir/index.html", "/private/s.txt"],
  },
  {
    claim: "the path / alone is refused",
    server: `location = / { return 403; } ${ALL}`,
    served: ["/a.txt", "/private/s.txt"],
  },
  {
    claim: "an exact location beside a guarded prefix of the same name",
    server: `location = /private { ${PASS} } location ^~ /private/ { deny all; ${PASS} } ${ALL}`,
    served: ["/a.txt", "/private.zip"],
  },
  {
    claim: "a guarded exact location beside a prefix of the same name",
    server: `location /v1/ { ${PASS} } location = /v1 { deny all; ${PASS} } ${ALL}`,
    served: ["/a.txt", "/private/s.txt"],
  },
  {
    claim: "an open exact location in a guarded prefix",
    server: `location = /v1 { ${PASS} } location / { allow 192.0.2.1; deny all; ${PASS} }`,
    served: ["/v1"],
  },
  {
    claim: "an if that sends clients elsewhere",
    server: `location / { if ($cookie_session = "") { return 302 https://login.example.com/; } ${PASS} }`,
    served: [],
  },
  {
    claim: "an if that shows another object",
    server: `location / { if ($arg_key = "") { rewrite ^ /index.html break; } ${PASS} }`,
    served: [],
  },
  {
    claim: "an if of the user agent",
    server: `location / { if ($http_user_agent !~ MyApp) { return 403; } ${PASS} }`,
    served: [],
  },
  {
    claim: "an if of the scheme that refuses",
    server: `location / { if ($http_x_forwarded_proto != "https") { return 403; } ${PASS} }`,
    served: [],
  },
  {
    claim: "addresses that another header tells",
    server: `set_real_ip_from 127.0.0.0/8; real_ip_header X-Real-IP; allow 127.0.0.0/8; deny all; ${ALL}`,
    headers: ["X-Real-IP", "8.8.8.8"],
    served: [],
  },
  {
    claim: "a rewrite of paths to others",
    server: `rewrite ^/old/(.*)$ /img/$1 permanent; ${ALL}`,
    served: ["/a.txt", "/private/s.txt"],
  },
  {
    claim: "a rewrite to paths that are guarded",
    server: `location /private/pub/ { rewrite ^/private/pub/(.*)$ /private/$1 last; ${PASS} } location /private/ { deny all; ${PASS} } ${ALL}`,
    served: ["/a.txt", "/private.zip"],
  },
  {
    claim: "methods that an expression refuses",
    server: `${ALL} location ~ \\.txt$ { limit_except GET { deny all; } ${PASS} }`,
    method: "DELETE",
    served: [],
  },
  {
    claim: "a location for NGINX's own use",
    server: `${ALL} location /private/ { internal; ${PASS} }`,
    served: ["/a.txt", "/private.zip"],
  },
  {
    claim: "a location in another",
    server: `location /private/ { deny all; location /private/pub/ { allow all; ${PASS} } } ${ALL}`,
    served: ["/a.txt", "/private/pub/a.txt", "/private.zip"],
  },
  {
    claim: "a server that answers everything itself",
    server: `return 302 https://elsewhere.example.com$request_uri; ${ALL}`,
    served: [],
  },
  {
    claim: "files of the machine first, then a named location",
    server: `root /nonexistent; location / { try_files $uri $uri/ @oss; } location @oss { ${PASS} }`,
    served: ["/a.txt", "/private/s.txt", "/img/1.jpg"],
  },
  { claim: "every path by an expression", server: `location ~ .* { ${PASS} }`, served: ["/a.txt", "/private/s.txt"] },
];

t.test("side by side", NEEDS_NGINX, async (t) => {
  const emulator = await startEmulator(t);
  emulator.addBucket({ name: "examplebucket", region: "cn-beijing", acl: "public-read-write" });
  const { port } = new URL(emulator.url);
  const hostOf = (index: number): string => `h${index}.example.com`;
  const nginx = await startNginx(t, (listen) => ({
    "nginx.conf": `events {} http { access_log off; ${TEMPORARY}
      upstream ${ENDPOINT} { server 127.0.0.1:${port}; }
      ${CASES.map(({ server }, index) => `server { listen 127.0.0.1:${listen}; server_name ${hostOf(index)}; ${server} }`).join("\n")}
    }`,
  }));
  const file = join(nginx.folder, "nginx.conf");
  const parsed = parseConf(readConfFile(file), includesOf(file, null));
  const { yaml } = convertConf(parsed.ok ? parsed.directives : [], { hosts: [] });
  const gateway = await startGateway(
    t,
    `${yaml.replace(`127.0.0.1:${nginx.port}`, "127.0.0.1:0")}admin: { address: "127.0.0.1:0" }\n`,
  );
  const fill = async (): Promise<void> => {
    for (const key of KEYS) {
      const put = head("PUT", `/${key}`, ["Host", ENDPOINT, "Content-Length", "1"]);
      t.equal((await answerTo(Number(port), `${put}x`)).status, 200, `${key} is there`);
    }
  };
  await fill();
  for (const [index, { claim, served, headers = [], method = "GET" }] of CASES.entries()) {
    t.test(`${claim}: what NGINX refuses is not served`, async (t) => {
      const ask = (to: number, target: string) =>
        answerTo(to, head(method, target, ["Host", hostOf(index), ...headers]), method);
      for (const target of TARGETS) {
        const theirs = await ask(nginx.port, target);
        if (method === "DELETE") await fill();
        const ours = await ask(gateway.port, target);
        const isTheirs = theirs.status < 300;
        if (!isTheirs) t.ok(ours.status >= 300, `${target}: ${theirs.status} and ${ours.status}`);
        if (served.includes(target)) t.same([theirs.status, ours.status], [200, 200], `${target} is served`);
      }
    });
  }
});
