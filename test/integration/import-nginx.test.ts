import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { includesOf, readConfFile } from "../../src/cli/import-nginx-files.js";
import { readConfig } from "../../src/config/read-config.js";
import { convertConf } from "../../src/nginx/convert.js";
import { formatFinding, formatFindings } from "../../src/nginx/findings.js";
import { parseConf } from "../../src/nginx/parse.js";

interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

async function run(...args: readonly string[]): Promise<Ran> {
  const child = spawn(process.execPath, ["--import=tsx", "src/cli.ts", "import-nginx", ...args], { stdio: "pipe" });
  let [stdout, stderr] = ["", ""];
  child.stdout.on("data", (data: Buffer) => {
    stdout += data;
  });
  child.stderr.on("data", (data: Buffer) => {
    stderr += data;
  });
  const [code] = (await once(child, "close")) as [number];
  return { code, stdout, stderr };
}

const SITE = `server {
  listen 80;
  server_name img.example.com;
  location / {
    proxy_pass http://examplebucket.oss-cn-beijing-internal.aliyuncs.com;
  }
  location /private/ { deny all; }
  location /files/ { root /srv; }
}
`;

const ORDER = ["not supported", "dangerous", "approximated", "taken"];

t.test("a configuration of which nothing would be served is a failure", async (t) => {
  const conf = (inside: string): string =>
    `server { listen 80; server_name img.example.com; location / { ${inside} proxy_pass http://examplebucket.oss-cn-beijing-internal.aliyuncs.com; } }`;
  const folder = t.testdir({
    "closed.conf": conf('if ($arg_k = "") { return 403; }'),
    "refused.conf": conf("deny all;"),
  });
  for (const name of ["closed", "refused"]) {
    const ran = await run(join(folder, `${name}.conf`));
    t.equal(ran.code, 1, name);
    t.match(ran.stderr, /\n0 routes serve; 1 .*\n.*every route is closed.*\n$/, name);
  }
});

t.test("files are included by their wildcards and named with their lines; the result is a configuration", async (t) => {
  const folder = t.testdir({
    etc: {
      nginx: {
        "nginx.conf": "events {}\nhttp {\n  include /etc/nginx/sites/*.conf;\n  include none/*.conf;\n}\n",
        sites: { "a.conf": SITE, "b.txt": "nonsense {", ".hidden.conf": "nonsense {" },
      },
    },
  });
  const file = join(folder, "etc/nginx/nginx.conf");
  const output = join(folder, "gateway.yaml");
  const ran = await run(file, "--include-root", folder, "--output", output, "--strict");
  t.equal(ran.code, 1, "something is not supported");
  t.match(ran.stderr, /a\.conf:5: proxy_pass http:\S+: taken over: buckets\.examplebucket/);
  t.match(ran.stderr, /a\.conf:7: location \/private\/ \{\}: taken over: its paths are refused/);
  t.match(ran.stderr, /a\.conf:8: location \/files\/ \{\}: not supported: .*keep NGINX/);
  t.match(ran.stderr, /\ndirectives: \d+ taken over, \d+ approximated, \d+ not supported, \d+ dangerous/);
  t.match(ran.stderr, /\n1 route serves; 1 refuses everybody, as with NGINX; 1 is closed until you decide/);
  const verdicts = ran.stderr
    .split("\n")
    .flatMap((line) => /: (not supported|dangerous|approximated|taken)/.exec(line)?.[1] ?? []);
  t.same(
    verdicts,
    verdicts.toSorted((a, b) => ORDER.indexOf(a) - ORDER.indexOf(b)),
    "the worst comes first",
  );
  const yaml = readFileSync(output, "utf8");
  t.equal(readConfig(yaml, output).ok, true);
  t.match(yaml, /pathPrefix: \/private/);
});

const parse = (file: string) => parseConf(readConfFile(file), includesOf(file, null));

t.test("what is no configuration is said with its place", async (t) => {
  const folder = t.testdir({
    "loop.conf": "http {\n  include loop.conf;\n}\n",
    "open.conf": "http {\n  server {\n",
    "quote.conf": 'http {\n  set $a "x"y;\n}\n',
  });
  const problemOf = (name: string) => {
    const parsed = parse(join(folder, name));
    return parsed.ok ? null : parsed.problem;
  };
  t.match(problemOf("loop.conf"), { line: 2, col: 3, message: /includes itself/ });
  t.match(problemOf("open.conf"), { line: 2, col: 10, message: /not closed/ });
  t.match(problemOf("quote.conf"), { line: 2, col: 13, message: /unexpected "y" behind a quote/ });
});

