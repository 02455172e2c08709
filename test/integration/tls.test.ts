import { readFileSync } from "node:fs";
import { type ConnectionOptions, connect, type TLSSocket } from "node:tls";
import t from "tap";
import type { Teardown } from "../support/gateway.js";
import { handshake } from "../support/openssl-client.js";
import { answerTo, head } from "../support/raw-client.js";
import { DOMAIN, type RelayWorld, startRelay } from "../support/relay-world.js";
import { pairsOf, TestAuthority } from "../support/tls-world.js";

const ROUTES = `  - { name: r, match: { hosts: [${DOMAIN}, other.example.com, 127.0.0.1] }, bucket: one }`;

const listenerWith = (tls: string, name = "web") => `{ name: ${name}, address: "127.0.0.1:0", tls: { ${tls} } }`;

async function startTls(t: Teardown, tls: string): Promise<RelayWorld> {
  const world = await startRelay(t, ROUTES, `listeners: [${listenerWith(tls)}]`);
  world.emulator.putObject("examplebucket", "a.txt", "hello");
  return world;
}

/** A handshake by Node's own client. */
function secure(port: number, options: ConnectionOptions): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: "127.0.0.1", ...options }, () => resolve(socket));
    socket.on("error", reject);
  });
}

/** The status of a GET on a connection of its own; what breaks it otherwise. */
function statusOver(socket: TLSSocket, host = DOMAIN): Promise<string> {
  return new Promise((resolve) => {
    socket.on("error", (error) => resolve((error as NodeJS.ErrnoException).code ?? "error"));
    socket.on("close", () => resolve("closed"));
    socket.once("data", (chunk) => {
      socket.destroy();
      resolve(chunk.toString("latin1").split(" ")[1] ?? "");
    });
    socket.write(`GET /a.txt HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
  });
}

t.test("the certificate is chosen by the name that the client asks for", async (t) => {
  const ca = new TestAuthority(t);
  const ca1 = readFileSync(ca.caFile);
  const exact = ca.issue({ san: "DNS:img.example.com", subject: "/CN=exact" });
  const wild = ca.issue({ san: "DNS:*.example.com", subject: "/CN=wild" });
  const address = ca.issue({ san: "IP:127.0.0.1", subject: "/CN=address" });
  const { gateway } = await startTls(t, `certificates: ${pairsOf(wild, exact, address)}`);
  const rows: readonly [servername: string | null, subject: string][] = [
    ["img.example.com", "exact"],
    ["IMG.example.COM", "exact"],
    ["other.example.com", "wild"],
    ["a.b.example.com", "wild"],
    ["example.org", "wild"],
    [null, "address"],
  ];
  for (const [servername, subject] of rows) {
    const options = { ca: ca1, rejectUnauthorized: false, ...(servername === null ? {} : { servername }) };
    const socket = await secure(gateway.port, options);
    t.equal(socket.getPeerCertificate().subject.CN, subject, servername ?? "no name");
    socket.destroy();
  }
  const bare = await secure(gateway.port, { ca: ca1 });
  t.equal(bare.authorized, true, "a bare address is verified by its address");
  t.equal(await statusOver(bare, "127.0.0.1"), "200");
});

const REFUSED: readonly [claim: string, args: readonly string[], cause: string][] = [
  ["TLS 1.1", ["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"], "protocol"],
  ["TLS 1.0", ["-tls1", "-cipher", "ALL:@SECLEVEL=0"], "protocol"],
  ["CBC", ["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA256:ECDHE-RSA-AES128-SHA:AES128-SHA"], "cipher"],
  ["a key exchange without forward secrecy", ["-tls1_2", "-cipher", "AES128-GCM-SHA256"], "cipher"],
  ["finite-field Diffie-Hellman", ["-tls1_2", "-cipher", "DHE-RSA-AES128-GCM-SHA256"], "cipher"],
  ["no encryption", ["-tls1_2", "-cipher", "NULL:@SECLEVEL=0"], "cipher"],
  ["no authentication", ["-tls1_2", "-cipher", "aNULL:@SECLEVEL=0"], "cipher"],
];

const TAKEN: readonly [claim: string, args: readonly string[], shows: RegExp][] = [
  ["TLS 1.2", ["-tls1_2"], /Protocol\s*: TLSv1\.2[\s\S]*Cipher\s*: ECDHE-ECDSA-AES128-GCM-SHA256/],
  ["TLS 1.3", ["-tls1_3"], /TLSv1\.3, Cipher is TLS_AES_128_GCM_SHA256/],
  [
    "a phone that puts ChaCha20 first",
    ["-tls1_2", "-cipher", "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES128-GCM-SHA256"],
    /Cipher\s*: ECDHE-ECDSA-CHACHA20-POLY1305/,
  ],
  [
    "the server's order where the client has AES in hardware",
    ["-tls1_2", "-cipher", "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256"],
    /Cipher\s*: ECDHE-ECDSA-AES128-GCM-SHA256/,
  ],
  ["HTTP/2 by ALPN", ["-alpn", "h2,http/1.1"], /ALPN protocol: h2/],
  ["HTTP/1.1 by ALPN", ["-alpn", "http/1.1"], /ALPN protocol: http\/1\.1/],
  ["a client without ALPN", [], /No ALPN negotiated/],
];

t.test("the floor of protocols and ciphers", async (t) => {
  const ca = new TestAuthority(t);
  const { gateway } = await startTls(t, `certificates: ${pairsOf(ca.issue({ san: `DNS:${DOMAIN}` }))}`);
  for (const [claim, args, cause] of REFUSED) {
    const failed = `ossgate_tls_handshake_failures_total{listener="web",cause="${cause}"}`;
    const before = await gateway.metric(failed);
    const { ok, text } = await handshake(gateway.port, args);
    t.equal(ok, false, `${claim} is refused`);
    t.match(text, /alert/, `${claim}: by the server`);
    t.equal(await gateway.metric(failed), before + 1, `${claim} is counted as ${cause}`);
  }
  for (const [claim, args, shows] of TAKEN) {
    const { ok, text } = await handshake(gateway.port, ["-CAfile", ca.caFile, "-verify_return_error", ...args]);
    t.equal(ok, true, `${claim} is taken`);
    t.match(text, shows, claim);
  }
  const modern = await startTls(t, `minVersion: TLSv1.3, certificates: ${pairsOf(ca.issue({ san: `DNS:${DOMAIN}` }))}`);
  t.equal((await handshake(modern.gateway.port, ["-tls1_2"])).ok, false, "minVersion: TLSv1.3 refuses 1.2");
  t.equal((await handshake(modern.gateway.port, ["-tls1_3"])).ok, true);
  const only1 = await startTls(t, `http2: false, certificates: ${pairsOf(ca.issue({ san: `DNS:${DOMAIN}` }))}`);
  t.match((await handshake(only1.gateway.port, ["-alpn", "h2,http/1.1"])).text, /ALPN protocol: http\/1\.1/);
});

t.test("a client does not renegotiate", async (t) => {
  const ca = new TestAuthority(t);
  const { gateway } = await startTls(t, `certificates: ${pairsOf(ca.issue({ san: `DNS:${DOMAIN}` }))}`);
  const socket = await secure(gateway.port, { ca: readFileSync(ca.caFile), servername: DOMAIN, maxVersion: "TLSv1.2" });
  const error = await new Promise<Error | null>((resolve) => {
    socket.on("error", resolve);
    socket.renegotiate({}, resolve);
  });
  t.match(error?.message, /no renegotiation/i);
  socket.destroy();
});

/** The session that a server gives, once it is there to be used. */
function sessionOf(socket: TLSSocket): Promise<Buffer> {
  return new Promise((resolve) => socket.once("session", resolve));
}

for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
  t.test(`a session of ${version} is resumed`, async (t) => {
    const ca = new TestAuthority(t);
    const { gateway } = await startTls(t, `certificates: ${pairsOf(ca.issue({ san: `DNS:${DOMAIN}` }))}`);
    const options = { ca: readFileSync(ca.caFile), servername: DOMAIN, maxVersion: version };
    const first = await secure(gateway.port, options);
    const session = version === "TLSv1.2" ? first.getSession() : await sessionOf(first);
    t.equal(first.isSessionReused(), false);
    first.destroy();
    const second = await secure(gateway.port, { ...options, session });
    t.equal(second.isSessionReused(), true);
    t.equal(await statusOver(second), "200");
    t.equal(await gateway.metric('ossgate_tls_handshakes_total{listener="web",resumed="true"}'), 1);
  });
}

t.test("what is no TLS is closed, and counted", async (t) => {
  const ca = new TestAuthority(t);
  const { gateway } = await startTls(t, `certificates: ${pairsOf(ca.issue({ san: `DNS:${DOMAIN}` }))}`);
  await t.rejects(answerTo(gateway.port, head("GET", "/a.txt", ["Host", DOMAIN])));
  t.equal(await gateway.metric('ossgate_tls_handshake_failures_total{listener="web",cause="notTls"}'), 1);
});

t.test("a handshake that does not move on is closed after headerTimeout", async (t) => {
  const ca = new TestAuthority(t);
  const tls = `certificates: ${pairsOf(ca.issue({ san: `DNS:${DOMAIN}` }))}`;
  const { gateway } = await startRelay(t, ROUTES, `listeners: [${listenerWith(tls)}]\nlimits: { headerTimeout: 50ms }`);
  await t.rejects(answerTo(gateway.port, ""), "the connection ends");
  t.equal(await gateway.metric('ossgate_tls_handshake_failures_total{listener="web",cause="timeout"}'), 1);
});

t.test("HTTP/1.1 over TLS: a kept-alive connection, and what a certificate says of the client", async (t) => {
  const ca = new TestAuthority(t);
  const pair = pairsOf(ca.issue({ san: `DNS:${DOMAIN}` }));
  const { gateway } = await startTls(t, `certificates: ${pair}, clientCaFile: ${ca.caFile}`);
  const client = ca.issue({ subject: "/C=CN/O=Example, Ltd/CN=partner.example.com" });
  const options = { ca: readFileSync(ca.caFile), servername: DOMAIN };
  const shown = { cert: readFileSync(client.certFile), key: readFileSync(client.keyFile) };
  t.equal(await statusOver(await secure(gateway.port, { ...options, ...shown })), "200");
  const { clientSubject } = await gateway.logged(({ status }) => status === 200);
  t.equal(clientSubject, "CN=partner.example.com,O=Example\\, Ltd,C=CN");
});

const ALLOWED = (listeners: string) => `  - name: r
    match: { hosts: [${DOMAIN}], listeners: ${listeners} }
    bucket: one
    allow: { certificates: [O=Example/CN=partner] }`;

t.test("client certificates: who must show one, and what a resumed session may not get around", async (t) => {
  const ca = new TestAuthority(t);
  const strangers = new TestAuthority(t);
  const pair = pairsOf(ca.issue({ san: `DNS:${DOMAIN}` }));
  const listeners = [
    listenerWith(`certificates: ${pair}`, "open"),
    listenerWith(`certificates: ${pair}, clientCaFile: ${ca.caFile}`, "required"),
    listenerWith(`certificates: ${pair}, clientCaFile: ${ca.caFile}, clientCertificate: optional`, "optional"),
  ];
  const routes = `${ALLOWED("[required, optional]")}\n  - { name: o, match: { hosts: [${DOMAIN}], listeners: [open] }, bucket: one }`;
  const { gateway, emulator } = await startRelay(t, routes, `listeners: [${listeners.join(", ")}]`);
  emulator.putObject("examplebucket", "a.txt", "hello");
  const port = (name: string): number => gateway.gateway.addresses.get(name)?.port ?? 0;
  const partner = ca.issue({ subject: "/O=Example/CN=partner" });
  const other = ca.issue({ subject: "/O=Example/CN=partner2" });
  const double = ca.issue({ subject: "/O=Example/CN=partner/CN=admin" });
  const forged = strangers.issue({ subject: "/O=Example/CN=partner" });
  const ended = ca.issue({ subject: "/O=Example/CN=partner", days: -1 });
  const base = { ca: readFileSync(ca.caFile), servername: DOMAIN };
  const showing = (pair: typeof partner) => ({ cert: readFileSync(pair.certFile), key: readFileSync(pair.keyFile) });
  const ask = async (name: string, more: ConnectionOptions = {}): Promise<string> => {
    try {
      return await statusOver(await secure(port(name), { ...base, ...more }));
    } catch (error) {
      return (error as NodeJS.ErrnoException).code ?? "refused";
    }
  };
  t.equal(await ask("required", showing(partner)), "200");
  t.equal(await ask("optional", showing(partner)), "200");
  t.equal(await ask("required", showing(other)), "403", "the authority vouches for somebody else");
  t.equal(await ask("required", showing(double)), "403", "a second common name is somebody else");
  t.equal(await ask("optional"), "403", "none, where the route wants one");
  t.equal(await ask("optional", showing(forged)), "403", "another authority's is none");
  t.equal(await ask("optional", showing(ended)), "403", "one that has ended is none");
  for (const [claim, more] of [
    ["none", {}],
    ["another authority's", showing(forged)],
    ["an old one", showing(ended)],
  ] as const) {
    for (const maxVersion of ["TLSv1.2", "TLSv1.3"] as const) {
      const status = await ask("required", { ...more, maxVersion });
      t.notMatch(status, /^\d+$/, `${claim} gets no answer over ${maxVersion}: ${status}`);
    }
  }
  for (const maxVersion of ["TLSv1.2", "TLSv1.3"] as const) {
    for (const from of ["open", "optional"]) {
      const first = await secure(port(from), { ...base, maxVersion });
      const session = maxVersion === "TLSv1.2" ? first.getSession() : await sessionOf(first);
      first.destroy();
      const resumed = await ask("required", { maxVersion, session });
      t.notMatch(resumed, /^\d+$/, `a session of ${from} does not open what needs a certificate, ${maxVersion}`);
    }
    const first = await secure(port("optional"), { ...base, maxVersion });
    const session = maxVersion === "TLSv1.2" ? first.getSession() : await sessionOf(first);
    first.destroy();
    t.equal(await ask("optional", { maxVersion, session }), "403", `resumed without a certificate, ${maxVersion}`);
    const known = await secure(port("required"), { ...base, ...showing(partner), maxVersion });
    const theirs = maxVersion === "TLSv1.2" ? known.getSession() : await sessionOf(known);
    known.destroy();
    t.equal(await ask("required", { maxVersion, session: theirs, ...showing(partner) }), "200", `resumed with one`);
  }
});
