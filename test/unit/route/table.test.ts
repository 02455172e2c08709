import fc from "fast-check";
import t from "tap";
import type { CompiledRoute } from "../../../src/route/compiled-route.js";
import { compilePattern, RouteTable } from "../../../src/route/table.js";

interface Entry {
  readonly host: string;
  readonly prefix: string;
  readonly pattern?: string;
}

function tableOf(entries: readonly Entry[]): RouteTable<CompiledRoute> {
  return new RouteTable(
    entries.map(({ host, prefix, pattern }) => ({
      host,
      route: {
        name: `${host}${prefix}${pattern ?? ""}`,
        pathPrefix: prefix,
        pathPattern: compilePattern(pattern ?? null),
      } as CompiledRoute,
    })),
  );
}

const nameOf = (table: RouteTable<CompiledRoute>, host: string, path: string): string | undefined =>
  table.find(host, path)?.name;

t.test("an exact host beats wildcards, and the longest wildcard beats shorter ones", (t) => {
  const table = tableOf(["a.b.test", "*.b.test", "*.test", "*.a.b.test"].map((host) => ({ host, prefix: "" })));
  const expected: readonly (readonly [host: string, name: string | undefined])[] = [
    ["a.b.test", "a.b.test"],
    ["x.a.b.test", "*.a.b.test"],
    ["y.x.a.b.test", "*.a.b.test"],
    ["c.b.test", "*.b.test"],
    ["d.c.b.test", "*.b.test"],
    ["b.test", "*.test"],
    ["test", undefined],
    ["ab.test", "*.test"],
    ["a.b.test.evil", undefined],
    ["", undefined],
    ["::1", undefined],
  ];
  for (const [host, name] of expected) t.equal(nameOf(table, host, "/"), name, host);
  t.end();
});

t.test("the longest prefix wins in whatever order the routes were written", (t) => {
  const prefixes = ["", "/a", "/a/b", "/ab", "/a/b/c"];
  fc.assert(
    fc.property(
      fc.shuffledSubarray(prefixes, { minLength: 1 }),
      fc.constantFrom("/", "/a", "/ab", "/a/b", "/a/b/", "/a/bc", "/a/b/c/d", "/abc"),
      (written, path) => {
        const table = tableOf(written.map((prefix) => ({ host: "h", prefix })));
        const covering = written.filter((prefix) => `${path}/`.startsWith(`${prefix}/`));
        const best = covering.sort((a, b) => b.length - a.length)[0];
        return nameOf(table, "h", path) === (best === undefined ? undefined : `h${best}`);
      },
    ),
    { seed: 1 },
  );
  t.end();
});

t.test("a host whose routes do not cover the path is not looked for elsewhere", (t) => {
  const table = tableOf([
    { host: "a.test", prefix: "/only" },
    { host: "*.test", prefix: "" },
  ]);
  t.equal(nameOf(table, "a.test", "/only/x"), "a.test/only");
  t.equal(nameOf(table, "a.test", "/x"), undefined);
  t.equal(nameOf(table, "b.test", "/x"), "*.test");
  t.end();
});

t.test("names of an object's prototype are no hosts", (t) => {
  const table = tableOf([{ host: "h", prefix: "" }]);
  for (const host of ["constructor", "__proto__", "toString", "hasownproperty"]) t.equal(table.find(host, "/"), null);
  t.end();
});

t.test(
  "of routes with one prefix the first whose pattern is found wins, and the one without pattern comes last",
  (t) => {
    const host = "h";
    const table = tableOf([
      { host, prefix: "" },
      { host, prefix: "", pattern: "(?i)\\.jpg$" },
      { host, prefix: "", pattern: "^/a" },
      { host, prefix: "/a/b" },
      { host, prefix: "/a/b", pattern: "c" },
    ]);
    const expected: readonly (readonly [path: string, name: string])[] = [
      ["/x", "h"],
      ["/x.JPG", "h(?i)\\.jpg$"],
      ["/a.jpg", "h(?i)\\.jpg$"],
      ["/a", "h^/a"],
      ["/a/b", "h/a/b"],
      ["/a/b/x.jpg", "h/a/b"],
      ["/a/b/c.jpg", "h/a/bc"],
      [`/${"a".repeat(5_000)}`, "h"],
    ];
    for (const [path, name] of expected) t.equal(nameOf(table, host, path), name, path);
    t.end();
  },
);
