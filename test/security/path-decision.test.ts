import fc from "fast-check";
import t from "tap";
import { startGateway } from "../support/gateway.js";
import { RawConnection, valuesOf } from "../support/raw-client.js";
import { startStrictOrigin } from "../support/strict-origin.js";
import { codeOf } from "./before-origin.js";

const origin = await startStrictOrigin(t);
const bucket = (name: string): string =>
  `{ bucket: ${name}, region: cn-beijing, endpoint: "http://127.0.0.1:${origin.port}" }`;
const gateway = await startGateway(
  t,
  `
listeners: [{ name: web, address: "127.0.0.1:0" }]
admin: { address: "127.0.0.1:0" }
buckets: { vault: ${bucket("vault")}, open: ${bucket("open")}, tenants: ${bucket("tenants")} }
routes:
  - { name: private, match: { hosts: [g.test], pathPrefix: /private }, bucket: vault, methods: [HEAD] }
  - { name: all, match: { hosts: [g.test] }, bucket: open, methods: [GET, HEAD, PUT, POST, DELETE] }
  - { name: tenant, match: { hosts: [t.test] }, bucket: tenants, keyPrefix: tenant-a/ }
  - { name: strip, match: { hosts: [s.test], pathPrefix: /media }, bucket: tenants, stripPrefix: true, keyPrefix: media-b/ }
`,
);

/** What OSS takes for the key: the path behind the first slash, every escape decoded once; a byte is one character. */
function keyAtOss(target: string): string {
  const path = target.split("?", 1)[0] as string;
  return path.slice(1).replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}

interface Arrival {
  readonly status: number;
  readonly code: string | undefined;
  /** `null` when nothing arrived at the origin. */
  readonly arrived: { readonly bucket: string; readonly key: string } | null;
}

let connection = await RawConnection.open(gateway.port);
t.teardown(() => connection.close());

async function ask(method: string, host: string, target: string): Promise<Arrival> {
  origin.clear();
  connection.send(`${method} ${target} HTTP/1.1\r\nHost: ${host}\r\nContent-Length: 0\r\n\r\n`);
  const answer = await connection.answer(method);
  if (valuesOf(answer.rawHeaders, "connection").includes("close")) connection = await RawConnection.open(gateway.port);
  const [request] = origin.requests;
  const arrived =
    request === undefined
      ? null
      : {
          bucket: (valuesOf(request.rawHeaders, "host")[0] as string).split(".", 1)[0] as string,
          key: keyAtOss(request.target),
        };
  return { status: answer.status, code: codeOf(answer), arrived };
}

const isPrivate = (key: string): boolean => key === "private" || key.startsWith("private/");

const SAME_KEY: readonly string[] = [
  "/private/x",
  "/private",
  "/private/",
  "/private?x",
  "/private/?x=/../..",
  "/%70rivate/x",
  "/%70%72%69%76%61%74%65/x",
  "/privat%65",
  "/private%2Fx",
  "/private%2fx",
  "/%70rivate%2Fx",
  "/private//x",
  "/private/../x",
  "/private/%2e%2e/x",
  "/private/..%2Fx",
  "/private%2F..%2Fpublic",
  "/private/%25",
];

t.test("every spelling of a protected prefix takes the protected route", async (t) => {
  for (const target of SAME_KEY) {
    const asked = await ask("GET", "g.test", target);
    t.same([asked.status, asked.code, asked.arrived], [405, "METHOD_NOT_ALLOWED", null], `GET ${target}`);
    const { arrived } = await ask("HEAD", "g.test", target);
    t.equal(arrived?.bucket, "vault", `HEAD ${target}`);
    t.ok(isPrivate(arrived?.key ?? ""), `HEAD ${target}`);
  }
});

const OTHER_KEYS: readonly string[] = [
  "//private/x",
  "/%2Fprivate/x",
  "/%2f%2Fprivate/x",
  "/./private/x",
  "/%2e/private/x",
  "/x/../private/x",
  "/x/%2e%2e/private/x",
  "/x%2F..%2Fprivate/x",
  "/../private/x",
  "/..%2Fprivate/x",
  "/%252Fprivate",
  "/private%252Fx",
  "/%2570rivate/x",
  "/PRIVATE/x",
  "/Private/x",
  "/privatex",
  "/private;x",
  "/private;/x",
  "/private.",
  "/private./x",
  "/private%20/x",
  "/private%00/x",
  "/private%09/x",
  "/private+/x",
  "/private%5Cx",
  "/private\\x",
  "/\\private/x",
  "/;/private/x",
  "/x;/../private",
  "/prıvate/x".replace("ı", "%C4%B1"),
  "/%EF%BD%90rivate/x",
  "/p%CC%81rivate/x",
  "/private%E2%88%95x",
  "/private%3Fx",
  "/private%23x",
  "/?/private/x",
  "/.private",
  "/ private".replace(" ", "%20"),
];

t.test("what only looks like the protected prefix goes to the catch-all route under its own key", async (t) => {
  for (const target of OTHER_KEYS) {
    const { arrived } = await ask("GET", "g.test", target);
    t.equal(arrived?.bucket, "open", target);
    t.equal(arrived?.key, keyAtOss(target), target);
    t.notOk(isPrivate(arrived?.key ?? ""), target);
  }
});

