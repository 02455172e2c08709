import fc from "fast-check";
import t from "tap";
import { encodePath } from "../../src/core/target.js";
import {
  ask,
  BUCKET,
  EVERY_METHOD,
  outcome,
  type SignWorld,
  signingRoute,
  startSigning,
} from "../support/sign-world.js";

const ROUTES =
  signingRoute("space", `${EVERY_METHOD}, allow: { anyone: true }`) +
  signingRoute("literal", "allow: { anyone: true }", "plusInPath: literal") +
  signingRoute("oldest", "allow: { anyone: true }", "version: v1") +
  signingRoute("bound", "keyPrefix: tenant a+b/, allow: { anyone: true }") +
  "  - { name: stripped, match: { hosts: [stripped.test], pathPrefix: /a b }, stripPrefix: true, keyPrefix: t/, bucket: one, auth: sign, sign: { credentials: reader }, allow: { anyone: true } }\n" +
  "  - { name: chosen, match: { hosts: [chosen.test] }, buckets: [one], auth: sign, sign: { credentials: reader }, allow: { anyone: true } }\n";

/** Stores the key with its own name as bytes, asks for the target, and says which key was read. */
async function read(world: SignWorld, host: string, target: string) {
  const answer = await ask(world, { host, target });
  return { answer, key: answer.status === 200 ? answer.text : null, sent: answer.captures[0]?.rawTarget };
}

interface Case {
  readonly host: string;
  readonly target: string;
  readonly key: string;
  readonly sent: string;
}

const CASES: readonly Case[] = [
  { host: "space.test", target: "/a+b", key: "a b", sent: "/a%20b" },
  { host: "space.test", target: "/a%2Bb", key: "a+b", sent: "/a%2Bb" },
  { host: "space.test", target: "/a%2bb", key: "a+b", sent: "/a%2Bb" },
  { host: "space.test", target: "/a%20b", key: "a b", sent: "/a%20b" },
  { host: "literal.test", target: "/a+b", key: "a+b", sent: "/a%2Bb" },
  { host: "literal.test", target: "/a%2Bb", key: "a+b", sent: "/a%2Bb" },
  { host: "literal.test", target: "/a%20b", key: "a b", sent: "/a%20b" },
  { host: "oldest.test", target: "/a+b%2Bc", key: "a b+c", sent: "/a%20b%2Bc" },
  { host: "space.test", target: "/a%2Fb", key: "a/b", sent: "/a/b" },
  { host: "space.test", target: "/a//b", key: "a//b", sent: "/a//b" },
  { host: "space.test", target: "/a/b/", key: "a/b/", sent: "/a/b/" },
  { host: "space.test", target: "/a%2525b", key: "a%25b", sent: "/a%2525b" },
  { host: "space.test", target: "/a%25b", key: "a%b", sent: "/a%25b" },
  { host: "space.test", target: "/a%3Fb", key: "a?b", sent: "/a%3Fb" },
  { host: "space.test", target: "/a%23b", key: "a#b", sent: "/a%23b" },
  { host: "space.test", target: "/%61%2D%5f%2E%7e", key: "a-_.~", sent: "/a-_.~" },
  { host: "space.test", target: "/!'()*;:@&=$,[]|", key: "!'()*;:@&=$,[]|", sent: encodePath("/!'()*;:@&=$,[]|") },
  { host: "space.test", target: "/%E5%9B%BE%E7%89%87.jpg", key: "图片.jpg", sent: "/%E5%9B%BE%E7%89%87.jpg" },
  { host: "space.test", target: "/%e5%9b%be", key: "图", sent: "/%E5%9B%BE" },
  { host: "space.test", target: "/a%0Ab%00c", key: "a\nb\0c", sent: "/a%0Ab%00c" },
  { host: "bound.test", target: "/x+y", key: "tenant a+b/x y", sent: "/tenant%20a%2Bb/x%20y" },
  { host: "stripped.test", target: "/a%20b/x%2By", key: "t/x+y", sent: "/t/x%2By" },
  { host: "chosen.test", target: `/${BUCKET}/x+y%2Fz`, key: "x y/z", sent: "/x%20y/z" },
];

t.test("one key is signed, sent and read, however the client wrote it", async (t) => {
  const world = await startSigning(t, ROUTES);
  const keys = new Set(CASES.map(({ key }) => key));
  for (const key of keys) world.emulator.putObject(BUCKET, key, key);
  for (const { host, target, key, sent } of CASES) {
    const found = await read(world, host, target);
    t.equal(found.key, key, `${host}${target}`);
    t.equal(found.sent, sent, `${host}${target}`);
  }
});

