import t from "tap";
import type { RequestContext } from "../../../src/gateway/request-context.js";
import { rewriteLocation } from "../../../src/gateway/upstream-response.js";

const OWN = "b.oss-cn-beijing.aliyuncs.com";

interface Given {
  readonly rawHost?: string;
  readonly isTls?: boolean;
  readonly strippedPrefix?: string;
  readonly rawKeyPrefix?: string;
}

function rewritten(location: string, given: Given = {}): string {
  const { rawHost = "g.test:8080", isTls = false, strippedPrefix = "", rawKeyPrefix = "" } = given;
  const ctx = {
    rawHost,
    strippedPrefix,
    gateway: { isTls, trustedProxies: null },
    route: { rawKeyPrefix },
    bucket: { ownHosts: new Set([OWN, "img.example.com"]) },
  };
  return rewriteLocation(ctx as unknown as RequestContext, location);
}

t.test("a URL of the bucket becomes one of the gateway, with the client's Host", (t) => {
  const table: readonly (readonly [location: string, seen: string])[] = [
    [`http://${OWN}/a`, "http://g.test:8080/a"],
    [`https://${OWN}/a?b=%2F#c`, "http://g.test:8080/a?b=%2F#c"],
    [`HTTPS://${OWN.toUpperCase()}/A`, "http://g.test:8080/A"],
    [`http://${OWN}:8443/a`, "http://g.test:8080/a"],
    [`http://${OWN}./a`, "http://g.test:8080/a"],
    [`http://${OWN}`, "http://g.test:8080/"],
    [`http://${OWN}?a`, "http://g.test:8080/?a"],
    ["http://img.example.com/a//b%20c", "http://g.test:8080/a//b%20c"],
  ];
  for (const [location, seen] of table) t.equal(rewritten(location), seen, location);
  t.end();
});

t.test("the client's scheme is kept", (t) => {
  t.equal(rewritten(`http://${OWN}/a`, { isTls: true, rawHost: "g.test" }), "https://g.test/a");
  t.end();
});

t.test("other hosts, and what only looks like the bucket, stay", (t) => {
  const kept = [
    "https://elsewhere.example/a",
    `https://evil.example/${OWN}`,
    `https://${OWN}.evil.example/a`,
    `https://${OWN}@evil.example/a`,
    `https://user@${OWN}/a`,
    `https://evil.example?x=http://${OWN}/`,
    `https://other.oss-cn-beijing.aliyuncs.com/a`,
    `ftp://${OWN}/a`,
    `//${OWN}/a`,
    `//evil.example/a`,
    "a/b",
    "",
    "?a",
    "http://",
    "mailto:a@b",
  ];
  for (const location of kept) t.equal(rewritten(location), location, location);
  t.end();
});

t.test("a path alone stays a path, below what the client's prefix was", (t) => {
  t.equal(rewritten("/a?b"), "/a?b");
  t.equal(rewritten("/a", { strippedPrefix: "/media" }), "/media/a");
  t.equal(rewritten(`http://${OWN}/a`, { strippedPrefix: "/bucket" }), "http://g.test:8080/bucket/a");
  t.end();
});

t.test("a key prefix is taken off, and what lies outside it is left alone", (t) => {
  const given = { rawKeyPrefix: "site/%E5%9B%BE/", strippedPrefix: "/in" };
  t.equal(rewritten(`http://${OWN}/site/%E5%9B%BE/a`, given), "http://g.test:8080/in/a");
  t.equal(rewritten("/site/%E5%9B%BE/a?b", given), "/in/a?b");
  t.equal(rewritten(`http://${OWN}/other/a`, given), `http://${OWN}/other/a`);
  t.equal(rewritten("/site/a", given), "/site/a");
  t.end();
});
