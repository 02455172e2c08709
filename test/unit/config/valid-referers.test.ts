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
      ['["~"]', 32, /No blanks/],
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
