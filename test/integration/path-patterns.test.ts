import t from "tap";
import { startEmulator, startGateway } from "../support/gateway.js";
import { answerTo, head } from "../support/raw-client.js";

const KEYS = ["a.txt", ".git/config", "x/.env", "x.php", "x.PHP", "s p/k", "img/1.jpg", "img/deep/2.jpg", "img/a.txt"];

const config = (url: string, routes: string): string => `
listeners: [{ name: web, address: "127.0.0.1:0" }]
admin: { address: "127.0.0.1:0" }
buckets:
  media: { bucket: examplebucket, region: cn-beijing, endpoint: "${url}" }
  other: { bucket: otherbucket, region: cn-beijing, endpoint: "${url}" }
routes:
${routes}`;

const ROUTES = `
  - name: all
    match: { hosts: [site.test] }
    bucket: media
    deny: { paths: ['/\\.', '(?i)\\.php$', '^/s p/'] }
  - name: pictures
    match: { hosts: [site.test], pathPattern: '(?i)\\.jpg$' }
    bucket: other
  - name: never
    match: { hosts: [site.test], pathPattern: '\\.jpg$' }
    bucket: media
  - name: sdk
    match: { hosts: [sdk.test] }
    buckets: [media]
    deny: { paths: ['^/img/'] }
  - name: deep
    match: { hosts: [site.test], pathPrefix: /img/deep }
    bucket: media
`;

t.test("paths by expressions", async (t) => {
  const emulator = await startEmulator(t);
  for (const name of ["examplebucket", "otherbucket"]) {
    emulator.addBucket({ name, region: "cn-beijing", acl: "public-read" });
    for (const key of KEYS) emulator.putObject(name, key, `${name} ${key}`);
  }
  const gateway = await startGateway(t, config(emulator.url, ROUTES));
  const ask = (target: string, method = "GET") =>
    answerTo(gateway.port, head(method, target, ["Host", "site.test"]), method);

  t.test("what an expression of deny.paths is found in is refused, however it is written", async (t) => {
    const refused = ["/.git/config", "/%2egit/config", "/x/.env", "/x.php", "/x.PHP", "/x%2ephp", "/s%20p/k", "/s+p/k"];
    for (const target of [...refused, "//s%20p/k", "/..%2f.git", "/a/./b"]) {
      const { status, body } = await ask(target);
      t.equal(status, 403, target);
      t.match(body.toString(), "Paths like this one are refused here.", target);
    }
    t.equal((await ask(`/${"a".repeat(5_000)}`)).status, 403, "what is longer than any key counts as found");
    t.equal((await ask("/x.php", "DELETE")).status, 403, "the path is looked at before the method");
  });

  t.test("nor may a copy or a link name what they refuse", async (t) => {
    const put = async (name: string, value: string) => {
      const client = head("PUT", "/copy.txt", ["Host", "site.test", "Content-Length", "0", name, value]);
      return (await answerTo(gateway.port, client, "PUT")).body.toString();
    };
    const refused: readonly [string, string][] = [
      ["x-oss-copy-source", "/examplebucket/.git/config"],
      ["X-Oss-Copy-Source", "/examplebucket/%2egit/config?versionId=1"],
      ["x-oss-copy-source", "%2Fexamplebucket%2F.git%2Fconfig"],
      ["x-oss-copy-source", "/examplebucket/s+p/k"],
      ["x-amz-copy-source", "examplebucket/x.php"],
      ["x-oss-copy-source", "/examplebucket/%zz"],
      ["x-oss-symlink-target", ".git/config"],
    ];
    for (const [name, value] of refused) t.match(await put(name, value), "refused here", value);
    t.notMatch(await put("x-oss-copy-source", "/.git/a.txt"), "refused here", "that is a bucket's name");
    t.notMatch(await put("x-oss-copy-source", "/examplebucket/a.txt"), "refused here");
  });

  t.test("other paths are served", async (t) => {
    for (const target of ["/a.txt", "/img/a.txt", "/a.txt?x=/.git"]) t.equal((await ask(target)).status, 200, target);
  });

  t.test("a pattern goes before the route without one, the first of the file before others", async (t) => {
    t.match((await ask("/img/1.jpg")).body.toString(), "otherbucket img/1.jpg");
    t.equal((await ask("/.git/x.JPG")).status, 404, "deny is of its route alone");
  });

  t.test("a longer prefix goes before a pattern", async (t) => {
    t.match((await ask("/img/deep/2.jpg")).body.toString(), "examplebucket img/deep/2.jpg");
  });

  t.test("a key is refused in path style as it is by its bucket's own host", async (t) => {
    const status = async (host: string, target: string) =>
      (await answerTo(gateway.port, head("GET", target, ["Host", host]), "GET")).status;
    const own = "examplebucket.oss-cn-beijing.aliyuncs.com";
    t.equal(await status("sdk.test", "/examplebucket/a.txt"), 200);
    t.equal(await status("sdk.test", "/examplebucket/img/1.jpg"), 403);
    t.equal(await status("sdk.test", "/%65xamplebucket%2Fimg/1.jpg"), 403);
    t.equal(await status(own, "/img/1.jpg"), 403);
    t.equal(await status(own, "/a.txt"), 200);
  });
});
