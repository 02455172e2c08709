import t from "tap";
import { issued, makeIssuer, NOW_MS, refusal, TOP } from "./issuer.js";

const LINKS = "allow: { links: { secret: { env: LINKS } } }";
const issuer = makeIssuer(
  {},
  `${TOP}
  - { name: first, match: { hosts: [a.example.com], listeners: [web] }, bucket: media, ${LINKS} }
  - { name: second, match: { hosts: [a.example.com], listeners: [alt] }, bucket: media, ${LINKS} }
  - { name: below, match: { hosts: [a.example.com], listeners: [alt], pathPrefix: /below }, bucket: media, ${LINKS} }
  - { name: balanced, match: { hosts: [b.example.com] }, bucket: media, ${LINKS} }
  - { name: six, match: { hosts: ["2001:db8::1"], listeners: [alt] }, bucket: media, ${LINKS} }
  - { name: wild, match: { hosts: ["*.c.example.com"] }, bucket: media, ${LINKS} }
`,
);

const routeOf = (url: string) => issued(issuer.link({ url }, NOW_MS)).route;

t.test("the listener with the URL's port decides on the route", async (t) => {
  t.equal(routeOf("http://a.example.com/x"), "first");
  t.equal(routeOf("http://a.example.com:8080/x"), "second");
  t.equal(routeOf("http://a.example.com:8080/below/x"), "below");
  t.equal(routeOf("http://a.example.com:8080/belowx"), "second");
});

t.test("a port that no listener has is a load balancer's, as long as the route is clear", async (t) => {
  t.equal(routeOf("https://b.example.com/x"), "balanced");
  t.equal(routeOf("https://x.y.c.example.com/x"), "wild");
  t.match(refusal(issuer.link({ url: "https://a.example.com/x" }, NOW_MS)), {
    status: 400,
    message: /^Routes first and second answer this URL on different listeners/,
  });
});

t.test("a route's own address has its first listener's port, and brackets where it needs them", async (t) => {
  const urlOf = (route: string, path = "/x") => issued(issuer.link({ route, path }, NOW_MS)).url.replace(/\?.*/, "");
  t.equal(urlOf("first"), "http://a.example.com/x");
  t.equal(urlOf("second"), "http://a.example.com:8080/x");
  t.equal(urlOf("six", "/a b?#"), "http://[2001:db8::1]:8080/a%20b%3F%23");
  t.equal(urlOf("below", "/below"), "http://a.example.com:8080/below");
});

t.test("a path that another route answers, or that is not the route's, is refused", async (t) => {
  t.match(refusal(issuer.link({ route: "second", path: "/below/x" }, NOW_MS)), { message: /Route below answers/ });
  t.match(refusal(issuer.link({ route: "below", path: "/x" }, NOW_MS)), { message: /must begin with \/below\// });
  t.match(refusal(issuer.link({ route: "first", path: "/a/../b" }, NOW_MS)), { message: /segment/ });
});

t.test("a route whose address cannot be told needs a URL", async (t) => {
  t.match(refusal(issuer.link({ route: "wild", path: "/x" }, NOW_MS)), { status: 400, message: /Write the URL/ });
});
