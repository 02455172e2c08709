import fc from "fast-check";
import t from "tap";
import { takeLinkParameters } from "../../../src/policy/link-query.js";

const names = { md5: "md5", expires: "expires" };

t.test("a query without a link stays as it is", (t) => {
  const queries = [
    "",
    "a=1&b",
    "&&a=%zz&&",
    "x-oss-process=style%2Fthumb",
    "expires=5",
    "a=ossgate-x",
    "Ossgate-expires=1",
    "md55=1",
    "?ossgate-x",
  ];
  for (const query of queries) t.same(takeLinkParameters(query, names), { link: null, rest: query }, query);
  t.same(
    takeLinkParameters("md5=x&expires=1", null),
    { link: null, rest: "md5=x&expires=1" },
    "md5 where it is not taken",
  );
  t.end();
});

const gatewayLinks: readonly (readonly [
  claim: string,
  query: string,
  values: Readonly<Record<string, string>>,
  rest: string,
])[] = [
  ["alone", "ossgate-expires=1&ossgate-signature=s", { expires: "1", signature: "s" }, ""],
  [
    "among others",
    "a=%2f&ossgate-expires=1&&b=+&ossgate-signature=s&",
    { expires: "1", signature: "s" },
    "a=%2f&&b=+&",
  ],
  ["a value is decoded once", "ossgate-prefix=/a%2520+%2B/", { prefix: "/a%20 +/" }, ""],
  ["a name is known percent-encoded", "%6Fssgate%2dscope=/a/", { scope: "/a/" }, ""],
  ["a name without =", "ossgate-client&x", { client: "" }, "x"],
  ["a second = is the value's", "ossgate-prefix=/=/", { prefix: "/=/" }, ""],
  ["md5 is another's parameter beside a link of ours", "md5=x&ossgate-expires=1", { expires: "1" }, "md5=x"],
];

t.test("a link's own parameters are taken off, and nothing else", (t) => {
  for (const [claim, query, values, rest] of gatewayLinks) {
    const taken = takeLinkParameters(query, names);
    t.equal(taken.rest, rest, claim);
    if (taken.link?.form !== "ossgate") throw new Error(claim);
    t.same(Object.fromEntries(taken.link.values), values, claim);
    t.equal(taken.link.isMalformed, false, claim);
  }
  t.end();
});

t.test("what is repeated, unknown or does not decode makes the link malformed, and is taken off too", (t) => {
  const table = [
    "ossgate-expires=1&ossgate-expires=1",
    "ossgate-expires=1&ossgate-%65xpires=2",
    "ossgate-scope=/a/&ossgate-scope",
    "ossgate-=1",
    "ossgate-more=1",
    "ossgate-Expires=1",
    "ossgate-prefix=%ff",
    "ossgate-prefix=%2",
    "ossgate-%ff=1",
  ];
  for (const query of table) {
    const { link, rest } = takeLinkParameters(`a&${query}&b`, null);
    t.equal(link?.isMalformed, true, query);
    t.equal(rest, "a&b", query);
  }
  t.end();
});

t.test("NGINX's form is taken undecoded, by the names that the route gives", (t) => {
  t.same(takeLinkParameters("a=1&md5=x%2B&b&expires=0x5&", names), {
    link: { form: "secure-link", isMalformed: false, md5: "x%2B", expires: "0x5", rest: "a=1&b&" },
    rest: "a=1&b&",
  });
  t.same(takeLinkParameters("st=x&e=7&md5=1", { md5: "st", expires: "e" }), {
    link: { form: "secure-link", isMalformed: false, md5: "x", expires: "7", rest: "md5=1" },
    rest: "md5=1",
  });
  t.same(takeLinkParameters("m%645=x", names), {
    link: { form: "secure-link", isMalformed: false, md5: "x", expires: null, rest: "" },
    rest: "",
  });
  for (const query of ["md5=a&md5=a", "md5=a&expires=1&expires=1", "md5=a&%6dd5=b"]) {
    t.equal(takeLinkParameters(query, names).link?.isMalformed, true, query);
  }
  t.end();
});

t.test("the rest is the query without the link's segments, byte for byte", (t) => {
  const letters = fc.constantFrom("a", "b", "=", "%", "2", "5", "6", "f", "+", "/", "o", "s", "-", "é");
  const others = fc.string({ unit: letters, maxLength: 12 });
  const own = fc.constantFrom(
    "ossgate-expires=1",
    "ossgate-x",
    "%6fssgate-prefix=%2F",
    "ossgate-scope=%",
    "oss%67ate-",
  );
  const segments = fc.array(
    fc.oneof(
      others.map((text) => ({ text, isOwn: false })),
      own.map((text) => ({ text, isOwn: true })),
    ),
    { minLength: 1 },
  );
  fc.assert(
    fc.property(segments, (segments) => {
      const query = segments.map(({ text }) => text).join("&");
      const { link, rest } = takeLinkParameters(query, null);
      t.equal(
        link !== null,
        segments.some(({ isOwn }) => isOwn),
      );
      t.equal(rest, segments.flatMap(({ text, isOwn }) => (isOwn ? [] : [text])).join("&"));
    }),
  );
  t.end();
});