t.test("the secret of secure_link is neither in the configuration nor in the report", async (t) => {
  const folder = t.testdir({
    "nginx.conf": `server { listen 80; server_name img.example.com; location / {
      secure_link $arg_md5,$arg_expires;
      secure_link_md5 "$secure_link_expires$uri hush-hush-value";
      if ($secure_link = "") { return 403; }
      if ($secure_link = "0") { return 410; }
      proxy_pass http://examplebucket.oss-cn-beijing-internal.aliyuncs.com;
    } }`,
  });
  const parsed = parse(join(folder, "nginx.conf"));
  const { yaml, findings } = convertConf(parsed.ok ? parsed.directives : [], { hosts: [] });
  t.match(yaml, "$secure_link_expires$uri $secret");
  t.notMatch(yaml + findings.map(formatFinding).join("\n"), "hush-hush");
});

t.test(
  "an expression that goes by a guarded folder is named as dangerous, and one beside a refused / is not",
  async (t) => {
    const pass = "proxy_pass http://examplebucket.oss-cn-beijing-internal.aliyuncs.com;";
    const folder = t.testdir({
      "folder.conf": `server { listen 80; server_name a.example.com;
      location /hls/ { allow 10.0.0.0/8; deny all; ${pass} }
      location ~ \\.m3u8$ { ${pass} }
      location / { return 404; } }`,
      "all.conf": `server { listen 80; server_name a.example.com; location / { return 404; } location ~ \\.jpg$ { ${pass} } }`,
    });
    const linesOf = (name: string): readonly string[] => {
      const parsed = parse(join(folder, name));
      return formatFindings(convertConf(parsed.ok ? parsed.directives : [], { hosts: [] }).findings);
    };
    const goesBy = /:3: location ~ \\\.m3u8\$ \{\}: dangerous in the original: it comes before location \/hls\//;
    t.ok(linesOf("folder.conf").some((line) => goesBy.test(line)));
    t.notOk(linesOf("all.conf").some((line) => line.includes("it comes before")));
  },
);

t.test("the report shows no secret, wherever one may stand", async (t) => {
  const folder = t.testdir({
    "nginx.conf": `map $arg_k $ok { default 0; "HUSH1" 1; }
    limit_req_zone $http_x_api_key zone=shown:10m rate=1r/s;
    server { listen 80; server_name img.example.com;
      set $tok "HUSH2";
      set $tok Bearer-HUSH3;
      if ($http_x_token != "HUSH4") { return 403; }
      if ($arg_key != HUSH5) { return 403; }
      if ($cookie_session ~* ^HUSH6) { return 403; }
      if ($arg_a=HUSH7) { return 403; }
      location / {
        proxy_set_header Authorization "Basic HUSH8";
        proxy_set_header X-Api-Key HUSH9;
        proxy_set_header X-Token $http_x_token-HUSH10;
        secure_link_secret HUSH11;
        auth_jwt_key_file HUSH-not-one;
        proxy_pass http://user:HUSH12@examplebucket.oss-cn-beijing-internal.aliyuncs.com/?key=HUSH13;
        return 302 https://login.example.com/?token=HUSH14;
      }
    }`,
  });
  const parsed = parse(join(folder, "nginx.conf"));
  const { yaml, findings } = convertConf(parsed.ok ? parsed.directives : [], { hosts: [] });
  const report = formatFindings(findings).join("\n");
  t.notMatch(report + yaml, /HUSH\d/);
  t.match(report, "zone=shown:10m", "what is none is shown");
  t.match(report, "set $tok ***");
});

t.test(
  "what is said of several directives of the same text is said once, with their number; closed routes are counted",
  async (t) => {
    const folder = t.testdir({
      "nginx.conf": `server { listen 80; server_name img.example.com;
      location / { proxy_pass http://examplebucket.oss-cn-beijing-internal.aliyuncs.com; }
      location /a/ { proxy_pass http://examplebucket.oss-cn-beijing-internal.aliyuncs.com; }
      location /b/ { if ($arg_k = "") { return 403; } proxy_pass http://examplebucket.oss-cn-beijing-internal.aliyuncs.com; }
    }`,
    });
    const parsed = parse(join(folder, "nginx.conf"));
    const { findings, routeCount, closedCount } = convertConf(parsed.ok ? parsed.directives : [], { hosts: [] });
    const lines = formatFindings(findings);
    const about = lines.filter((line) => line.includes("looked up once"));
    t.equal(about.length, 1);
    t.match(about[0], /:2: .*\(3 places: also at 3, 4\)$/);
    t.equal(new Set(lines).size, lines.length, "no line comes twice");
    t.same([routeCount, closedCount], [3, 1]);
  },
);
