import t from "tap";
import { validRefererProblem } from "../../../src/core/referer-entry.js";
import { compileValidReferers } from "../../../src/policy/valid-referers.js";

// The whole table is compared with a real NGINX in test/integration/referer-nginx.test.ts.
const DOCUMENTED = [
  "none",
  "blocked",
  "server_names",
  "*.example.com",
  "example.*",
  "www.example.org/galleries/",
  "~\\.google\\.",
];

t.test("the entries of NGINX's documentation admit what it says", (t) => {
  const check = compileValidReferers(DOCUMENTED, ["img.test"]);
  const valid = [
    undefined,
    "",
    "XXXX:+++++",
    "ftp://x.y/zzzzzzz",
    "http://img.test/",
    "https://www.example.com:8080/x",
    "HTTP://EXAMPLE.NET/",
    "http://www.example.org/galleries/1",
    "http://www.google.com/search",
  ];
  const invalid = [
    "http://evil.test/",
    "http://other.img.test/",
    "http://www.example.org/",
    "http://www.example.org/Galleries/",
    "http://google/zzzz",
  ];
  for (const referer of valid) t.equal(check(referer), null, String(referer));
  for (const referer of invalid) t.equal(check(referer), "invalid", referer);
  t.end();
});

t.test("without none and blocked, a referer that is absent, empty or no URL is invalid", (t) => {
  const check = compileValidReferers(["www.example.com"], ["img.test"]);
  for (const referer of [undefined, "", "-", "about:blank", "http://img.test/"]) t.equal(check(referer), "invalid");
  t.equal(check("http://www.example.com/"), null);
  t.end();
});

t.test("none alone, which NGINX refuses to load, admits what has no referer and nothing else", (t) => {
  const check = compileValidReferers(["none"], []);
  t.equal(check(undefined), null);
  for (const referer of ["", "http://www.example.com/"]) t.equal(check(referer), "invalid");
  t.end();
});

t.test("each path of a name that stands twice is good, and no path means every path", (t) => {
  const twice = compileValidReferers(["a.test/x/", "a.test/y/", ".b.test/z/", "b.test"], []);
  t.equal(twice("http://a.test/x/1"), null);
  t.equal(twice("http://a.test/y/1"), null);
  t.equal(twice("http://a.test/z/1"), "invalid");
  t.equal(twice("http://b.test/1"), null);
  t.equal(twice("http://w.b.test/1"), "invalid");
  t.end();
});

t.test("good entries have no problem", (t) => {
  const good = [...DOCUMENTED, ".example.com", "localhost", "a.b/c*d", "47.0.2.74", "~^(www\\.)?a{1,3}\\.(com|net)$"];
  for (const entry of good) t.equal(validRefererProblem(entry), null, entry);
  t.end();
});

t.test("each mistake is told in one sentence, and is refused at load", (t) => {
  const bad: readonly (readonly [entry: string, said: RegExp])[] = [
    ["", /empty/],
    ["http://www.example.com", /scheme/],
    ["HTTPS://www.example.com/x", /scheme/],
    ["www.example.com:8080", /port/],
    ["a b.test", /space/],
    ["例子.com", /xn--/],
    ["www.*.com", /\*\.example\.com/],
    ["*example.com", /no host name/],
    ["*", /no host name/],
    [".example.*", /no host name/],
    ["a..test", /no host name/],
    ["/path", /no host name/],
    ["~", /no expression/],
    ["~(", /no RE2 expression.*missing closing/],
    ["~(a)\\1", /no RE2 expression.*\\1.*back-references/],
    ["~(?=a)", /look-around/],
    ["~(?<!a)b", /look-around/],
    ["~(?>a+)b", /no RE2 expression/],
    ["~a{1001}", /no RE2 expression/],
    ["~((a{30}){30}){30}", /no RE2 expression/],
    ["~a{900}b{900}c{900}", /repeats too much/],
    [`~${"a".repeat(1_001)}`, /1001 characters/],
  ];
  for (const [entry, said] of bad) {
    const problem = validRefererProblem(entry);
    t.match(problem, said, entry.slice(0, 40));
    t.notMatch(problem, /\n/);
    t.throws(() => compileValidReferers(["www.example.com", entry], []), { message: problem ?? "" });
  }
  t.end();
});

t.test("expressions that hang a backtracking engine answer", (t) => {
  const expressions = ["(a+)+$", "(a*)*b", "(a|aa)+$", "^(([a-z])+.)+[A-Z]([a-z])+$", "(.*)(.*)(.*)(.*)(.*)x$"];
  const check = compileValidReferers(
    expressions.map((expression) => `~${expression}`),
    [],
  );
  for (const end of ["!", "/", "1"]) t.equal(check(`http://h/${"a".repeat(4_000)}${end}`), "invalid");
  t.equal(check(`http://h/${"a".repeat(4_000)}b`), null, "(a|aa)+$ and (a*)*b see all of it");
  t.end();
});

t.test("expressions see no referer that is longer than browsers send", (t) => {
  const check = compileValidReferers(["~end$", "a.test"], []);
  t.equal(check(`http://h/${"a".repeat(4_000)}end`), null);
  t.equal(check(`http://h/${"a".repeat(4_200)}end`), "invalid");
  t.equal(check(`http://a.test/${"a".repeat(4_200)}`), null, "names are not bounded so");
  t.end();
});
