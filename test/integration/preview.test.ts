import t from "tap";
import { startEmulator, startGateway } from "../support/gateway.js";
import { valuesOf, xmlText } from "../support/raw-client.js";
import { type RelayWorld, relay } from "../support/relay-world.js";
import {
  ask,
  BUCKET,
  LINKS,
  linkOf,
  OSS_HOST,
  OWN,
  REGION,
  signingRoute,
  startSigning,
} from "../support/sign-world.js";

const OPEN = "allow: { anyone: true }";
const OVERRIDES = "responseOverrides: [response-content-disposition, response-content-type]";

const ROUTES = [
  signingRoute("off", OPEN, OVERRIDES),
  signingRoute("preview", `${OPEN}, preview: true`, OVERRIDES),
  signingRoute("trusted", `${OPEN}, preview: true, trusted: true`),
  signingRoute("linked", `allow: { ${LINKS} }, preview: true`),
  signingRoute(
    "csp",
    `${OPEN}, preview: true, responseHeaders: { set: { content-security-policy: sandbox allow-scripts } }`,
  ),
  signingRoute("site", `${OPEN}, preview: true, trusted: true, indexDocument: index.html, errorDocument: index.html`),
].join("");

const world = await startSigning(t, ROUTES);
const { emulator } = world;

const TYPES: Readonly<Record<string, string>> = {
  "a.png": "image/png",
  "a.svg": "image/svg+xml",
  "index.html": "text/html; charset=utf-8",
  "a.xml": "application/xml",
  "a.pdf": "application/pdf",
  "a.txt": "text/plain",
};
for (const [key, type] of Object.entries(TYPES)) emulator.putObject(BUCKET, key, key, { "Content-Type": type });
emulator.putObject(BUCKET, "own.pdf", "x", { "Content-Type": "application/pdf", "Content-Disposition": "attachment" });
emulator.putObject(BUCKET, "named.pdf", "x", {
  "Content-Type": "application/pdf",
  "Content-Disposition": 'attachment; filename="a.pdf"',
});

interface Shown {
  readonly disposition: string;
  readonly csp: readonly string[];
  readonly nosniff: readonly string[];
}

async function shown(name: string, target: string, headers: readonly string[] = [], method = "GET"): Promise<Shown> {
  const { header, rawHeaders } = await ask(world, { host: `${name}.test`, target, headers, method });
  return {
    disposition: header("content-disposition"),
    csp: valuesOf(rawHeaders, "content-security-policy"),
    nosniff: valuesOf(rawHeaders, "x-content-type-options"),
  };
}

const SANDBOX = { csp: ["sandbox"], nosniff: ["nosniff"] };
const NONE = { csp: [], nosniff: [] };

t.test("without preview a forced download stays one, and nothing is added", async (t) => {
  for (const key of ["a.png", "a.svg", "index.html"]) {
    t.same(await shown("off", `/${key}`), { disposition: "attachment", ...NONE }, key);
  }
});

t.test("with preview it is shown, active content in a sandbox", async (t) => {
  const rows = [
    ["a.png", "inline", NONE],
    ["a.svg", "inline", SANDBOX],
    ["index.html", "inline", SANDBOX],
    ["a.xml", "", SANDBOX],
    ["a.pdf", "", NONE],
    ["a.txt", "", NONE],
  ] as const;
  for (const [key, disposition, added] of rows) {
    t.same(await shown("preview", `/${key}`), { disposition, ...added }, key);
    t.same(await shown("preview", `/${key}`, ["Range", "bytes=0-1"]), { disposition, ...added }, `${key}, a part`);
    const { csp, nosniff } = await shown("preview", `/${key}`, [], "HEAD");
    t.same({ csp, nosniff }, added, `${key}, HEAD`);
  }
});

t.test("the object's bytes, type and other headers are as OSS sent them", async (t) => {
  const [plain, previewed] = await Promise.all([
    ask(world, { host: "off.test", target: "/a.png" }),
    ask(world, { host: "preview.test", target: "/a.png" }),
  ]);
  t.equal(previewed.text, plain.text);
  for (const name of ["content-type", "etag", "last-modified", "x-oss-force-download", "x-oss-hash-crc64ecma"]) {
    t.equal(previewed.header(name), plain.header(name), name);
    t.not(plain.header(name), "", name);
  }
});

t.test("what the object's own metadata says stays", async (t) => {
  t.equal((await shown("preview", "/own.pdf")).disposition, "attachment");
  t.equal((await shown("preview", "/named.pdf")).disposition, 'attachment; filename="a.pdf"');
});

