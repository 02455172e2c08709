import t from "tap";
import { createEmulator, type Emulator } from "../../src/emulator/index.js";
import type { CorsRule } from "../../src/policy/cors.js";
import { BUCKET, DOMAIN, NOW_MS, OWNER, send, signed } from "../unit/emulator/wire.js";

// The rules of oss-semantics §6.5; the matching itself is tested with the policy.
const R1: CorsRule = {
  allowedOrigins: ["https://a.com", "http://*.b.com"],
  allowedMethods: ["GET", "HEAD"],
  allowedHeaders: ["x-oss-*", "range"],
  exposeHeaders: ["ETag", "x-oss-request-id"],
  maxAgeSeconds: 600,
};
const R2: CorsRule = { ...R1, allowedOrigins: ["*"], allowedHeaders: [], exposeHeaders: [], maxAgeSeconds: null };

interface Setting {
  readonly corsRules?: readonly CorsRule[];
  readonly corsResponseVary?: boolean;
}

async function start(t: Pick<typeof import("tap").t, "teardown">, setting: Setting): Promise<Emulator> {
  const emulator = createEmulator();
  t.teardown(() => emulator.close());
  await emulator.listen();
  emulator.setNowMs(NOW_MS);
  emulator.addCredentials(OWNER);
  emulator.addBucket({ name: BUCKET, acl: "public-read", domains: [DOMAIN], ...setting });
  emulator.putObject(BUCKET, "k", "text", { "Content-Type": "text/plain" });
  emulator.putObject(BUCKET, "private", "text", { "x-oss-object-acl": "private" });
  return emulator;
}

function preflight(emulator: Emulator, headers: readonly string[], target = "/k") {
  return send(emulator, { method: "OPTIONS", target, headers });
}

const asked = (origin: string, method: string): string[] => ["Origin", origin, "Access-Control-Request-Method", method];

/** The CORS headers of an answer and its Vary, by their lower-case names. */
function corsOf({ headers }: Awaited<ReturnType<typeof send>>): Record<string, unknown> {
  const names = Object.entries(headers).filter(([name]) => name.startsWith("access-control-") || name === "vary");
  return Object.fromEntries(names);
}

t.test(
  "a preflight that a rule matches is answered 200 with what was asked, also where there is no object",
  async (t) => {
    const emulator = await start(t, { corsRules: [R1] });
    for (const target of ["/k", "/private", "/none", "/"]) {
      const headers = [...asked("https://a.com", "GET"), "Access-Control-Request-Headers", "X-OSS-Meta-Foo, Range"];
      const answer = await preflight(emulator, headers, target);
      t.equal(answer.status, 200);
      t.match(answer.headers, { "content-length": "0", server: "AliyunOSS", "x-oss-request-id": /^\w{24}$/ });
      t.same(corsOf(answer), {
        "access-control-allow-origin": "https://a.com",
        "access-control-allow-methods": "GET",
        "access-control-allow-headers": "X-OSS-Meta-Foo, Range",
        "access-control-expose-headers": "ETag, x-oss-request-id",
        "access-control-max-age": "600",
      });
    }
  },
);

t.test("a preflight that no rule matches is 403 without CORS headers", async (t) => {
  for (const corsRules of [[], [R1]]) {
    const emulator = await start(t, { corsRules });
    const answer = await preflight(emulator, asked("https://a.com", "PUT"));
    t.match([answer.status, answer.code], [403, "AccessForbidden"]);
    t.same(corsOf(answer), {});
  }
});

t.test("an incomplete preflight is 400, whatever the rules", async (t) => {
  const emulator = await start(t, { corsRules: [R1, R2] });
  t.match(await preflight(emulator, []), { status: 400, code: "BadRequest", text: /Origin request header needed/ });
  const noMethod = await preflight(emulator, ["Origin", "https://a.com"]);
  t.match(noMethod, { status: 400, code: "BadRequest", text: /Access-Control-Request-Method header needed/ });
});

