/** The same bytes to a real NGINX and to a gateway: their `combined` lines must be the same but for the time. */
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { join } from "node:path";
import t, { type Test } from "tap";
import type { AccessEntry } from "../../src/telemetry/access-log.js";
import { combinedLine } from "../../src/telemetry/access-log-combined.js";
import { NEEDS_NGINX, startNginx, TEMPORARY } from "../nginx/real-nginx.js";
import { startEmulator, startGateway } from "../support/gateway.js";
import { RawConnection } from "../support/raw-client.js";

const HOST = "Host: img.example.com\r\n";
const basic = (text: string): string => Buffer.from(text, "latin1").toString("base64");

/** Heads and bodies as they are sent; each is answered, by both. */
const REQUESTS: readonly string[] = [
  `GET /a.txt HTTP/1.1\r\n${HOST}\r\n`,
  `GET /a.txt HTTP/1.0\r\n${HOST}\r\n`,
  `HEAD /a.txt HTTP/1.1\r\n${HOST}\r\n`,
  `GET /a.txt HTTP/1.1\r\n${HOST}Range: bytes=1-3\r\n\r\n`,
  `GET /a.txt HTTP/1.1\r\n${HOST}If-Modified-Since: Wed, 01 Jan 2031 00:00:00 GMT\r\n\r\n`,
  `GET /a.txt HTTP/1.1\r\n${HOST}Referer: https://www.example.com/p?q=1\r\nUser-Agent: curl/8.0\r\n\r\n`,
  `GET /a.txt HTTP/1.1\r\n${HOST}Referer:\r\nUser-Agent: \r\n\r\n`,
  `GET /a.txt HTTP/1.1\r\n${HOST}Referer: a"b\\c\r\nUser-Agent: "\\"\r\n\r\n`,
  `GET /a.txt HTTP/1.1\r\n${HOST}Referer: caf\xe9\r\nUser-Agent: \xe5\x9b\xbe\xff\x80\r\n\r\n`,
  `GET /a.txt HTTP/1.1\r\n${HOST}Referer: tab\there\r\nUser-Agent:   spaces around  \r\n\r\n`,
  `GET /a.txt HTTP/1.1\r\n${HOST}Referer: one\r\nReferer: two\r\nUser-Agent: one\r\nUser-Agent: two\r\n\r\n`,
  `GET /a.txt HTTP/1.1\r\n${HOST}User-Agent: %22\\x22[]{}<script>'\r\n\r\n`,
  `GET /a.txt?x="quoted"&y=\\z HTTP/1.1\r\n${HOST}\r\n`,
  `GET /a.txt?q=1?2?3&empty&=x HTTP/1.1\r\n${HOST}\r\n`,
  `GET /a.txt?signature-like=1 HTTP/1.1\r\n${HOST}\r\n`,
  `GET /dir%2Fb.txt HTTP/1.1\r\n${HOST}\r\n`,
  `GET http://img.example.com/a.txt?abs=1 HTTP/1.1\r\n${HOST}\r\n`,
  `PUT /new.txt HTTP/1.1\r\n${HOST}Content-Length: 5\r\n\r\nhello`,
  `DELETE /new.txt HTTP/1.1\r\n${HOST}\r\n`,
  `GET /a.txt HTTP/1.1\r\n${HOST}User-Agent: ${"long ".repeat(300)}end\r\n\r\n`,
  `GET /a.txt HTTP/1.1\r\n${HOST}Cookie: a=b\r\nX-Forwarded-For: 192.0.2.1\r\n\r\n`,
];

