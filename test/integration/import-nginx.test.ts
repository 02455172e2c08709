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
}
`;

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
  t.match(ran.stderr, /a\.conf:7: location \/private\/ \{\}: not supported: .*closed/);
  t.match(
    ran.stderr,
    /\n2 routes \(1 closed[^)]*\); \d+ taken over, \d+ approximated, \d+ not supported, \d+ dangerous/,
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
    t.match(about[0], /:2: .*\(3 times: also at 3, 4\)$/);
    t.equal(new Set(lines).size, lines.length, "no line comes twice");
    t.same([routeCount, closedCount], [3, 1]);
  },
);
