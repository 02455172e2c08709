import t from "tap";
import { configOf, GOOD, placesOf, problemsOf, withLines } from "./helpers.js";

const ROWS: readonly [claim: string, text: string, places: readonly string[], message: RegExp][] = [
  ["an empty file", "", ["g.yaml:1:1: (root):"], /found an empty file/],
  ["a file of comments", "# nothing\n", ["g.yaml:1:1: (root):"], /found an empty file/],
  ["a list as the root", "- a\n", ["g.yaml:1:1: (root):"], /expected a map of these keys: listeners, .*found a list/],
  ["a word as the root", "hello\n", ["g.yaml:1:1: (root):"], /found "hello"/],
  ["a tab as indentation", "listeners:\n\t- name: web\n", ["g.yaml:2:1: (yaml):"], /does not indent with tabs/],
  ["a second document", `${GOOD}---\na: 1\n`, ["g.yaml:14:1: (yaml):"], /expected one document in the file/],
  ["an open quote", "log: { level: 'info }\n", ["g.yaml:2:1: (yaml):"], /closing quote/],
  ["an open bracket", "log: { level: info\nlimits: {}\n", ["g.yaml:2:1: (yaml):"], /Is a bracket open\?/],
  [
    "IPv6 without quotes",
    "listeners:\n  - address: [::]:80\n",
    ["g.yaml:2:18: (yaml):"],
    /address with brackets in quotes/,
  ],
  ["a value with ': ' in it", "log: a: b\n", ["g.yaml:1:6: (yaml):"], /in quotes/],
  ["a line without a colon", "log\nlimits: {}\n", ["g.yaml:1:1: (yaml):"], /Is a ':' missing/],
  ["a value that begins with @", "log: @x\n", ["g.yaml:1:6: (yaml):"], /Put the value in quotes/],
  ["an unknown escape", 'log: "\\q"\n', ["g.yaml:1:7: (yaml):"], /backslash/],
  ["a tag", "log: !env X\n", ["g.yaml:1:6: (yaml):"], /Tags have no meaning here/],
  ["a list as a key", "? [a]\n: 1\n", ["g.yaml:1:3: (yaml):"], /plain name as the key/],
  ["__proto__ as a key", "__proto__: 1\n", ["g.yaml:1:1: (yaml):"], /plain name as the key/],
  ["nesting without end", "[".repeat(100_000), ["g.yaml:1:65: (yaml):"], /at most 64 levels/],
  ["nesting without end in blocks", "- ".repeat(50_000), ["g.yaml:1:129: (yaml):"], /at most 64 levels/],
  ["a file of more than 1 MiB", "#".repeat(2 ** 20 + 1), ["g.yaml:1:1: (yaml):"], /at most 1 MiB/],
  ["an alias to itself", "log: &a [*a]\n", ["g.yaml:1:10: (yaml):"], /cannot stand inside/],
];

for (const [claim, text, places, message] of ROWS) {
  t.test(`${claim} is one clear problem at its place`, async (t) => {
    t.strictSame(placesOf(text), places);
    t.match(problemsOf(text)[0], message);
  });
}

t.test(
  "wildcards without quotes, which YAML takes for aliases, are told to get quotes, among all other problems",
  async (t) => {
    const text = withLines({ 9: "    match: { hosts: [*.example.com, *.example.net, a:80] }" });
    t.strictSame(placesOf(text), [
      "g.yaml:9:22: (yaml):",
      "g.yaml:9:37: (yaml):",
      "g.yaml:9:52: routes[0].match.hosts[2]:",
    ]);
    t.match(problemsOf(text)[0], 'Put it in quotes: "*.example.com"');
  },
);

t.test("a key twice is reported together with what else is wrong", async (t) => {
  const text = `${GOOD}buckets: { x: { bucket: no } }\nlog: { level: loud }\n`;
  t.strictSame(placesOf(text), ["g.yaml:14:1: (yaml):", "g.yaml:15:15: log.level:"]);
  t.match(problemsOf(text)[0], /found "buckets" a second time/);
});

t.test("aliases that expand a small text to millions of values are stopped", async (t) => {
  const levels = Array.from({ length: 12 }, (_, i) => `a${i + 1}: &a${i + 1} [${`*a${i}, `.repeat(8)}]`);
  const text = `a0: &a0 [x]\n${levels.join("\n")}\n`;

  t.match(problemsOf(text)[0], /at most 100000 values and 200 levels/);
  t.equal(problemsOf(text).length, 1);
});

t.test("a chain of aliases deeper than the stack is stopped", async (t) => {
  const links = Array.from({ length: 20_000 }, (_, i) => `a${i + 1}: &a${i + 1} [*a${i}]`);
  t.equal(problemsOf(`a0: &a0 [x]\n${links.join("\n").slice(0, 900_000)}\n`).length, 1);
});

t.test("an anchor and its alias give the same value", async (t) => {
  const text = withLines({
    5: "  media: { bucket: examplebucket, region: cn-beijing, domains: [img.example.com], timeouts: &slow { idle: 5m } }",
    6: "  other: { bucket: otherbucket, region: cn-beijing, timeouts: *slow }",
  });
  t.equal(configOf(text).buckets.get("other")?.timeouts.idleMs, 300_000);
});

t.test("a problem in an anchored value points at the anchor's text under the path of the alias", async (t) => {
  const text = withLines({
    5: "  media: { bucket: examplebucket, region: cn-beijing, domains: [img.example.com], timeouts: &slow { idle: 5 } }",
    6: "  other: { bucket: otherbucket, region: cn-beijing, timeouts: *slow }",
  });
  t.strictSame(placesOf(text), [
    "g.yaml:5:107: buckets.media.timeouts.idle:",
    "g.yaml:5:107: buckets.other.timeouts.idle:",
  ]);
});

t.test("a byte order mark and Windows line ends change no position", async (t) => {
  const text = `\uFEFF${withLines({ 2: "  - { name: web, adress: 0.0.0.0:80 }" }).replaceAll("\n", "\r\n")}`;
  t.strictSame(placesOf(text), ["g.yaml:2:5: listeners[0].address:", "g.yaml:2:18: listeners[0].adress:"]);
});