/** What NGINX takes for `$remote_user`; on the way to OSS it goes no further, and anybody may pass. */
const LOGINS: readonly string[] = [
  `Basic ${basic("alice:secret")}`,
  `basic ${basic("alice:secret")}`,
  `BASIC    ${basic("bob:")}`,
  `Basic ${basic("a:b:c")}`,
  `Basic ${basic('we"ird\\ name\xe9:x')}`,
  `Basic ${basic(":nobody")}`,
  `Basic ${basic("nocolon")}`,
  "Basic",
  "Basic ",
  "Basic %%%",
  `Basic ${basic("alice:x").slice(0, 9)}`,
  `Basic ${basic("carol:xy")}====`,
  `Basic ${basic("dave:xyz")} trailing`,
  `Basic  \t${basic("erin:x")}`,
  `Bearer ${basic("alice:secret")}`,
  "Basic YWxpY2U6=garbage!",
  "Basic YWxp Y2U6",
];

/** What is refused before it is a request: the line and the status are the same, the document is not. */
const MALFORMED: readonly string[] = [
  "GET /a b HTTP/1.1\r\nHost: img.example.com\r\n\r\n",
  "get /lower HTTP/1.1\r\nHost: img.example.com\r\n\r\n",
  "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
  'G"T / HTTP/1.1\r\nHost: x\r\n\r\n',
  "GET / HTTX/1.1\r\nHost: x\r\n\r\n",
  "GET /no-host HTTP/1.1\r\n\r\n",
  "GET /two HTTP/1.1\r\nHost: img.example.com\r\nHost: b\r\n\r\n",
  ...[
    (fields: string) => `GET /no-host HTTP/1.1\r\n${fields}\r\n`,
    (fields: string) => `GET /two HTTP/1.1\r\n${HOST}${fields}Host: b\r\n\r\n`,
    (fields: string) => `GET /two HTTP/1.1\r\n${HOST}Host: b\r\n${fields}\r\n`,
    (fields: string) => `GET /no-colon HTTP/1.1\r\n${HOST}${fields}bad header line\r\n\r\n`,
    (fields: string) => `GET /no-colon-before HTTP/1.1\r\n${HOST}bad header line\r\n${fields}\r\n`,
    (fields: string) => `GET /blank-in-name HTTP/1.1\r\n${HOST}${fields}X Y: z\r\n\r\n`,
    (fields: string) => `GET /blank-before-colon HTTP/1.1\r\n${HOST}${fields}X : z\r\n\r\n`,
    (fields: string) => `GET /no-length HTTP/1.1\r\n${HOST}${fields}Content-Length: x\r\n\r\n`,
    (fields: string) => `GET /no-length HTTP/1.1\r\n${HOST}Content-Length: x\r\n${fields}\r\n`,
    (fields: string) => `GET /control HTTP/1.1\r\n${HOST}${fields}X: a\x01b\r\n\r\n`,
    (fields: string) => `GET /nul HTTP/1.1\r\n${HOST}${fields}X: a\0b\r\n\r\n`,
    (fields: string) => `GET /nul\0 HTTP/1.1\r\n${HOST}${fields}\r\n`,
    (fields: string) => `FOO /method HTTP/1.1\r\n${HOST}${fields}\r\n`,
    (fields: string) => `FOO-BAR /method HTTP/1.1\r\n${HOST}${fields}\r\n`,
    (fields: string) => `GET /\xe9 HTTP/1.1\r\n${HOST}${fields}\r\n`,
  ].flatMap((request) => [
    request("Referer: https://r.test/?a=1\r\nUser-Agent: curl/8\r\n"),
    request('Referer:\r\nReferer: second\r\nuser-agent:  a \xe9 "b" \r\n'),
  ]),
  "GET /a.txt HTTP/0.9\r\nHost: img.example.com\r\n\r\n",
];

