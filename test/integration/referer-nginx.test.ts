/** The same referers to a real NGINX and to `validReferers`: both must say the same. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { accessSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { Agent, request as httpRequest } from "node:http";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { createInterface } from "node:readline";
import t, { type Test } from "tap";
import { validRefererProblem } from "../../src/core/referer-entry.js";
import { compileValidReferers } from "../../src/policy/valid-referers.js";

const SERVER_NAMES = ["img.example.com", "*.cdn.example.com", "47.0.2.74"];

/** As NGINX's documentation has them, and what its rules make delicate. */
const ENTRY_SETS: readonly (readonly string[])[] = [
  ["none", "blocked", "server_names", "*.example.com", "example.*", "www.example.org/galleries/", "~\\.google\\."],
  ["www.example.com"],
  ["none", "www.example.com"],
  ["blocked", "WWW.Example.COM"],
  ["server_names"],
  ["none", "blocked", "server_names"],
  ["*.example.com"],
  [".example.com"],
  ["example.*"],
  ["www.example.*", "example.*", "example.com"],
  ["*.example.com/public/", "*.a.example.com", ".b.example.com/B/", "www.example.com/only"],
  ["*.example.com/public/", "~^www\\.example\\.com/private"],
  ["~^example\\.com/?$", "~[0-9]+\\.net$"],
  ["~google", "blocked", "localhost"],
  ["~^(www\\.)?EXAMPLE\\.(com|org)(/|$|:)"],
  ["~."],
  ["localhost", "a.b.c.d.e"],
  ["*.com", "*.example.com/x/", "www.*"],
  ["127.0.0.1", "xn--fsqu00a.com"],
];

const REFERERS: readonly (string | null)[] = [
  null,
  "",
  "-",
  "x",
  "blocked",
  "about:blank",
  "ftp://www.example.com/",
  "www.example.com",
  "//www.example.com/",
  "http:/www.example.com/",
  "http:www.example.com/",
  "http://",
  "https://",
  "http:///",
  "http://////////",
  "http://a.b",
  "http://i.ru",
  "http://i.r",
  "https://a.b",
  "https://a.",
  "http://www.example.com",
  "http://www.example.com/",
  "https://www.example.com/",
  "HTTP://WWW.EXAMPLE.COM/",
  "hTTpS://wWw.eXample.cOm/Public/",
  "http://www.example.com:8080/",
  "http://www.example.com:8080",
  "http://www.example.com:/",
  "http://www.example.com:x@evil.net/",
  "http://www.example.com@evil.net/",
  "http://user@www.example.com/",
  "http://user:password@www.example.com/",
  "http://www.example.com?x=1",
  "http://www.example.com#f",
  "http://www.example.com./",
  "http://www.example.com.evil.net/",
  "http://evil.net/www.example.com",
  "http://evil.net/?www.example.com",
  "http://evil-example.com/",
  "http://evilexample.com/",
  "http://example.com/",
  "http://example.com",
  "http://example.net/",
  "http://example.co.uk/x",
  "http://example./",
  "http://example",
  "http://.example.com/",
  "http://..example.com/",
  "http://x..example.com/",
  "http://a.example.com/",
  "http://x.a.example.com/public/",
  "http://x.a.example.com/other/",
  "http://b.example.com/B/1",
  "http://b.example.com/b/1",
  "http://x.b.example.com/B/1",
  "http://x.b.example.com/",
  "http://deep.down.example.com/public/1",
  "http://deep.down.example.com/public",
  "http://deep.down.example.com:81/public/1",
  "http://deep.down.example.com",
  "http://www.example.com/only",
  "http://www.example.com/only-this",
  "http://www.example.com/Only",
  "http://www.example.com/private",
  "http://www.example.com/private/1",
  "http://www.example.com/public/x",
  "http://www.example.com:8080/public/x",
  "http://www.example.com:8080/private",
  "http://www.example.org/galleries/1",
  "http://www.example.org/galleries",
  "http://www.example.org/",
  "http://www.example.org:80/galleries/1",
  "https://www.example.org/",
  "https://example.org",
  "http://img.example.com/",
  "http://x.cdn.example.com/",
  "http://cdn.example.com/",
  "http://47.0.2.74/",
  "http://47.0.2.74:8080/x",
  "http://127.0.0.1:3000/",
  "http://[::1]/",
  "http://[2001:db8::1]:80/",
  "http://localhost:3000/",
  "http://localhost/",
  "http://www.google.com/search?q=x",
  "http://www.google.com.evil.net/",
  "http://google.com/",
  "http://evil.net/x.google.x",
  "https://news.GOOGLE.de/",
  "http://77.net",
  "http://77.net/",
  "http://a.b.c.d.e/",
  "http://a.b.c.d.e.f/",
  "http://xn--fsqu00a.com/",
  "http://例子.com/",
  "http://%77ww.example.com/",
  "http://www.example.com\\.evil.net/",
  "http://www.example.com\\/",
  "http:\\\\www.example.com",
  "http://www example com/",
  "http://www.example.com /",
  "http://www.example.com, http://evil.net/",
  `http://${"a".repeat(255)}/`,
  `http://${"a".repeat(256)}/`,
  `http://${"a".repeat(257)}/`,
  `http://${"a".repeat(244)}.example.com/`,
  `http://${"a".repeat(245)}.example.com/`,
  `http://x.google.com/${"a".repeat(3_000)}`,
];

const nginx = findNginx();
const mayBeMissing = nginx === null && process.env.OSSGATE_REQUIRE_PEERS !== "1";