const NO_KEYS: readonly (readonly [target: string, code: string])[] = [
  ["/%c0%afprivate/x", "INVALID_OBJECT_NAME"],
  ["/private%c0%afx", "INVALID_OBJECT_NAME"],
  ["/%e0%80%afprivate", "INVALID_OBJECT_NAME"],
  ["/%f0%80%80%afprivate", "INVALID_OBJECT_NAME"],
  ["/%c1%b0rivate/x", "INVALID_OBJECT_NAME"],
  ["/%f1rivate", "INVALID_OBJECT_NAME"],
  ["/private%ff", "INVALID_OBJECT_NAME"],
  ["/private%ed%a0%80", "INVALID_OBJECT_NAME"],
  ["/%u0070rivate/x", "MALFORMED_TARGET"],
  ["/%7rivate/x", "MALFORMED_TARGET"],
  ["/private%2", "MALFORMED_TARGET"],
  ["/private%", "MALFORMED_TARGET"],
  ["/private%%2Fx", "MALFORMED_TARGET"],
  ["/private%x2Fx", "MALFORMED_TARGET"],
  ["/private#/x", "MALFORMED_TARGET"],
];

t.test("a path that decodes to no key is 400, and is not sent", async (t) => {
  for (const [target, code] of NO_KEYS) {
    t.same(await ask("GET", "g.test", target), { status: 400, code, arrived: null }, target);
  }
});

// The characters that spell, hide or leave the prefix are likelier than others.
const piece = fc.constantFrom(
  "private",
  "p",
  "/",
  "//",
  ".",
  "..",
  "%2F",
  "%2f",
  "%2E",
  "%70",
  "%50",
  "%25",
  "\\",
  ";",
  "?",
  "x",
  "%00",
  "%e4%b8%ad",
  "%",
  "%c0%af",
  "#",
  "+",
);
const spelling = fc
  .array(fc.tuple(fc.constantFrom(..."/private/x"), fc.constantFrom("raw", "upper", "lower")))
  .map((letters) => letters.map(([letter, how]) => spell(letter, how)).join(""));

function spell(letter: string, how: string): string {
  const hex = letter.charCodeAt(0).toString(16);
  return how === "raw" ? letter : `%${how === "upper" ? hex.toUpperCase() : hex}`;
}

const anyTarget = fc
  .oneof(
    fc.array(piece, { maxLength: 8 }).map((pieces) => pieces.join("")),
    spelling,
    fc
      .array(fc.constantFrom("raw", "upper", "lower"), { minLength: 9, maxLength: 9 })
      .map((hows) => [..."private/x"].map((letter, i) => spell(letter, hows[i] as string)).join("")),
  )
  .map((text) => `/${text}`);

t.test("the route decides on the key that OSS sees, whatever the target", async (t) => {
  let count = 0;
  await fc.assert(
    fc.asyncProperty(anyTarget, async (target) => {
      const { status, arrived } = await ask("HEAD", "g.test", target);
      count += 1;
      if (arrived === null) return status === 400;
      return arrived.key === keyAtOss(target) && arrived.bucket === (isPrivate(arrived.key) ? "vault" : "open");
    }),
    { numRuns: 1_500, seed: 20_261_122 },
  );
  t.ok(count >= 1_500);
});

t.test("no target leads out of a key prefix", async (t) => {
  const leaves = (key: string): boolean => key.split("/").some((segment) => segment === "." || segment === "..");
  let relayed = 0;
  await fc.assert(
    fc.asyncProperty(anyTarget, fc.boolean(), async (target, isStripped) => {
      const asked = isStripped ? await ask("HEAD", "s.test", `/media${target}`) : await ask("HEAD", "t.test", target);
      if (asked.arrived === null) return asked.status === 400 || asked.status === 404;
      relayed += 1;
      const prefix = isStripped ? "media-b/" : "tenant-a/";
      const rest = keyAtOss(target);
      return asked.arrived.key === prefix + rest && !leaves(asked.arrived.key);
    }),
    { numRuns: 1_500, seed: 20_261_122 },
  );
  t.ok(relayed > 300, `${relayed} of them arrived`);
});

t.test("a dot segment is 400 on a route that changes the key, however it is written", async (t) => {
  for (const dots of [".", "..", "%2e", "%2E%2e", ".%2e"]) {
    for (const tail of ["", "/", "/x", "%2Fx"]) {
      t.equal((await ask("HEAD", "t.test", `/${dots}${tail}`)).code, "DOT_SEGMENT", `/${dots}${tail}`);
      t.equal((await ask("HEAD", "s.test", `/media/a%2F${dots}${tail}`)).code, "DOT_SEGMENT");
    }
  }
  for (const target of ["/...", "/..x", "/.x", "/x..", "/x.", "/%252e%252e/x", "/a/..;/x", "/..%5Cx"]) {
    t.equal((await ask("HEAD", "t.test", target)).arrived?.key, `tenant-a/${keyAtOss(target)}`, target);
  }
});