t.test("a plus and a space are two objects: neither target reads the other's", async (t) => {
  const world = await startSigning(t, ROUTES);
  world.emulator.putObject(BUCKET, "a+b", "plus");
  t.equal((await read(world, "space.test", "/a+b")).answer.status, 404);
  t.equal((await read(world, "space.test", "/a%20b")).answer.status, 404);
  t.equal((await read(world, "literal.test", "/a+b")).key, "plus");
  world.emulator.deleteObject(BUCKET, "a+b");
  world.emulator.putObject(BUCKET, "a b", "space");
  t.equal((await read(world, "space.test", "/a+b")).key, "space");
  t.equal((await read(world, "literal.test", "/a+b")).answer.status, 404);
  t.equal((await read(world, "literal.test", "/a%2Bb")).answer.status, 404);
});

t.test("what is stored under a key is what the same target reads", async (t) => {
  const world = await startSigning(t, ROUTES);
  for (const target of ["/up+1", "/up%2B1", "/up%252F", "/up//x"]) {
    const put = await ask(world, { method: "PUT", host: "space.test", target, body: target });
    t.equal(put.status, 200, target);
  }
  t.strictSame([...world.emulator.keys(BUCKET)].sort(), ["up 1", "up%2F", "up+1", "up//x"].sort());
  t.equal((await read(world, "space.test", "/up+1")).key, "/up+1");
});

/** Characters that signers and servers are known to disagree about, among all others. */
const character = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(..." +%/?#&=;:@!$'()*,~-._[]{}|\\^`\"<>\0\n\r\t\x7fé图😀a") },
  { weight: 1, arbitrary: fc.string({ unit: "grapheme", minLength: 1, maxLength: 1 }) },
);
const key = fc
  .array(character, { minLength: 1, maxLength: 40 })
  .map((characters) => characters.join(""))
  .filter((text) => !/^[/\\]/.test(text) && Buffer.byteLength(text) <= 1_023)
  // Dot segments are refused where the gateway changes the key.
  .filter((text) => !/(?:^|\/)\.{1,2}(?:\/|$)/.test(text));

/** Any spelling of a key: every byte may be written as an escape, in either case. */
function spelled(text: string, seed: number): string {
  let at = seed;
  return [...Buffer.from(text)]
    .map((byte) => {
      at = (at * 1_103_515_245 + 12_345) % 2_147_483_648;
      const character = String.fromCharCode(byte);
      const mayBeRaw = byte > 0x20 && byte < 0x7f && !'%?#+"'.includes(character);
      if (mayBeRaw && at % 3 !== 0) return character;
      const hex = byte.toString(16).padStart(2, "0");
      return `%${at % 2 === 0 ? hex : hex.toUpperCase()}`;
    })
    .join("");
}

t.test("any key in any spelling: the object of that key is read, by V4 and by V1", async (t) => {
  const world = await startSigning(t, ROUTES);
  await fc.assert(
    fc.asyncProperty(
      key,
      fc.nat(),
      fc.constantFrom("space.test", "oldest.test", "literal.test"),
      async (text, seed, host) => {
        world.emulator.putObject(BUCKET, text, text);
        const found = await read(world, host, `/${spelled(text, seed)}`);
        world.emulator.deleteObject(BUCKET, text);
        return found.key === text && found.sent === `/${encodePath(text)}`;
      },
    ),
    { numRuns: 250 },
  );
});

t.test("any key below a prefix: it stays below the prefix", async (t) => {
  const world = await startSigning(t, ROUTES);
  await fc.assert(
    fc.asyncProperty(key, fc.nat(), async (text, seed) => {
      const found = await read(world, "bound.test", `/${spelled(text, seed)}`);
      return found.answer.status === 404 && found.sent === `/tenant%20a%2Bb/${encodePath(text)}`;
    }),
    { numRuns: 100 },
  );
});

t.test("what names no key is refused before anything is signed", async (t) => {
  const world = await startSigning(t, ROUTES);
  const refused: Readonly<Record<string, string>> = {
    "/%ff": "INVALID_OBJECT_NAME",
    "/%ed%a0%80": "INVALID_OBJECT_NAME",
    "/a%2": "MALFORMED_TARGET",
    "/a%zz": "MALFORMED_TARGET",
    "/": "OPERATION_NOT_ALLOWED",
    "/?": "OPERATION_NOT_ALLOWED",
  };
  for (const [target, code] of Object.entries(refused)) {
    const answer = await ask(world, { host: "space.test", target });
    t.equal(outcome(answer), code, target);
    t.strictSame(answer.captures, [], target);
  }
  for (const target of ["/../x", "/x/%2e%2e/y", "/x%2f..%2fy", "/.", "/%2E./x"]) {
    const answer = await ask(world, { host: "bound.test", target });
    t.equal(outcome(answer), "DOT_SEGMENT", target);
    t.strictSame(answer.captures, [], target);
  }
});
