import t from "tap";
import { createEmulator, type Emulator } from "../../src/emulator/index.js";
import { BUCKET, DEFAULT_HOST, DOMAIN, NOW_MS, OWNER, send, signed, type Wire } from "../unit/emulator/wire.js";

type BucketAcl = "private" | "public-read" | "public-read-write";

async function start(t: Pick<typeof import("tap").t, "teardown">, acl: BucketAcl): Promise<Emulator> {
  const emulator = createEmulator();
  t.teardown(() => emulator.close());
  await emulator.listen();
  emulator.setNowMs(NOW_MS);
  emulator.addCredentials(OWNER);
  emulator.addBucket({ name: BUCKET, acl, domains: [DOMAIN] });
  for (const own of ["default", "private", "public-read", "public-read-write"]) {
    emulator.putObject(BUCKET, own, own, { "x-oss-object-acl": own });
  }
  return emulator;
}

// Which of the four objects an anonymous client may read and write under each bucket ACL.
const ACLS: readonly (readonly [
  acl: BucketAcl,
  readable: readonly string[],
  writable: readonly string[],
  lists: boolean,
])[] = [
  ["private", ["public-read", "public-read-write"], ["public-read-write"], false],
  ["public-read", ["default", "public-read", "public-read-write"], ["public-read-write"], true],
  ["public-read-write", ["default", "public-read", "public-read-write"], ["default", "public-read-write"], true],
];

for (const [acl, readable, writable, lists] of ACLS) {
  t.test(`in a ${acl} bucket an object's own ACL goes before the bucket's`, async (t) => {
    const emulator = await start(t, acl);
    for (const key of ["default", "private", "public-read", "public-read-write"]) {
      t.equal((await send(emulator, { target: `/${key}` })).status, readable.includes(key) ? 200 : 403, `GET ${key}`);
      const put = await send(emulator, { method: "PUT", target: `/${key}`, body: "new" });
      t.equal(put.status, writable.includes(key) ? 200 : 403, `PUT ${key}`);
    }
    t.equal((await send(emulator, { target: "/" })).status, lists ? 200 : 403, "list");
    t.equal(
      (await send(emulator, { method: "DELETE", target: "/default" })).status,
      acl === "public-read-write" ? 204 : 403,
    );
  });
}

t.test("an anonymous client is denied with OSS's text, for objects that exist and that do not", async (t) => {
  const emulator = await start(t, "private");
  for (const target of ["/default", "/none"]) {
    const answer = await send(emulator, { target });
    t.match([answer.status, answer.code, answer.headers["x-oss-ec"]], [403, "AccessDenied", "0003-00000001"]);
    t.match(answer.text, "You have no right to access this object because of bucket acl.");
  }
});

t.test("nobody but the owner reads or changes an ACL", async (t) => {
  const emulator = await start(t, "public-read-write");
  const requests: readonly (Wire & { readonly key: string })[] = [
    { target: "/?acl", key: "" },
    { target: "/default?acl", key: "default" },
    { target: "/?bucketInfo", key: "" },
    { target: "/?location", key: "" },
    { method: "PUT", target: "/?acl", key: "", headers: ["x-oss-acl", "public-read-write"], body: "" },
  ];
  for (const wire of requests) {
    t.equal((await send(emulator, wire)).status, 403, wire.target);
    t.equal((await send(emulator, signed(wire, "v4-header"))).status, 200, wire.target);
  }
});

t.test("a changed ACL shows and takes effect", async (t) => {
  const emulator = await start(t, "private");
  const change = {
    method: "PUT",
    target: "/default?acl",
    key: "default",
    headers: ["x-oss-object-acl", "public-read"],
  };
  t.equal((await send(emulator, signed(change, "v1-header"))).status, 200);
  t.match(
    (await send(emulator, signed({ target: "/default?acl", key: "default" }, "v1-header"))).text,
    "<Grant>public-read</Grant>",
  );
  t.equal((await send(emulator, { target: "/default" })).status, 200);
  const bucket = { method: "PUT", target: "/?acl", key: "", headers: ["x-oss-acl", "public-read-write"] };
  t.equal((await send(emulator, signed(bucket, "v1-header"))).status, 200);
  t.match(
    (await send(emulator, signed({ target: "/?acl", key: "" }, "v1-header"))).text,
    "<Grant>public-read-write</Grant>",
  );
  t.equal((await send(emulator, { method: "PUT", target: "/new", body: "x" })).status, 200);
  const bad = { ...bucket, headers: ["x-oss-acl", "open"] };
  t.equal((await send(emulator, signed(bad, "v1-header"))).code, "InvalidArgument");
});

t.test("response overrides need a signature", async (t) => {
  const emulator = await start(t, "public-read");
  const query =
    "response-content-type=text%2Fcss&response-content-disposition=attachment%3B%20filename%3D%22%E6%8A%A5.txt%22";
  const anonymous = await send(emulator, { target: `/default?${query}` });
  t.match([anonymous.status, anonymous.code], [400, "InvalidRequest"]);
  const owner = await send(emulator, signed({ target: `/default?${query}`, key: "default" }, "v1-url"));
  t.equal(owner.headers["content-type"], "text/css");
  const disposition = Buffer.from(String(owner.headers["content-disposition"]), "latin1").toString();
  t.equal(disposition, 'attachment; filename="报.txt"');
});

t.test("a response override with a line break is refused", async (t) => {
  const emulator = await start(t, "public-read");
  const target = "/default?response-content-type=a%0D%0Ab:%20c";
  t.equal((await send(emulator, signed({ target, key: "default" }, "v1-url"))).code, "InvalidArgument");
});

t.test("an image is forced to download on OSS's own host and not on a bound domain", async (t) => {
  const emulator = await start(t, "public-read");
  emulator.putObject(BUCKET, "a.png", "png", { "Content-Type": "image/png", "Content-Disposition": "inline" });
  const forced = await send(emulator, { host: DEFAULT_HOST, target: "/a.png" });
  t.match(forced.headers, {
    "content-disposition": "attachment",
    "x-oss-force-download": "true",
    "x-oss-ec": "0048-00000101",
  });
  const shown = await send(emulator, { target: "/a.png" });
  t.equal(shown.headers["content-disposition"], "inline");
  t.equal(shown.headers["x-oss-force-download"], undefined);
});

t.test("an application package is refused on OSS's own host", async (t) => {
  const emulator = await start(t, "public-read");
  emulator.putObject(BUCKET, "a.apk", "x");
  t.equal((await send(emulator, { host: DEFAULT_HOST, target: "/a.apk" })).code, "ApkDownloadForbidden");
  t.equal((await send(emulator, { target: "/a.apk" })).status, 200);
});

t.test("a preflight is refused as OSS does without CORS rules, also on a private bucket", async (t) => {
  const emulator = await start(t, "private");
  const preflight = (headers: readonly string[]) => send(emulator, { method: "OPTIONS", target: "/default", headers });
  const whole = await preflight(["Origin", "https://a.com", "Access-Control-Request-Method", "GET"]);
  t.match([whole.status, whole.code], [403, "AccessForbidden"]);
  t.match((await preflight([])).text, "Insufficient information. Origin request header needed.");
  t.match((await preflight(["Origin", "https://a.com"])).text, "Access-Control-Request-Method header needed.");
});

t.test("a GET with an Origin gets no CORS headers", async (t) => {
  const emulator = await start(t, "public-read");
  const answer = await send(emulator, { target: "/default", headers: ["Origin", "https://a.com"] });
  t.equal(answer.status, 200);
  t.notOk(Object.keys(answer.headers).some((name) => name.startsWith("access-control-") || name === "vary"));
});