t.test("a client that asks for a download gets one, and a type that it asks for is what counts", async (t) => {
  const query = "response-content-disposition=attachment";
  t.equal((await shown("preview", `/a.png?${query}`)).disposition, "attachment");
  t.equal((await shown("preview", `/a.png?response%2Dcontent-disposition=attachment`)).disposition, "attachment");
  t.equal((await shown("preview", "/a.png?other=1")).disposition, "inline");
  t.same(await shown("preview", "/a.txt?response-content-type=text/html"), { disposition: "inline", ...SANDBOX });
});

t.test("a trusted route shows without a sandbox, for a site of one's own", async (t) => {
  t.same(await shown("trusted", "/index.html"), { disposition: "inline", ...NONE });
  t.same(await shown("site", "/"), { disposition: "inline", ...NONE });
  t.same(await shown("site", "/missing"), { disposition: "inline", ...NONE }, "its error document too");
});

t.test("links do not change what is shown", async (t) => {
  t.same(await shown("linked", `/index.html?${linkOf("linked", "/index.html")}`), {
    disposition: "inline",
    ...SANDBOX,
  });
});

t.test("a policy of the route's own comes before the sandbox", async (t) => {
  t.same((await shown("csp", "/index.html")).csp, ["sandbox allow-scripts", "sandbox"]);
  t.same((await shown("csp", "/a.png")).csp, ["sandbox allow-scripts"]);
});

t.test("a 304 leaves the copy as the first answer described it", async (t) => {
  for (const key of ["a.pdf", "index.html"]) {
    const { header } = await ask(world, { host: "preview.test", target: `/${key}` });
    const again = await ask(world, {
      host: "preview.test",
      target: `/${key}`,
      headers: ["If-None-Match", header("etag")],
    });
    t.equal(again.status, 304);
    t.same(valuesOf(again.rawHeaders, "content-security-policy"), [], key);
  }
});

t.test("errors of OSS are XML, and sandboxed with the rest", async (t) => {
  t.same(await shown("preview", "/missing"), { disposition: "", ...SANDBOX });
  t.same(await shown("trusted", "/missing"), { disposition: "", ...NONE });
});

const DOMAIN = "img.example.com";

async function startDomain(): Promise<RelayWorld> {
  const ours = await startEmulator(t);
  ours.addCredentials(OWN);
  ours.addBucket({ name: BUCKET, region: REGION, acl: "public-read", domains: [DOMAIN] });
  for (const [key, type] of Object.entries(TYPES)) ours.putObject(BUCKET, key, key, { "Content-Type": type });
  const gateway = await startGateway(
    t,
    `
listeners: [{ name: web, address: "127.0.0.1:0" }]
admin: { address: "127.0.0.1:0" }
buckets: { one: { bucket: ${BUCKET}, region: ${REGION}, domains: [${DOMAIN}], endpoint: "${ours.url}" } }
routes:
  - { name: domain, match: { hosts: [gw.test] }, bucket: one, hostHeader: ${DOMAIN} }
  - { name: trusted, match: { hosts: [trusted.test] }, bucket: one, hostHeader: ${DOMAIN}, trusted: true }
  - { name: client, match: { hosts: [${DOMAIN}, ${OSS_HOST}] }, bucket: one, hostHeader: client }
  - { name: bucket, match: { hosts: [bucket.test] }, bucket: one }
`,
  );
  return { emulator: ours, gateway };
}

t.test("where the bound domain is sent OSS forces nothing, and active content is sandboxed", async (t) => {
  const domain = await startDomain();
  const rows = [
    ["gw.test", "/a.png", [], []],
    ["gw.test", "/index.html", [], ["sandbox"]],
    ["gw.test", "/missing", [], ["sandbox"]],
    ["trusted.test", "/index.html", [], []],
    [DOMAIN, "/index.html", [], ["sandbox"]],
    [OSS_HOST, "/index.html", ["attachment"], ["sandbox"]],
    ["bucket.test", "/index.html", ["attachment"], []],
  ] as const;
  for (const [host, target, disposition, csp] of rows) {
    const { answer } = await relay(domain, { host, target });
    t.same(valuesOf(answer.rawHeaders, "content-disposition"), disposition, `${host}${target}`);
    t.same(valuesOf(answer.rawHeaders, "content-security-policy"), csp, `${host}${target}`);
    if (target === "/missing") t.equal(xmlText(answer.body, "Code"), "NoSuchKey");
  }
});