t.test("a rule for all answers *, also to the origin null", async (t) => {
  const emulator = await start(t, { corsRules: [R1, R2] });
  for (const origin of ["https://zzz.com", "null"]) {
    t.same(corsOf(await preflight(emulator, asked(origin, "GET"))), {
      "access-control-allow-origin": "*",
      "access-control-allow-methods": "GET",
    });
  }
});

const ACTUAL = {
  "access-control-allow-origin": "https://a.com",
  "access-control-allow-methods": "GET, HEAD",
  "access-control-allow-headers": "x-oss-*, range",
  "access-control-expose-headers": "ETag, x-oss-request-id",
  "access-control-max-age": "600",
};

t.test(
  "an actual request gets the rule's headers when its origin and method match, and its body in any case",
  async (t) => {
    const emulator = await start(t, { corsRules: [R1] });
    const get = (origin: readonly string[], method = "GET", target = "/k") =>
      send(emulator, { method, target, headers: origin });
    const allowed = ["Origin", "https://a.com"];
    t.same(corsOf(await get(allowed)), ACTUAL);
    t.same(corsOf(await get(allowed, "HEAD")), ACTUAL);
    t.same(corsOf(await get([...allowed, "Range", "bytes=0-1"])), ACTUAL);
    const missing = await get(allowed, "GET", "/none");
    t.same([missing.status, corsOf(missing)], [404, ACTUAL]);
    for (const headers of [["Origin", "https://evil.com"], ["Origin", "https://a.com:8443"], []]) {
      const answer = await get(headers);
      t.same([answer.status, answer.text, corsOf(answer)], [200, "text", {}]);
    }
    const denied = await get(allowed, "GET", "/private");
    t.same([denied.status, corsOf(denied)], [403, {}], "who is not allowed learns nothing of the rules");
  },
);

t.test("with ResponseVary every answer of the bucket varies by origin, matched or not", async (t) => {
  const emulator = await start(t, { corsRules: [R1], corsResponseVary: true });
  const evil = await send(emulator, { target: "/k", headers: ["Origin", "https://evil.com"] });
  t.same([evil.status, corsOf(evil)], [200, { vary: "Origin" }]);
  t.same(corsOf(await send(emulator, { target: "/k" })), { vary: "Origin" });
  t.equal(corsOf(await send(emulator, { target: "/k", headers: ["Origin", "https://a.com"] })).vary, "Origin");
  t.equal(corsOf(await send(emulator, { target: "/private" })).vary, "Origin");
  t.equal(corsOf(await preflight(emulator, asked("https://a.com", "GET"))).vary, "Origin");
});

t.test("a form that a browser posts gets CORS headers", async (t) => {
  const emulator = await start(t, { corsRules: [{ ...R1, allowedMethods: ["POST"] }] });
  emulator.addBucket({ name: "open-bucket", acl: "public-read-write", domains: ["open.example.com"] });
  emulator.setCors("open-bucket", [{ ...R2, allowedMethods: ["POST"] }]);
  const part = (name: string, value: string): string =>
    `--b\r\nContent-Disposition: form-data; name="${name}"${name === "file" ? '; filename="f"' : ""}\r\n\r\n${value}\r\n`;
  const body = `${part("key", "up")}${part("file", "bytes")}--b--\r\n`;
  const headers = ["Content-Type", "multipart/form-data; boundary=b", "Origin", "https://a.com"];
  const answer = await send(emulator, { method: "POST", host: "open.example.com", target: "/", headers, body });
  t.equal(answer.status, 204);
  t.equal(answer.headers["access-control-allow-origin"], "*");
});

const XML =
  "<CORSConfiguration><CORSRule><AllowedOrigin>https://a.com</AllowedOrigin><AllowedOrigin>http://*.b.com</AllowedOrigin>" +
  "<AllowedMethod>GET</AllowedMethod><AllowedMethod>HEAD</AllowedMethod><AllowedHeader>x-oss-*</AllowedHeader>" +
  "<AllowedHeader>range</AllowedHeader><ExposeHeader>ETag</ExposeHeader><ExposeHeader>x-oss-request-id</ExposeHeader>" +
  "<MaxAgeSeconds>600</MaxAgeSeconds></CORSRule><ResponseVary>true</ResponseVary></CORSConfiguration>";