/** Sends the same to both and gives the lines that they wrote, in order. */
async function linesOfBoth(
  t: Test,
  requests: readonly string[],
): Promise<readonly (readonly [theirs: string, ours: string])[]> {
  const emulator = await startEmulator(t);
  emulator.addBucket({
    name: "examplebucket",
    region: "cn-beijing",
    acl: "public-read-write",
    domains: ["img.example.com"],
  });
  await send(Number(new URL(emulator.url).port), `PUT /a.txt HTTP/1.1\r\n${HOST}Content-Length: 11\r\n\r\nhello world`);
  const nginx = await startNginx(t, nginxFiles(emulator.url));
  const gateway = await startGateway(t, config(emulator.url));
  for (const [index, bytes] of requests.entries()) {
    await send(nginx.port, bytes);
    await send(gateway.port, bytes);
    // One after the other, so that lines are in their order.
    if (gateway.accessLog.length <= index) await gateway.logged(() => gateway.accessLog.length > index);
  }
  await nginx.stop();
  const theirs = readFileSync(join(nginx.folder, "access.log"), "latin1").trimEnd().split("\n");
  const ours = gateway.accessLog.map((entry: AccessEntry) => combinedLine(entry, Date.now()).trimEnd());
  t.equal(theirs.length, requests.length, "a line for each, theirs");
  t.equal(ours.length, requests.length, "a line for each, ours");
  return requests.map((_, index) => [theirs[index] ?? "", ours[index] ?? ""]);
}

function nginxFiles(origin: string) {
  return (port: number) => ({
    "nginx.conf": `
events {}
http {
  ${TEMPORARY}
  access_log access.log combined;
  server {
    listen 127.0.0.1:${port};
    server_name img.example.com;
    location / {
      proxy_pass ${origin};
      proxy_set_header Host $host;
      proxy_set_header Authorization "";
      # NGINX would answer in chunks of its own.
      proxy_http_version 1.1;
    }
  }
}`,
  });
}

function config(origin: string): string {
  return `
listeners: [{ name: web, address: "127.0.0.1:0" }]
admin: { address: "127.0.0.1:0" }
log: { access: { format: combined, unmasked: true } }
buckets: { one: { bucket: examplebucket, region: cn-beijing, domains: [img.example.com], endpoint: "${origin}" } }
routes:
  - name: all
    match: { hosts: [img.example.com] }
    bucket: one
    hostHeader: client
    methods: [GET, HEAD, PUT, POST, DELETE, OPTIONS]
    trusted: true
`;
}

/** Waits for the first answer, and closes. */
async function send(port: number, bytes: string): Promise<void> {
  const connection = await RawConnection.open(port);
  connection.send(bytes);
  await connection.answer(/^HEAD /.test(bytes) ? "HEAD" : "GET").catch(() => connection.ended);
  connection.close();
}

const TIME = /\[\d{2}\/[A-Z][a-z]{2}\/\d{4}:\d{2}:\d{2}:\d{2} [+-]\d{4}\]/;

function withoutTime(line: string): string {
  return line.replace(TIME, "[time]");
}

t.test("requests are logged as NGINX logs them, byte for byte", NEEDS_NGINX, async (t) => {
  const lines = await linesOfBoth(t, REQUESTS);
  for (const [index, [theirs, ours]] of lines.entries()) {
    t.match(ours, TIME);
    t.equal(withoutTime(ours), withoutTime(theirs), JSON.stringify(REQUESTS[index]?.slice(0, 100)));
  }
});

t.test("$remote_user is what NGINX takes from a Basic Authorization, whatever else it is", NEEDS_NGINX, async (t) => {
  const requests = LOGINS.map((value) => `GET /a.txt HTTP/1.1\r\n${HOST}Authorization: ${value}\r\n\r\n`);
  const lines = await linesOfBoth(t, requests);
  for (const [index, [theirs, ours]] of lines.entries()) {
    t.equal(userOf(ours), userOf(theirs), String(LOGINS[index]));
  }
});

