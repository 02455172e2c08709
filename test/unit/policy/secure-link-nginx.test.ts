/** The same requests to a real NGINX and to the gateway's check: both must say the same. */
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { accessSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { request as httpRequest } from "node:http";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { createInterface } from "node:readline";
import t, { type Test } from "tap";
import { Secret } from "../../../src/core/secret.js";
import { decodePath, splitTarget } from "../../../src/core/target.js";
import { checkLink, compileLinkKeys } from "../../../src/policy/link-check.js";
import { takeLinkParameters } from "../../../src/policy/link-query.js";
import { compileSecureLink } from "../../../src/policy/secure-link.js";

const SECRET = "nginx-secret";
const EXPRESSION = "$secure_link_expires|$uri|$remote_addr|$host|$arg_size|$secret";
const FUTURE = "4102444800";

interface Asked {
  readonly target: string;
  readonly client?: string;
  readonly host?: string;
}

type Answer = "admitted" | "LINK_INVALID" | "LINK_EXPIRED";

/** A link for what NGINX makes of the request. */
function linkFor(
  path: string,
  { expires = FUTURE, client = "127.0.0.1", host = "img.example.com", size = "" } = {},
): string {
  const text = [expires, path, client, host, size, SECRET].join("|");
  return `md5=${createHash("md5").update(text).digest("base64url")}&expires=${expires}`;
}

const cases: readonly (readonly [claim: string, asked: Asked, expected: Answer])[] = [
  ["a link", { target: `/s/link?${linkFor("/s/link")}` }, "admitted"],
  [
    "parameters in another order, among others",
    { target: `/s/link?a&${linkFor("/s/link").split("&").reverse().join("&b=1&")}` },
    "admitted",
  ],
  ["another path", { target: `/s/other?${linkFor("/s/link")}` }, "LINK_INVALID"],
  ["a slash more", { target: `/s/link/?${linkFor("/s/link")}` }, "LINK_INVALID"],
  ["an escaped path", { target: `/s/%6cink%20%e4%b8%ad+%2B?${linkFor("/s/link 中++")}` }, "admitted"],
  ["an escaped slash", { target: `/s%2Flink?${linkFor("/s/link")}` }, "admitted"],
  ["a path that is escaped twice", { target: `/s%252Flink?${linkFor("/s%2Flink")}` }, "admitted"],
  ["an escaped question mark", { target: `/s/a%3Fb?${linkFor("/s/a?b")}` }, "admitted"],
  ["a name that begins with dots", { target: `/s/..a?${linkFor("/s/..a")}` }, "admitted"],
  ["padding", { target: `/s/link?${linkFor("/s/link").replace("&", "==&")}` }, "admitted"],
  ["padding that is escaped", { target: `/s/link?${linkFor("/s/link").replace("&", "%3D%3D&")}` }, "LINK_INVALID"],
  ["too much padding", { target: `/s/link?${linkFor("/s/link").replace("&", "===&")}` }, "LINK_INVALID"],
  ["no md5", { target: `/s/link?md5=&expires=${FUTURE}` }, "LINK_INVALID"],
  [
    "an escaped expiry",
    { target: `/s/link?${linkFor("/s/link").replace("expires=4", "expires=%34")}` },
    "LINK_INVALID",
  ],
  ["an expiry in the past", { target: `/s/link?${linkFor("/s/link", { expires: "1" })}` }, "LINK_EXPIRED"],
  ["a zero before the expiry", { target: `/s/link?${linkFor("/s/link", { expires: `0${FUTURE}` })}` }, "admitted"],
  ["an expiry of 0", { target: `/s/link?${linkFor("/s/link", { expires: "0" })}` }, "LINK_INVALID"],
  ["an empty expiry", { target: `/s/link?${linkFor("/s/link", { expires: "" })}` }, "LINK_INVALID"],
  ["no expiry", { target: `/s/link?${linkFor("/s/link", { expires: "" }).replace("&expires=", "")}` }, "LINK_INVALID"],
  ["a negative expiry", { target: `/s/link?${linkFor("/s/link", { expires: "-5" })}` }, "LINK_INVALID"],
  ["an expiry that is no number", { target: `/s/link?${linkFor("/s/link", { expires: "5x" })}` }, "LINK_INVALID"],
  [
    "a past expiry that is not signed",
    { target: `/s/link?${linkFor("/s/link").replace(FUTURE, "1")}` },
    "LINK_INVALID",
  ],
  ["another address", { target: `/s/link?${linkFor("/s/link")}`, client: "127.0.0.2" }, "LINK_INVALID"],
  ["IPv6", { target: `/s/link?${linkFor("/s/link", { client: "2001:db8::1" })}`, client: "2001:db8::1" }, "admitted"],
  [
    "IPv6 whose zeros stand twice",
    { target: `/s/link?${linkFor("/s/link", { client: "2001:db8:0:0:1::" })}`, client: "2001:db8:0:0:1::" },
    "admitted",
  ],
  [
    "the host in capitals, with a port",
    { target: `/s/link?${linkFor("/s/link")}`, host: "IMG.example.com:8080" },
    "admitted",
  ],
  ["another host", { target: `/s/link?${linkFor("/s/link")}`, host: "www.example.com" }, "LINK_INVALID"],
  ["an argument, undecoded", { target: `/s/link?size=a%2Fb&${linkFor("/s/link", { size: "a%2Fb" })}` }, "admitted"],
  ["an argument in capitals", { target: `/s/link?SIZE=1&${linkFor("/s/link", { size: "1" })}` }, "admitted"],
  ["an argument of another value", { target: `/s/link?size=2&${linkFor("/s/link", { size: "1" })}` }, "LINK_INVALID"],
  [
    "an argument whose name is escaped",
    { target: `/s/link?%73ize=1&${linkFor("/s/link", { size: "1" })}` },
    "LINK_INVALID",
  ],
  ["an argument without =", { target: `/s/link?size&${linkFor("/s/link")}` }, "admitted"],
];

/** Where the gateway refuses what NGINX admits, and why. */
const stricter: readonly (readonly [why: string, asked: Asked])[] = [
  ["two slashes are another key to OSS", { target: `/s//link?${linkFor("/s/link")}` }],
  ["a dot segment is another key to OSS", { target: `/s/./link?${linkFor("/s/link")}` }],
  ["so is one that leads up", { target: `/s/x/../link?${linkFor("/s/link")}` }],
  [
    "a repeated argument may be read differently",
    { target: `/s/link?size=1&size=2&${linkFor("/s/link", { size: "1" })}` },
  ],
  ["so may a repeated md5", { target: `/s/link?${linkFor("/s/link")}&md5=x` }],
  ["and a repeated expiry", { target: `/s/link?${linkFor("/s/link")}&expires=1` }],
];

const nginx = findNginx();

t.test(
  "the gateway and a real NGINX say the same of a secure link",
  nginx === null ? { skip: "nginx is not installed" } : {},
  async (t) => {
    const ask = await startNginx(t, nginx ?? "");
    for (const [claim, asked, expected] of cases) {
      t.equal(await ask(asked), expected, `NGINX: ${claim}`);
      t.equal(askGateway(asked), expected, `gateway: ${claim}`);
    }
    for (const [why, asked] of stricter) {
      t.equal(await ask(asked), "admitted", `NGINX: ${why}`);
      t.equal(askGateway(asked), "LINK_INVALID", `gateway: ${why}`);
    }
  },
);

t.test("the gateway's answers are those that an NGINX 1.22.1 gave to the same requests", (t) => {
  for (const [claim, asked, expected] of cases) t.equal(askGateway(asked), expected, claim);
  for (const [why, asked] of stricter) t.equal(askGateway(asked), "LINK_INVALID", why);
  t.end();
});

function askGateway({ target, client = "127.0.0.1", host = "img.example.com" }: Asked): Answer {
  const { rawPath, rawQuery } = splitTarget(target);
  const { link } = takeLinkParameters(rawQuery, { md5: "md5", expires: "expires" });
  if (link === null) return "LINK_INVALID";
  const secureLink = compileSecureLink({ expression: EXPRESSION, secret: new Secret(SECRET), maxAgeMs: 1e13 });
  const keys = compileLinkKeys({ route: "s", secrets: [], maxAgeMs: 1e13, secureLink });
  const lowerHost = host.toLowerCase().replace(/:\d+$/, "");
  const request = { path: decodePath(rawPath), method: "GET", host: lowerHost, client, parameters: [] };
  const verdict = checkLink(link, request, keys, Date.now());
  return verdict.ok ? "admitted" : (verdict.denial.code as Answer);
}

const ANSWERS: Readonly<Record<number, Answer>> = { 204: "admitted", 403: "LINK_INVALID", 410: "LINK_EXPIRED" };

/** Starts it on a socket in a folder of its own; the client's address is the one that a header names. */
async function startNginx(t: Test, program: string): Promise<(asked: Asked) => Promise<Answer | number>> {
  const folder = mkdtempSync(join(tmpdir(), "ossgate-nginx-"));
  const configFile = join(folder, "nginx.conf");
  writeFileSync(configFile, nginxConfig(folder));
  const child = spawn(program, ["-e", "stderr", "-p", folder, "-c", configFile], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  const exited = once(child, "exit");
  t.teardown(async () => {
    child.kill("SIGTERM");
    await exited;
    rmSync(folder, { recursive: true });
  });
  const said: string[] = [];
  for await (const line of createInterface(child.stderr)) {
    said.push(line);
    // It listens before it starts workers.
    if (line.includes("start worker process ")) return (asked) => askNginx(join(folder, "socket"), asked);
  }
  throw new Error(`nginx did not start: ${said.join("\n")}`);
}

async function askNginx(
  socketPath: string,
  { target, client = "127.0.0.1", host = "img.example.com" }: Asked,
): Promise<Answer | number> {
  const headers = { Host: host, "X-Real-IP": client };
  const request = httpRequest({ socketPath, path: target, headers, agent: false });
  request.end();
  const [response] = await once(request, "response");
  response.resume();
  await once(response, "end");
  return ANSWERS[response.statusCode] ?? response.statusCode;
}

function nginxConfig(folder: string): string {
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(
    (kind) => `${kind}_temp_path ${folder}/${kind};`,
  );
  return `
worker_processes 1;
daemon off;
pid ${folder}/nginx.pid;
error_log stderr notice;
events { worker_connections 64; }
http {
  access_log off;
  ${temporary.join(" ")}
  server {
    listen unix:${folder}/socket;
    set_real_ip_from unix:;
    real_ip_header X-Real-IP;
    location / {
      secure_link $arg_md5,$arg_expires;
      secure_link_md5 "${EXPRESSION.replace("$secret", SECRET)}";
      if ($secure_link = "") { return 403; }
      if ($secure_link = "0") { return 410; }
      return 204;
    }
  }
}
`;
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
