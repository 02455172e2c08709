import t from "tap";
import { readConfig } from "../../../src/config/read-config.js";

const CONFIG = (entries: string): string => `listeners: [{ name: web, address: "127.0.0.1:80" }]
buckets: { media: { bucket: examplebucket, region: cn-beijing } }
routes:
  - name: images
    match: { hosts: [img.example.com] }
    bucket: media
    referer: { validReferers: ${entries} }
`;

t.test(
  "entries that NGINX would refuse, or that could hang a backtracking engine, are refused where they stand",
  async (t) => {
    const table: readonly (readonly [entries: string, column: number, hint: RegExp])[] = [
      ['[none, "~^(?!evil)"]', 38, /look-around and back-references are not taken/],
      ['["~(a)\\\\1"]', 32, /look-around and back-references/],
      ['["~"]', 32, /^~ has no expression behind it\.$/],
      ['["~*x"]', 32, /^~\*x has a \* too much: ~ alone leaves the case of letters out already\.$/],
      ['["~(a"]', 32, /^~\(a is no RE2 expression \(missing closing \): `\(a`\)\.$/],
      ['["~[a"]', 32, /^~\[a is no RE2 expression \(missing closing \]: `\[a`\)\.$/],
      ['["~a**"]', 32, /nested repetition operator: `\*\*`\)\.$/],
      ['["~(?#x)"]', 32, /unsupported Perl syntax: `\(\?#`\)\.$/],
      ['["~a{1001}"]', 32, /repeat count: `\{1001\}`\)\.$/],
      ['["~(?<=a)b"]', 32, /: look-around and back-references/],
      ['["~(?<!a)b"]', 32, /: look-around and back-references/],
      ['["~(?=a)b"]', 32, /: look-around and back-references/],
      ['["~(?<n>a)\\\\k<n>"]', 32, /: look-around and back-references/],
      ['["https://a.com"]', 32, /without the scheme/],
      ['["a.com:80"]', 32, /has a port/],
      ['["a*.com"]', 32, /before the first dot/],
    ];
    for (const [entries, column, hint] of table) {
      const result = readConfig(CONFIG(entries), "gateway.yaml");
      t.notOk(result.ok, entries);
      if (!result.ok) t.match(result.problems, [{ line: 7, col: column, hint }], entries);
    }
  },
);

t.test("what NGINX takes is taken", async (t) => {
  const result = readConfig(
    CONFIG('[none, blocked, server_names, "*.example.com", "~\\\\.example\\\\."]'),
    "gateway.yaml",
  );
  t.ok(result.ok);
});
