import fc from "fast-check";
import t from "tap";
import { compilePathPatterns, LONGEST_PATH_CHARS } from "../../../src/policy/path-patterns.js";

const CASES: readonly (readonly [expression: string, path: string, rawPath: string, isFound: boolean])[] = [
  ["/\\.", "/.git/x", "/.git/x", true],
  ["/\\.", "/a.b/x", "/a.b/x", false],
  ["/\\.", "/.git/x", "/%2egit/x", true],
  ["^/private/", "//private/x", "//private/x", true],
  ["^/a/b/", "/a///b/x", "/a///b/x", true],
  ["^/a b/", "/a+b/x", "/a+b/x", true],
  ["^/a b/", "/a+b/x", "/a%2Bb/x", false],
  ["^/a b/x", "/a+b//x", "/a+b//x", true],
  ["(?i)\\.php$", "/x.PhP", "/x.PhP", true],
  ["\\.php$", "/x.PhP", "/x.PhP", false],
];

t.test("an expression is found in each way that OSS may read a path", async (t) => {
  for (const [expression, path, rawPath, isFound] of CASES)
    t.equal(compilePathPatterns([expression]).has(path, rawPath), isFound, `${expression} in ${rawPath}`);
});

t.test("one of several is enough, and what is longer than any key counts as found", async (t) => {
  const patterns = compilePathPatterns(["x$", "y$"]);
  t.same(
    ["/x", "/y", "/z", `/${"z".repeat(LONGEST_PATH_CHARS)}`].map((path) => patterns.has(path, path)),
    [true, true, false, true],
  );
});

t.test("what stands in a path is found in it, whatever is around it", async () => {
  const patterns = compilePathPatterns(["/\\.git/"]);
  const segment = fc.stringMatching(/^[a-z+]{0,5}$/);
  fc.assert(
    fc.property(fc.array(segment), fc.array(segment), (before, after) => {
      const path = ["", ...before, ".git", ...after, ""].join("/");
      return patterns.has(path, path);
    }),
  );
});

t.test("a path with a bucket's name is looked through without it too, and no other path is", async (t) => {
  const names = new Set(["examplebucket"]);
  const cases: readonly (readonly [strippedPrefix: string, path: string, isFound: boolean])[] = [
    ["", "/private/x", true],
    ["", "/examplebucket/private/x", true],
    ["", "/examplebucket//private/x", true],
    ["", "/otherbucket/private/x", false],
    ["", "/examplebucket/x/private/y", false],
    ["", "/examplebucket", false],
    ["/files", "/files/examplebucket/private/x", true],
    ["/files", "/files/x/private/y", false],
  ];
  for (const [strippedPrefix, path, isFound] of cases)
    t.equal(compilePathPatterns(["^/private/"], { names, strippedPrefix }).has(path, path), isFound, path);
});
