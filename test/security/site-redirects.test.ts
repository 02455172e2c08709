import fc from "fast-check";
import t from "tap";
import { startGateway } from "../support/gateway.js";
import { head, RawConnection, valuesOf } from "../support/raw-client.js";
import { type StrictRequest, startStrictOrigin } from "../support/strict-origin.js";

/** An origin where every index document is there, and nothing else. */
const origin = await startStrictOrigin(t);
const MISSING = "<Error><Code>NoSuchKey</Code><Message>m</Message></Error>";
origin.reply(({ method, target }: StrictRequest) => {
  if (target.split("?", 1)[0]?.endsWith("/index.html") === true) return "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
  const length = `HTTP/1.1 404 Not Found\r\nContent-Length: ${MISSING.length}\r\n\r\n`;
  return method === "HEAD" ? length : length + MISSING;
});

const CONFIG = `
listeners: [{ name: web, address: "127.0.0.1:0" }]
admin: { address: "127.0.0.1:0" }
buckets: { one: { bucket: examplebucket, region: cn-beijing, endpoint: "http://127.0.0.1:${origin.port}" } }
routes:
  - { name: site, match: { hosts: [site.test, "*.wild.test", "::1"] }, bucket: one, indexDocument: index.html }
  - { name: sub, match: { hosts: [sub.test], pathPrefix: /docs }, stripPrefix: true, bucket: one, indexDocument: index.html }
  - { name: bound, match: { hosts: [bound.test] }, bucket: one, keyPrefix: in/, indexDocument: index.html }
`;
const gateway = await startGateway(t, CONFIG);
const trusting = await startGateway(t, `trustedProxies: [127.0.0.1]\n${CONFIG}`);

let connection = await RawConnection.open(gateway.port);
t.teardown(() => connection.close());

interface Found {
  readonly status: number;
  readonly location: string | undefined;
}

async function read(host: string, target: string, headers: readonly string[] = []): Promise<Found> {
  connection.send(head("GET", target, ["Host", host, ...headers]));
  try {
    const { status, rawHeaders } = await connection.answer();
    const locations = valuesOf(rawHeaders, "location");
    if (locations.length > 1) throw new Error(`several locations: ${locations}`);
    if (valuesOf(rawHeaders, "connection").includes("close")) await reopen();
    return { status, location: locations[0] };
  } catch (error) {
    await reopen();
    throw error;
  }
}

async function reopen(): Promise<void> {
  connection.close();
  connection = await RawConnection.open(gateway.port);
}

t.test("a redirect stays on the host that was asked, whatever the path looks like", async (t) => {
  const rows: readonly (readonly [target: string, path: string | null])[] = [
    ["/a", "/a/"],
    ["/a//evil.test", "/a//evil.test/"],
    ["/@evil.test", "/@evil.test/"],
    ["/:80@evil.test", "/:80@evil.test/"],
    ["/http://evil.test", "/http://evil.test/"],
    ["/%09/evil.test", "/%09/evil.test/"],
    ["/a%0d%0aSet-Cookie:%20x=1", "/a%0d%0aSet-Cookie:%20x=1/"],
    ["/a%0D%0A%0D%0A<script>", "/a%0D%0A%0D%0A<script>/"],
    ["/a?//evil.test", "/a/?//evil.test"],
    ["/a?x=%0d%0aSet-Cookie:y", "/a/?x=%0d%0aSet-Cookie:y"],
    ["/%E2%80%AE", "/%E2%80%AE/"],
    ["//evil.test", null],
    ["///evil.test", null],
    ["/\\evil.test", null],
    ["/\\/evil.test", null],
    ["/%2fevil.test", null],
    ["/%2Fevil.test", null],
    ["/%5cevil.test", null],
    ["/%5Cevil.test", null],
    ["/%2f%2fevil.test", null],
    ["/%5c%5cevil.test", null],
  ];
  for (const [target, path] of rows) {
    for (const host of ["site.test", "bound.test"]) {
      const found = await read(host, target);
      const expected = path === null ? [404, undefined] : [302, `http://${host}${path}`];
      t.same([found.status, found.location], expected, `${host} ${target}`);
    }
  }
});

t.test("dot segments are kept as they are written where a route takes them", async (t) => {
  for (const path of ["/a/..//evil.test", "/.//evil.test", "/%2e%2e//evil.test"]) {
    t.equal((await read("site.test", path)).location, `http://site.test${path}/`);
    t.same(await read("bound.test", path), { status: 400, location: undefined });
  }
});