t.test("the owner writes, reads and deletes the configuration; nobody else does", async (t) => {
  const emulator = await start(t, {});
  const call = (method: string, body?: string) => {
    const wire = { method, target: "/?cors", key: "", ...(body === undefined ? {} : { body }) };
    return send(emulator, signed(wire, "v4-header"));
  };
  t.match(await call("GET"), { status: 404, code: "NoSuchCORSConfiguration" });
  t.equal((await call("PUT", XML)).status, 200);
  t.match((await call("GET")).text, XML);
  const answer = await send(emulator, { target: "/k", headers: ["Origin", "https://a.com"] });
  t.same(corsOf(answer), { ...ACTUAL, vary: "Origin" });
  for (const method of ["GET", "PUT", "DELETE"]) {
    t.equal((await send(emulator, { method, target: "/?cors", body: "" })).status, 403, method);
  }
  t.equal((await call("DELETE")).status, 204);
  t.equal((await call("GET")).status, 404);
  t.same(corsOf(await send(emulator, { target: "/k", headers: ["Origin", "https://a.com"] })), {});
});

const rule = (inner: string): string => `<CORSConfiguration><CORSRule>${inner}</CORSRule></CORSConfiguration>`;
const ALL = "<AllowedOrigin>*</AllowedOrigin><AllowedMethod>GET</AllowedMethod>";

const BAD_CONFIGURATIONS: readonly (readonly [why: string, xml: string, code: string])[] = [
  ["no XML", "cors", "MalformedXML"],
  ["another document", "<Cors/>", "MalformedXML"],
  ["no rules", "<CORSConfiguration/>", "MalformedXML"],
  ["no origin", rule("<AllowedMethod>GET</AllowedMethod>"), "MalformedXML"],
  ["an unknown method", rule("<AllowedOrigin>*</AllowedOrigin><AllowedMethod>PATCH</AllowedMethod>"), "MalformedXML"],
  ["an age that is no number", rule(`${ALL}<MaxAgeSeconds>-1</MaxAgeSeconds>`), "MalformedXML"],
  ["two wildcards", rule(`${ALL}<AllowedHeader>*-*</AllowedHeader>`), "MalformedXML"],
  [
    "21 rules",
    `<CORSConfiguration>${`<CORSRule>${ALL}</CORSRule>`.repeat(21)}</CORSConfiguration>`,
    "CORSRuleBeyondLimit",
  ],
  ["more than 16 KiB", rule(ALL).padEnd(16 * 1024 + 1), "EntityTooLarge"],
];

for (const [why, xml, code] of BAD_CONFIGURATIONS) {
  t.test(`a CORS configuration with ${why} is refused and changes nothing`, async (t) => {
    const emulator = await start(t, { corsRules: [R2] });
    const wire = { method: "PUT", target: "/?cors", key: "", body: xml };
    t.match(await send(emulator, signed(wire, "v1-header")), { status: 400, code });
    t.equal((await preflight(emulator, asked("https://zzz.com", "GET"))).status, 200);
  });
}

t.test("the emulator refuses rules that OSS would refuse", async (t) => {
  const emulator = await start(t, {});
  t.throws(() => emulator.setCors(BUCKET, [{ ...R1, allowedMethods: ["OPTIONS"] }]), /OPTIONS cannot be allowed/);
  t.throws(() => emulator.setCors("none", [R1]), /no bucket none/);
  emulator.setCors(BUCKET, [R1], true);
  t.equal((await preflight(emulator, asked("https://a.com", "GET"))).status, 200);
  emulator.setCors(BUCKET, null);
  t.equal((await preflight(emulator, asked("https://a.com", "GET"))).status, 403);
});
