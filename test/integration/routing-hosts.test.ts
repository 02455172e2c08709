import t from "tap";
import { valuesOf, xmlText } from "../support/raw-client.js";
import { relay, startRelay } from "../support/relay-world.js";

const world = await startRelay(
  t,
  `
  - { name: exact, match: { hosts: [img.example.com] }, bucket: one }
  - { name: wild-short, match: { hosts: ["*.example.com"] }, bucket: one }
  - { name: wild-long, match: { hosts: ["*.img.example.com"] }, bucket: one }
  - { name: under, match: { hosts: [only.example.com], pathPrefix: /only }, bucket: one }
  - { name: address, match: { hosts: [192.0.2.7] }, bucket: one }
  - { name: address6, match: { hosts: ["2001:DB8:0:0::7"] }, bucket: one }
  - { name: inner-only, match: { hosts: [both.test], listeners: [inner] }, bucket: one }
  - { name: web-only, match: { hosts: [both.test], listeners: [web], pathPrefix: /web }, bucket: one }
  - { name: root, match: { hosts: [p.test] }, bucket: one }
  - { name: media, match: { hosts: [p.test], pathPrefix: /media }, bucket: one }
  - { name: big, match: { hosts: [p.test], pathPrefix: /media/big }, bucket: one }
  - { name: chinese, match: { hosts: [p.test], pathPrefix: /图片 }, bucket: one }
`,
  'listeners: [{ name: web, address: "127.0.0.1:0" }, { name: inner, address: "127.0.0.1:0" }]',
);
const { gateway } = world;

async function routeOf(host: string, target = "/k", port = gateway.port): Promise<string> {
  return (await relay(world, { host, target }, port)).entry.route;
}

const UNROUTED = await routeOf("nowhere.test");

t.test(
  "the host chooses the route: exact, then the longest wildcard, in any case, port and trailing dot aside",
  async (t) => {
    const table: readonly (readonly [host: string, route: string])[] = [
      ["img.example.com", "exact"],
      ["IMG.Example.COM", "exact"],
      ["img.example.com.", "exact"],
      ["img.example.com:8080", "exact"],
      ["img.example.com.:80", "exact"],
      ["img.example.com:", "exact"],
      ["a.img.example.com", "wild-long"],
      ["b.a.img.example.com", "wild-long"],
      ["x.example.com", "wild-short"],
      ["y.x.example.com", "wild-short"],
      ["aimg.example.com", "wild-short"],
      ["192.0.2.7", "address"],
      ["192.0.2.7:8080", "address"],
      ["[2001:db8::7]", "address6"],
      ["[2001:db8::7]:8080", "address6"],
      ["[2001:0DB8:0:0:0:0:0:7]", "address6"],
      ["example.com", UNROUTED],
      ["192.0.2.70", UNROUTED],
      ["[2001:db8::8]", UNROUTED],
      ["img.example.com.evil.net", UNROUTED],
      ["evilexample.com", UNROUTED],
    ];
    for (const [host, route] of table) t.equal(await routeOf(host), route, host);
  },
);

t.test("an exact host without a route for the path does not fall back to a wildcard", async (t) => {
  t.equal(await routeOf("only.example.com", "/only/k"), "under");
  t.equal(await routeOf("only.example.com", "/else"), UNROUTED);
});

t.test("the longest path prefix wins, at segment borders, on the path decoded once", async (t) => {
  const table: readonly (readonly [target: string, route: string])[] = [
    ["/", "root"],
    ["/k", "root"],
    ["/media", "media"],
    ["/media/", "media"],
    ["/media?x", "media"],
    ["/media/k", "media"],
    ["/mediax", "root"],
    ["/Media/k", "root"],
    ["//media/k", "root"],
    ["/?/media/k", "root"],
    ["/media/big", "big"],
    ["/media/big/k", "big"],
    ["/media/bigger", "media"],
    ["/media//big/k", "media"],
    ["/media%2Fbig%2fk", "big"],
    ["/%6dedia/k", "media"],
    ["/%256dedia/k", "root"],
    ["/%E5%9B%BE%e7%89%87/k", "chinese"],
    ["/%E5%9B%BE%E7%89%87", "chinese"],
    ["/%E5%9B%BE/k", "root"],
  ];
  for (const [target, route] of table) t.equal(await routeOf("p.test", target), route, target);
});

t.test("a route serves its listeners only", async (t) => {
  const inner = gateway.gateway.addresses.get("inner")?.port ?? 0;
  t.equal(await routeOf("both.test", "/web/k", inner), "inner-only");
  t.equal(await routeOf("both.test", "/web/k"), "web-only");
  t.equal(await routeOf("both.test", "/k"), UNROUTED);
  t.equal(await routeOf("img.example.com", "/k", inner), "exact");
});

t.test("an unknown host is 404 in OSS's XML, and nothing is sent", async (t) => {
  const { answer, entry, capture } = await relay(world, { host: "Nowhere.Test:81", target: "/k?x" });
  t.equal(answer.status, 404);
  t.equal(xmlText(answer.body, "Code"), "NoSuchRoute");
  t.match(xmlText(answer.body, "Message"), /./);
  t.equal(xmlText(answer.body, "RequestId"), entry.requestId);
  t.equal(xmlText(answer.body, "HostId"), "Nowhere.Test:81");
  t.same(valuesOf(answer.rawHeaders, "content-type"), ["application/xml"]);
  t.same(valuesOf(answer.rawHeaders, "x-oss-request-id"), [entry.requestId]);
  t.equal(capture, undefined);
  t.equal(entry.error, "NO_ROUTE");
});
