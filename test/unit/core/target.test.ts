import fc from "fast-check";
import t from "tap";
import { GatewayError } from "../../../src/core/errors.js";
import {
  coversPath,
  decodePath,
  encodePath,
  hasDotSegment,
  splitTarget,
  stripRawPrefix,
  targetProblem,
} from "../../../src/core/target.js";

t.test("a target is split at its first question mark, and nothing is lost", (t) => {
  const table: readonly (readonly [target: string, path: string, query: string, suffix: string])[] = [
    ["/", "/", "", ""],
    ["/a?", "/a", "", "?"],
    ["/a?b", "/a", "b", "?b"],
    ["/a?b?c", "/a", "b?c", "?b?c"],
    ["/a%3Fb", "/a%3Fb", "", ""],
    ["/??", "/", "?", "??"],
  ];
  for (const [target, rawPath, rawQuery, rawSuffix] of table) {
    t.same(splitTarget(target), { rawPath, rawQuery, rawSuffix }, target);
  }
  t.end();
});

t.test("printable ASCII is a target, anything else is named", (t) => {
  for (const target of ["/", "//", "/a%zz", '/"<>\\^`{|}', "/?[]~"]) t.equal(targetProblem(target), null, target);
  for (const target of ["", "a", "*", "?a"]) t.match(targetProblem(target), /slash/, target);
  for (const target of ["/a#b", "/?#"]) t.match(targetProblem(target), /%23/, target);
  for (const target of ["/\x80", "/\xe4", "/ ", "/\t", "/\r\n", "/\0", "/\x7f"]) {
    t.match(targetProblem(target), /printable ASCII/, JSON.stringify(target));
  }
  t.end();
});

t.test("a path is decoded exactly once, escaped slashes too", (t) => {
  const table: readonly (readonly [raw: string, path: string])[] = [
    ["/a", "/a"],
    ["/a%2Fb%2fc", "/a/b/c"],
    ["/%2570rivate", "/%70rivate"],
    ["/%252F", "/%2F"],
    ["/a+b", "/a+b"],
    ["/a%20b%2B", "/a b+"],
    ["/%E4%B8%AD%f0%9f%98%80", "/中😀"],
    ["/%00", "/\0"],
  ];
  for (const [raw, path] of table) t.equal(decodePath(raw), path, raw);
  t.end();
});

t.test("what does not decode says whether the escape or the bytes are wrong", (t) => {
  const codeOf = (raw: string): string => {
    try {
      return decodePath(raw);
    } catch (error) {
      return error instanceof GatewayError ? error.code : "another error";
    }
  };
  for (const raw of ["/%", "/%2", "/%zz", "/%%20", "/%u0041", "/%ff%"]) t.equal(codeOf(raw), "MALFORMED_TARGET", raw);
  for (const raw of ["/%ff", "/%c0%af", "/%c1%b0", "/%e0%80%af", "/%ed%a0%80", "/%f4%90%80%80", "/%e4%b8", "/%80"]) {
    t.equal(codeOf(raw), "INVALID_OBJECT_NAME", raw);
  }
  t.end();
});

t.test("encoding a path and decoding it gives the path", (t) => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme" }), (text) => {
      const encoded = encodePath(text);
      return decodePath(encoded) === text && /^(?:[A-Za-z0-9._~/-]|%[0-9A-F]{2})*$/.test(encoded);
    }),
    { seed: 1 },
  );
  t.equal(encodePath("a b/中(*)!'"), "a%20b/%E4%B8%AD%28%2A%29%21%27");
  t.end();
});

t.test("dot segments are whole segments", (t) => {
  for (const path of ["/.", "/..", "/a/.", "/a/..", "/./a", "/../a", "/a/./b", "/a//../b"])
    t.ok(hasDotSegment(path), path);
  for (const path of ["/", "/a", "/...", "/.a", "/a.", "/..a", "/a..", "/a/.b/c", "/a./b", "/%2e", "/..\\"]) {
    t.notOk(hasDotSegment(path), path);
  }
  t.end();
});

t.test("a prefix covers a path up to a segment border", (t) => {
  for (const path of ["/a", "/a/", "/a/b", "/a//"]) t.ok(coversPath("/a", path), path);
  for (const path of ["/", "/ab", "/A", "//a", "/b/a", "/a.", ""]) t.notOk(coversPath("/a", path), path);
  for (const path of ["/", "/a", "//"]) t.ok(coversPath("", path), path);
  t.end();
});

t.test("a prefix in any spelling is taken off the raw path, the rest is as it was", (t) => {
  const table: readonly (readonly [raw: string, prefix: string, rest: string])[] = [
    ["/media", "/media", "/"],
    ["/media/", "/media", "/"],
    ["/media/a%20b", "/media", "/a%20b"],
    ["/media%2Fa", "/media", "/a"],
    ["/%6dedia%2Fa%2Fb", "/media", "/a%2Fb"],
    ["/media//a", "/media", "//a"],
    ["/media%2F%2Fa", "/media", "/%2Fa"],
    ["/%E5%9B%BE/a", "/图", "/a"],
    ["/%E5%9B%BE", "/图", "/"],
    ["/a%20b/c", "/a b", "/c"],
  ];
  for (const [raw, prefix, rest] of table) t.equal(stripRawPrefix(raw, prefix), rest, raw);
  t.end();
});

t.test("stripping the raw path is stripping the decoded one", (t) => {
  const spelled = (text: string) =>
    fc
      .array(fc.constantFrom("raw", "upper", "lower"), { minLength: text.length, maxLength: text.length })
      .map((hows) =>
        [...text].map((c, i) => (i === 0 || hows[i] === "raw" ? c : spell(c, hows[i] as string))).join(""),
      );
  fc.assert(
    fc.property(spelled("/media/x"), fc.constantFrom("", "/a", "//b%2F", "%20"), (raw, tail) => {
      return decodePath(stripRawPrefix(raw + tail, "/media")) === decodePath(raw + tail).slice("/media".length);
    }),
    { seed: 1 },
  );
  t.end();
});

function spell(letter: string, how: string): string {
  const hex = letter.charCodeAt(0).toString(16);
  return `%${how === "upper" ? hex.toUpperCase() : hex}`;
}