/** Between the address and the time. */
function userOf(line: string): string {
  return /^\S+ - (.*?) \[\d\d\//.exec(line)?.[1] ?? line;
}

t.test("what is refused before it is a request is logged with its line", NEEDS_NGINX, async (t) => {
  const lines = await linesOfBoth(t, MALFORMED);
  for (const [index, [theirs, ours]] of lines.entries()) {
    const withoutBytes = (line: string): string => withoutTime(line).replace(/" (\d{3}) \d+ "/, '" $1 bytes "');
    t.equal(withoutBytes(ours), withoutBytes(theirs), JSON.stringify(MALFORMED[index]));
    t.not(/" 400 0 "/.test(ours), true, "with the bytes of its answer");
  }
});

t.test(
  "a request of HTTP/0.9 is logged as it came, without a protocol; NGINX would answer it",
  NEEDS_NGINX,
  async (t) => {
    const [[theirs = "", ours = ""] = []] = await linesOfBoth(t, ["GET /a.txt?old=1\r\n\r\n"]);
    const line = (text: string): string => withoutTime(text).replace(/ \d{3} \d+ /, " status bytes ");
    t.equal(line(ours), line(theirs));
    t.match(ours, '"GET /a.txt?old=1" 400 ');
  },
);

t.test("signatures in the Referer of a head that is no request are masked", async (t) => {
  const masked = config("http://127.0.0.1:1").replace("unmasked: true", "unmasked: false");
  const { port, logged } = await startGateway(t, masked);
  await send(port, `GET /x HTTP/1.1\r\n${HOST}Referer: https://r.test/?Signature=SECRET&a=1\r\nbad\r\n\r\n`);
  t.equal((await logged(() => true)).referer, "https://r.test/?Signature=***&a=1");
});

t.test("CONNECT is logged with its line too", async (t) => {
  const { port, logged } = await startGateway(t, config("http://127.0.0.1:1"));
  await send(port, "CONNECT img.example.com:443 HTTP/1.1\r\nHost: img.example.com:443\r\n\r\n");
  const line = combinedLine(await logged(() => true), 0);
  t.match(line, '"CONNECT img.example.com:443 HTTP/1.1" 405 ');
});

t.test("a line that a header's packet begins with is no request line: what is in it is not logged", async (t) => {
  const { port, logged } = await startGateway(t, config("http://127.0.0.1:1"));
  const connection = await RawConnection.open(port);
  connection.send(`GET /first HTTP/1.1\r\n${HOST}\r\n`);
  await connection.answer();
  connection.send(`GET /x HTTP/1.1\r\n${HOST}Authorization: OSS ak:`);
  // The other half must be a packet of its own; the gateway reads in this event loop.
  for (let turns = 0; turns < 20; turns += 1) await new Promise((resolve) => setImmediate(resolve));
  connection.send("c2lnbmF0dXJl\r\nbad header line\r\n\r\n");
  await connection.answersUntilEnd();
  const entry = await logged(({ status }) => status === 400);
  t.notMatch(combinedLine(entry, 0), "c2lnbmF0dXJl");
});

t.test("a client that leaves before the answer is 499 with no bytes in both", NEEDS_NGINX, async (t) => {
  const silent = createServer();
  silent.listen(0, "127.0.0.1");
  await once(silent, "listening");
  t.teardown(() => silent.close());
  const origin = `http://127.0.0.1:${(silent.address() as AddressInfo).port}`;
  const nginx = await startNginx(t, nginxFiles(origin));
  const gateway = await startGateway(t, config(origin));
  for (const port of [nginx.port, gateway.port]) {
    const connection = await RawConnection.open(port);
    connection.send(REQUESTS[0] ?? "");
    const [upstream] = (await once(silent, "connection")) as [Socket];
    await once(upstream, "data");
    const gone = once(upstream, "close");
    connection.close();
    await gone;
  }
  const ours = combinedLine(await gateway.logged(() => true), Date.now());
  await nginx.stop();
  t.equal(withoutTime(ours), withoutTime(readFileSync(join(nginx.folder, "access.log"), "latin1")));
  t.match(ours, '"GET /a.txt HTTP/1.1" 499 0 "-" "-"');
});