t.test("the host is the one that the route was found by, with the client's port where that is one", async (t) => {
  const rows: readonly (readonly [host: string, authority: string])[] = [
    ["site.test", "site.test"],
    ["SITE.Test", "site.test"],
    ["site.test.", "site.test"],
    ["site.test:8080", "site.test:8080"],
    ["site.test.:8080", "site.test:8080"],
    ["site.test:", "site.test"],
    ["site.test:99999", "site.test"],
    ["a.wild.test:1", "a.wild.test:1"],
    ["[::1]", "[::1]"],
    ["[0:0::1]:80", "[::1]:80"],
  ];
  for (const [host, authority] of rows) {
    t.equal((await read(host, "/a")).location, `http://${authority}/a/`, host);
  }
});

t.test("headers that speak of other hosts change nothing", async (t) => {
  const names = ["X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Port", "Forwarded", "X-Host", "X-Original-URL"];
  for (const name of names) {
    for (const value of ["evil.test", "https", "host=evil.test;proto=https", "//evil.test"]) {
      t.equal((await read("site.test", "/a", [name, value])).location, "http://site.test/a/", `${name}: ${value}`);
    }
  }
  const absolute = await read("site.test", "http://evil.test/a");
  t.same([absolute.status, absolute.location], [400, undefined]);
  const same = await read("site.test", "http://site.test/a?b");
  t.equal(same.location, "http://site.test/a/?b");
});

t.test("an unknown host is never redirected", async (t) => {
  const found = await read("evil.test", "/a");
  t.same([found.status, found.location], [404, undefined]);
});

t.test("https is said behind a trusted proxy that says so, and by nobody else", async (t) => {
  const own = connection;
  const proxied = await RawConnection.open(trusting.port);
  const rows: readonly (readonly [headers: readonly string[], scheme: string])[] = [
    [["X-Forwarded-For", "192.0.2.1", "X-Forwarded-Proto", "https"], "https"],
    [["X-Forwarded-For", "192.0.2.1", "X-Forwarded-Proto", "HTTPS"], "https"],
    [["X-Forwarded-For", "192.0.2.1", "X-Forwarded-Proto", "http"], "http"],
    [["X-Forwarded-For", "192.0.2.1", "X-Forwarded-Proto", "javascript"], "http"],
    [["X-Forwarded-For", "192.0.2.1", "X-Forwarded-Proto", "https", "X-Forwarded-Proto", "http"], "http"],
    [["X-Forwarded-For", "192.0.2.1"], "http"],
  ];
  for (const [headers, scheme] of rows) {
    proxied.send(head("GET", "/a", ["Host", "site.test", ...headers]));
    const { rawHeaders } = await proxied.answer();
    t.same(valuesOf(rawHeaders, "location"), [`${scheme}://site.test/a/`], headers.join(" "));
  }
  proxied.close();
  const found = await read("site.test", "/a", rows[0]?.[0]);
  t.equal(found.location, "http://site.test/a/", "the peer is no trusted proxy");
  t.equal(connection, own);
});

const CHARACTERS = [
  ..."/\\@:.?%&=;+~ab0<>\"'|{}[]^`",
  "%2f",
  "%2F",
  "%5c",
  "%0d",
  "%0a",
  "%09",
  "%00",
  "..",
  "//",
  "%",
];
const anyTarget = fc.array(fc.constantFrom(...CHARACTERS), { maxLength: 12 }).map((parts) => `/${parts.join("")}`);

t.test("no target makes a redirect to another host, as text or as a browser reads it", async (t) => {
  let redirects = 0;
  const holds = fc.asyncProperty(
    fc.constantFrom("site.test", "bound.test", "sub.test"),
    anyTarget,
    async (host, target) => {
      const { status, location } = await read(host, host === "sub.test" ? `/docs${target}` : target);
      if (location === undefined) return status !== 302;
      redirects += 1;
      const prefix = `http://${host}/`;
      // A server in front may take the origin off.
      const relative = new URL(location.slice(prefix.length - 1), prefix);
      return status === 302 && location.startsWith(prefix) && new URL(location).host === host && relative.host === host;
    },
  );
  await fc.assert(holds, { numRuns: 2_000 });
  t.ok(redirects > 100, `${redirects} redirects`);
  t.same(origin.violations, []);
});
