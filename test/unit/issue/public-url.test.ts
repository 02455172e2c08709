import fc from "fast-check";
import t from "tap";
import { encodePath, hasDotSegment } from "../../../src/core/target.js";
import { parsePublicUrl } from "../../../src/issue/public-url.js";
import { IssueRefusal } from "../../../src/issue/refusal.js";

const READ: readonly (readonly [url: string, path: string, origin: string, port: number])[] = [
  ["http://img.example.com/a.jpg", "/a.jpg", "http://img.example.com", 80],
  ["HTTPS://IMG.Example.com/a.jpg", "/a.jpg", "https://img.example.com", 443],
  ["http://img.example.com", "/", "http://img.example.com", 80],
  ["http://47.0.2.73:8080/b/a%20b%2Bc%25.txt?d+e", "/b/a b+c%.txt", "http://47.0.2.73:8080", 8080],
  ["http://[2001:DB8::1]:81/照片 1.txt", "/照片 1.txt", "http://[2001:db8::1]:81", 81],
  ["http://h/a//b", "/a//b", "http://h", 80],
  ["http://h/a%2Fb", "/a/b", "http://h", 80],
  ["http://h/a\\b", "/a\\b", "http://h", 80],
];

for (const [url, path, origin, port] of READ) {
  t.test(`${url} is read as it stands`, async (t) => {
    t.match(parsePublicUrl(url), { path, origin, port });
  });
}

const REFUSED: readonly (readonly [what: string, url: string])[] = [
  ["no scheme", "img.example.com/a"],
  ["another scheme", "ftp://img.example.com/a"],
  ["no host", "http:///a"],
  ["a user", "http://me@img.example.com/a"],
  ["a fragment", "http://h/a#b"],
  ["a dot segment", "http://h/a/../b"],
  ["a hidden dot segment", "http://h/a/%2e%2E/b"],
  ["a dot segment at its end", "http://h/a/."],
  ["half an escape", "http://h/a%2"],
  ["an escape that is not UTF-8", "http://h/%ff"],
  ["a plus in its path, which may be a space", "http://h/c+d.txt"],
  ["a line break", "http://h/a\nb"],
  ["a lone surrogate", "http://h/\ud800"],
  ["a host with a backslash, which browsers read as a slash", "http://h\\@evil.example/a"],
];

for (const [what, url] of REFUSED) {
  t.test(`a URL with ${what} is refused`, async (t) => {
    const outcome = parsePublicUrl(url);
    t.ok(outcome instanceof IssueRefusal);
    t.match(outcome, { status: 400 });
  });
}

t.test("the query is decoded in order, with and without values", async (t) => {
  t.match(parsePublicUrl("http://h/a?x-oss-process=image%2Fresize,w_1&b&c="), {
    query: [
      ["x-oss-process", "image/resize,w_1"],
      ["b", null],
      ["c", ""],
    ],
  });
});

t.test("whatever a path holds, it is read back from its percent-encoded form", async () => {
  const paths = fc.string({ unit: "binary" }).filter((key) => !hasDotSegment(`/${key}`));
  fc.assert(
    fc.property(paths, (key) => {
      const read = parsePublicUrl(`http://h${encodePath(`/${key}`)}`);
      return !(read instanceof IssueRefusal) && read.path === `/${key}`;
    }),
  );
});
