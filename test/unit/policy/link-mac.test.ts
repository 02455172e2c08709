import { createHmac } from "node:crypto";
import { inspect } from "node:util";
import fc from "fast-check";
import t from "tap";
import { Secret } from "../../../src/core/secret.js";
import { MacKey, macField } from "../../../src/policy/link-mac.js";
import { text } from "./arbitraries.js";

const secretText = fc.string({ unit: "binary", minLength: 1, maxLength: 150 });
const messageText = fc.oneof(
  text,
  fc.string({ unit: "binary", maxLength: 400 }),
  fc.integer({ min: 0, max: 6000 }).map((n) => "é".repeat(n)),
);

t.test("a MAC is HMAC-SHA-256 as node:crypto computes it, whatever the lengths of key and text", (t) => {
  fc.assert(
    fc.property(secretText, messageText, messageText, (secret, first, second) => {
      const key = new MacKey(new Secret(secret));
      const expected = (message: string): string => createHmac("sha256", secret).update(message).digest("base64url");
      // Twice, for what the first leaves behind in the buffers must not matter.
      return key.sign(first) === expected(first) && key.sign(second) === expected(second);
    }),
  );
  t.end();
});

t.test("texts around the size of the buffer, and keys around the size of a block", (t) => {
  for (const keyLength of [1, 63, 64, 65, 200]) {
    const secret = "k".repeat(keyLength);
    const key = new MacKey(new Secret(secret));
    for (const length of [0, 1, 55, 56, 63, 64, 1364, 1365, 1366, 4095, 4096, 4097, 20_000]) {
      const message = "m".repeat(length);
      const expected = createHmac("sha256", secret).update(message).digest("base64url");
      t.equal(key.sign(message), expected, `${keyLength} and ${length} bytes`);
    }
  }
  t.end();
});

t.test("a signature verifies with its key and its text only", (t) => {
  const key = new MacKey(new Secret("one"));
  const signature = key.sign("text");
  t.ok(key.verifies("text", signature));
  t.notOk(key.verifies("texT", signature));
  t.notOk(new MacKey(new Secret("two")).verifies("text", signature));
  t.end();
});

t.test("what differs from a signature in any character is none", (t) => {
  const key = new MacKey(new Secret("one"));
  const signature = key.sign("text");
  for (let i = 0; i < signature.length; i += 1) {
    const other = signature[i] === "A" ? "B" : "A";
    // U+0100 more has the same low byte.
    const lookalike = String.fromCharCode(signature.charCodeAt(i) + 0x100);
    for (const character of [other, lookalike, "=", "\0", ""]) {
      const changed = signature.slice(0, i) + character + signature.slice(i + 1);
      t.notOk(key.verifies("text", changed), `${i}: ${JSON.stringify(character)}`);
    }
  }
  for (const wrong of ["", `${signature}=`, `${signature}A`, ` ${signature}`]) t.notOk(key.verifies("text", wrong));
  t.end();
});

t.test("a field counts bytes, and an absent one is no empty one", (t) => {
  t.equal(macField("abc"), "3:abc,");
  t.equal(macField("中é"), "5:中é,");
  t.equal(macField(""), "0:,");
  t.equal(macField(null), "-,");
  t.end();
});

t.test("a key does not print its secret", (t) => {
  const key = new MacKey(new Secret("planted-secret"));
  for (const printed of [inspect(key, { depth: 9, showHidden: true }), JSON.stringify(key), String(key)]) {
    t.notMatch(printed, /planted|Uint8Array|Buffer/);
  }
  t.end();
});

t.test("a signature with something behind or in it is another, also right after a good one", async (t) => {
  const key = new MacKey(new Secret("a secret of some length"));
  const good = key.sign("text");
  for (const bad of [
    `${good.slice(0, 41)}\u{1f600}`,
    `${good.slice(0, 42)}\u00e9`,
    `${good} `,
    `${good.slice(0, 42)}=`,
  ]) {
    t.equal(key.verifies("text", good), true);
    t.equal(key.verifies("text", bad), false, bad);
  }
});