t.test(
  "validReferers and a real NGINX say the same of every referer, whatever the entries",
  mayBeMissing ? { skip: "nginx is not installed" } : {},
  async (t) => {
    const ask = await startNginx(t, nginx ?? "nginx");
    const checks = ENTRY_SETS.map((entries) => compileValidReferers(entries, SERVER_NAMES));
    const admitted = ENTRY_SETS.map(() => 0);
    for (const referer of REFERERS) {
      // As Node hands in what was on the wire: one character a byte.
      const sent = referer === null ? undefined : Buffer.from(referer).toString("latin1");
      for (const [index, check] of checks.entries()) {
        const ours = check(sent) === null ? "valid" : "invalid";
        const say = `${String(referer).slice(0, 60)} for ${ENTRY_SETS[index]?.join(" ")}`;
        const theirs = await ask(index, sent);
        if (theirs === "valid") admitted[index] = (admitted[index] ?? 0) + 1;
        t.equal(ours, theirs, say);
      }
    }
    for (const [index, count] of admitted.entries()) {
      t.ok(count > 0 && count < REFERERS.length, `${ENTRY_SETS[index]?.join(" ")}: ${count} of ${REFERERS.length}`);
    }
  },
);

t.test("of two Referer headers the first counts", mayBeMissing ? { skip: "nginx is not installed" } : {}, async (t) => {
  const ask = await startNginx(t, nginx ?? "nginx");
  t.equal(await ask(1, ["http://www.example.com/", "http://evil.net/"]), "valid");
  t.equal(await ask(1, ["http://evil.net/", "http://www.example.com/"]), "invalid");
});

t.test(
  "an entry that NGINX's own check of its file refuses is a problem here too",
  mayBeMissing ? { skip: "nginx is not installed" } : {},
  async (t) => {
    const entries = ["www.*.com", "*example.com", "*", "*.", "*.*.com", "a..com", "..com", "~", "~(", "~[a", "~*x"];
    for (const entry of entries) {
      t.not(await testConfig(t, nginx ?? "nginx", [[entry, "localhost"]]), 0, `NGINX: ${entry}`);
      t.type(validRefererProblem(entry), "string", entry);
    }
    t.equal(await testConfig(t, nginx ?? "nginx", [["localhost"]]), 0, "it takes a good one");
  },
);

type Ask = (index: number, referer: string | readonly string[] | undefined) => Promise<string>;

async function startNginx(t: Test, program: string): Promise<Ask> {
  const folder = makeFolder(t, ENTRY_SETS);
  const child = spawn(program, ["-e", "stderr", "-p", folder, "-c", join(folder, "nginx.conf")], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  const exited = once(child, "exit");
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  t.teardown(async () => {
    agent.destroy();
    child.kill("SIGTERM");
    await exited;
  });
  const said: string[] = [];
  for await (const line of createInterface(child.stderr)) {
    said.push(line);
    // It listens before it starts workers.
    if (line.includes("start worker process ")) return (index, referer) => askNginx(agent, folder, index, referer);
  }
  throw new Error(`nginx did not start: ${said.join("\n")}`);
}

async function askNginx(
  agent: Agent,
  folder: string,
  index: number,
  referer: string | readonly string[] | undefined,
): Promise<string> {
  const headers = [referer ?? []].flat().flatMap((value) => ["Referer", value]);
  const request = httpRequest({
    socketPath: join(folder, "socket"),
    path: `/${index}/`,
    headers: ["Host", "img.example.com", ...headers],
    agent,
  });
  request.end();
  const [response] = await once(request, "response");
  response.resume();
  await once(response, "end");
  if (response.statusCode === 204) return "valid";
  return response.statusCode === 403 ? "invalid" : String(response.statusCode);
}

async function testConfig(t: Test, program: string, sets: typeof ENTRY_SETS): Promise<number | null> {
  const folder = makeFolder(t, sets);
  const child = spawn(program, ["-t", "-e", "stderr", "-p", folder, "-c", join(folder, "nginx.conf")], {
    stdio: "ignore",
  });
  const [code] = await once(child, "exit");
  return code;
}

function makeFolder(t: Test, sets: typeof ENTRY_SETS): string {
  const folder = mkdtempSync(join(tmpdir(), "ossgate-nginx-"));
  t.teardown(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, "nginx.conf"), nginxConfig(folder, sets));
  return folder;
}

function nginxConfig(folder: string, sets: typeof ENTRY_SETS): string {
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(
    (kind) => `${kind}_temp_path ${folder}/${kind};`,
  );
  const locations = sets.map(
    (entries, index) => `
    location /${index}/ {
      valid_referers ${entries.map(quoted).join(" ")};
      if ($invalid_referer) { return 403; }
      return 204;
    }`,
  );
  return `
worker_processes 1;
daemon off;
pid ${folder}/nginx.pid;
error_log stderr notice;
events { worker_connections 64; }
http {
  access_log off;
  keepalive_requests 1000000;
  ${temporary.join(" ")}
  server {
    listen unix:${folder}/socket;
    server_name ${SERVER_NAMES.join(" ")};
    ${locations.join("")}
  }
}
`;
}

function quoted(entry: string): string {
  return `"${entry.replaceAll("\\", "\\\\")}"`;
}

function findNginx(): string | null {
  // Debian puts it where an ordinary user's PATH may not look.
  const folders = [...(process.env.PATH ?? "").split(delimiter), "/usr/sbin"];
  return folders.map((folder) => join(folder, "nginx")).find(exists) ?? null;
}

function exists(file: string): boolean {
  try {
    accessSync(file);
    return true;
  } catch {
    return false;
  }
}
