/** Values for property tests of links: short texts of the characters that an encoding could confuse. */
import fc from "fast-check";
import type { LinkClaims } from "../../../src/policy/link-token.js";

/** Texts that hold what delimits fields and parameters, digits that could pass for a length, and bytes of all kinds. */
export const text: fc.Arbitrary<string> = fc.oneof(
  fc.string({
    unit: fc.constantFrom("0", "1", "2", ":", ",", "-", "/", ".", "%", "&", "=", "+", " ", "é", "中"),
    maxLength: 8,
  }),
  fc.string({ unit: "binary", maxLength: 12 }),
);

/** A decoded path that begins with `/` and has no dot segment. */
export const path: fc.Arbitrary<string> = text.map((rest) => `/${rest}`).filter((p) => !/\/\.{1,2}(\/|$)/.test(p));

export const prefix: fc.Arbitrary<string> = path
  .map((p) => (p.endsWith("/") ? p : `${p}/`))
  .filter((p) => !/\/\.{1,2}\//.test(p));

export const claims: fc.Arbitrary<LinkClaims> = fc
  .record({
    route: text,
    exact: path,
    prefix,
    isPrefix: fc.boolean(),
    expiresSeconds: fc.integer({ min: 1, max: 2_000_000_000 }),
    scope: fc.option(prefix),
    client: fc.option(fc.constantFrom("192.0.2.1", "203.0.113.77", "2001:db8::1")),
    method: fc.constantFrom("GET", "PUT", "POST", "DELETE"),
    parameters: fc.array(fc.tuple(text, fc.option(text)), { maxLength: 3 }),
  })
  .map(({ exact, prefix, ...claims }) => ({ ...claims, path: claims.isPrefix ? prefix : exact }));
