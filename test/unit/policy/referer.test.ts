import fc from "fast-check";
import t from "tap";
import {
  type CheckReferer,
  compileOssReferer,
  type OssRefererOptions,
  type RefererReason,
} from "../../../src/policy/referer.js";

const DEFAULTS: OssRefererOptions = {
  allowEmptyReferer: true,
  refererList: [],
  refererBlacklist: [],
  allowTruncateQueryString: true,
  truncatePath: false,
  strict: false,
};

const check = (options: Partial<OssRefererOptions>): CheckReferer => compileOssReferer({ ...DEFAULTS, ...options });

/** A row of oss-semantics §5.3. */
interface Row {
  readonly row: number;
  readonly empty: boolean;
  readonly W?: string;
  readonly B?: string;
  readonly other?: Partial<OssRefererOptions>;
  readonly referer: string | undefined;
  readonly result: RefererReason | null;
}

const rows: readonly Row[] = [
  { row: 1, empty: true, referer: undefined, result: null },
  { row: 2, empty: true, referer: "http://x.com/", result: null },
  { row: 3, empty: false, referer: undefined, result: null },
  { row: 4, empty: false, referer: "http://x.com/", result: null },
  { row: 5, empty: true, W: "http://a.com", referer: undefined, result: null },
  { row: 6, empty: false, W: "http://a.com", referer: undefined, result: "empty" },
  { row: 7, empty: false, W: "http://a.com", referer: "", result: "empty" },
  { row: 8, empty: true, W: "http://a.com", referer: "http://a.com", result: null },
  { row: 9, empty: true, W: "http://a.com", referer: "http://a.com/p/q.html", result: null },
  { row: 10, empty: true, W: "http://a.com", referer: "https://a.com/", result: "not-listed" },
  { row: 11, empty: true, W: "http://a.com", referer: "http://a.com:8080/", result: null },
  { row: 15, empty: true, W: "a.com", referer: "http://a.com/", result: "not-listed" },
  { row: 16, empty: true, W: "*a.com", referer: "http://a.com/", result: null },
  { row: 17, empty: true, W: "*.a.com", referer: "http://img.a.com/x", result: null },
  { row: 19, empty: true, W: "*.a.com", referer: "https://deep.sub.a.com", result: null },
  { row: 21, empty: true, W: "http://www.*.com", referer: "http://www.foo.com/", result: null },
  { row: 23, empty: true, W: "https://www.?.aliyuncs.com", referer: "https://www.x.aliyuncs.com/", result: null },
  { row: 26, empty: true, W: "*", B: "http://bad.com", referer: "http://bad.com/x", result: "blacklisted" },
  { row: 27, empty: true, W: "http://bad.com", B: "http://bad.com", referer: "http://bad.com/", result: "blacklisted" },
  { row: 28, empty: true, B: "http://bad.com", referer: "http://good.com", result: null },
  { row: 31, empty: false, B: "http://bad.com", referer: undefined, result: null },
  { row: 32, empty: true, B: "*evil.com", referer: "http://good.com/?u=evil.com", result: null },
  {
    row: 36,
    empty: true,
    W: "http://a.com",
    other: { truncatePath: true },
    referer: "http://a.com/docs/1?x",
    result: null,
  },
  // Rows 37, 39 and 40 are about signatures and methods: the emulator's and the gateway's tests have them.
  { row: 39, empty: true, W: "http://a.com", referer: "http://other.com", result: "not-listed" },
  { row: 40, empty: true, W: "*a.com", referer: "http://b.com", result: "not-listed" },
];

const listOf = (pattern: string | undefined): readonly string[] => (pattern === undefined ? [] : [pattern]);

for (const strict of [false, true]) {
  t.test(`every row of the decision table, strict: ${strict}`, (t) => {
    for (const { row, empty, W, B, other, referer, result } of rows) {
      const lists = { refererList: listOf(W), refererBlacklist: listOf(B) };
      t.equal(check({ allowEmptyReferer: empty, ...lists, strict, ...other })(referer), result, `row ${row}`);
    }
    t.end();
  });
}

t.test("row 33: with the query in it, OSS finds a blacklisted name in the query; strict does not look there", (t) => {
  const options = { refererBlacklist: ["*evil.com"], allowTruncateQueryString: false };
  t.equal(check(options)("http://good.com/?u=evil.com"), "blacklisted");
  t.equal(check({ ...options, strict: true })("http://good.com/?u=evil.com"), null);
  t.end();
});

/** Who is admitted by a whitelist of one pattern: as OSS does, and strictly. */
const admitted: readonly (readonly [pattern: string, referer: string, asOss: boolean, strictly: boolean])[] = [
  ["http://a.com", "http://a.com", true, true],
  ["http://a.com", "http://a.com/", true, true],
  ["http://a.com", "http://a.com?q", true, true],
  ["http://a.com", "http://a.com#f", true, true],
  ["http://a.com", "http://a.com:8080/", true, true],
  ["http://a.com", "http://a.com.evil.net/", true, false],
  ["http://a.com", "http://a.company/", true, false],
  ["http://a.com", "http://a.com-evil.net/", true, false],
  ["http://a.com", "http://a.com@evil.net/", true, false],
  ["http://a.com", "http://a.com:x@evil.net/", true, false],
  ["http://a.com", "http://a.com:80@evil.net/", true, false],
  ["http://a.com", "http://a.com%40evil.net/", true, false],
  ["http://a.com", "http://a.com%2eevil.net/", true, false],
  ["http://a.com", "http://a.com\\@evil.net/", true, false],
  ["http://a.com", "http://a.com\\.evil.net/", true, false],
  ["http://a.com", "http://evil.net\\@a.com/", false, false],
  ["http://a.com", "http://a.com\t.evil.net/", true, false],
  ["http://a.com", "http://a.com .evil.net/", true, false],
  ["http://a.com", "http://user@a.com/", false, true],
  ["http://a.com", "http://a.com./", true, true],
  ["http://a.com", "http://a.com..evil.net/", true, false],
  ["http://a.com", "HTTP://A.CoM/", true, true],
  ["HTTP://A.CoM", "http://a.com/", true, true],
  ["http://a.com", "http:a.com/", false, false],
  ["http://a.com", "http:/a.com/", false, false],
  ["http://a.com", "http:///a.com/", false, false],
  ["http://a.com", "http:\\\\a.com/", false, false],
  ["http://a.com", " http://a.com/", false, false],
  ["http://a.com", "about:blank", false, false],
  ["http://a.com", "x", false, false],
  ["http://a.com:8080", "http://a.com:8080/", true, true],
  ["http://a.com:8080", "http://a.com:80801/", true, false],
  ["http://a.com:8080", "http://a.com/", false, false],
  ["http://a.com:*", "http://a.com:8080/", true, true],
  ["http://a.com:*", "http://a.com/", false, false],
  ["http://*.a.com", "http://x.a.com/", true, true],
  ["http://*.a.com", "http://x.y.a.com:81/", true, true],
  ["http://*.a.com", "http://a.com/", false, false],
  ["http://*.a.com", "http://.a.com/", true, false],
  ["http://*.a.com", "http://evil.net/x.a.com", true, false],
  ["http://*.a.com", "http://evil.net/.a.com", true, false],
  ["http://*.a.com", "http://evil.net\\.a.com", true, false],
  ["http://*.a.com", "http://x.a.com@evil.net/", true, false],
  ["http://*.a.com", "http://evil.net:80.a.com/", true, false],
  ["*.a.com", "http://evil.net/x.a.com", true, false],
  ["*a.com", "http://evila.com/", true, true],
  ["*a.com", "http://evil.net/a.com", true, false],
  ["http*a.com", "https://a.com/", true, true],
  ["http*a.com", "http://evil.net/a.com", true, false],
  ["*://a.com", "https://a.com/x", true, true],
  ["*//a.com", "https://a.com/x", true, true],
  ["http?://a.com", "https://a.com/x", true, true],
  ["http?://a.com", "http://a.com/x", false, false],
  ["http://a.com*", "http://a.com.evil.net/", true, true],
  ["http://a.*", "http://a.evil.net/x", true, true],
  ["http://a.*", "http://b.net/", false, false],
  ["https://*", "https://any.where/", true, true],
  ["http://www.", "http://www.a.com/", true, false],
  ["*servicewechat.com", "https://servicewechat.com/wx0123/1/page-frame.html", true, true],
  ["*.console.aliyun.com", "https://oss.console.aliyun.com/bucket", true, true],
  ["http://a.com/", "http://a.com/x", true, true],
  ["http://a.com/", "http://a.com", false, false],
  ["http://a.com/docs", "http://a.com/docs/1", true, true],
  ["http://a.com/docs", "http://a.com/docsevil", true, true],
  ["http://a.com/docs", "http://a.com/Docs", false, false],
  ["http://a.com/Docs", "http://A.com/Docs", true, true],
  ["http://a.com/docs", "http://a.com:81/docs", false, false],
  ["http://a.com/*/b", "http://a.com/x/y/b.html", true, true],
  ["http://*.a.com/docs", "http://evil.net/.a.com/docs", true, false],
  ["*.a.com/docs/?/x", "http://w.a.com/docs/7/x", true, true],
  ["*A.com*Path", "http://www.a.com/Path", true, false],
  ["*", "x", true, true],
  ["**", "http://a.com/", true, true],
  ["http://[2001:db8::1]", "http://[2001:db8::1]:8080/", true, true],
  ["http://[2001:db8::1]", "http://[2001:DB8:0::1]/", false, true],
  ["http://xn--fsqu00a.com", "http://xn--fsqu00a.com/", true, true],
  ["http://*", "http://\u00e4\u00be\u008b.com/", true, false],
];

t.test("strict ends a host pattern at the host and keeps its * in the host; otherwise it is as OSS", (t) => {
  for (const [pattern, referer, asOss, strictly] of admitted) {
    const say = `${pattern} for ${JSON.stringify(referer)}`;
    t.equal(check({ refererList: [pattern] })(referer) === null, asOss, `OSS: ${say}`);
    t.equal(check({ refererList: [pattern], strict: true })(referer) === null, strictly, `strict: ${say}`);
  }
  t.end();
});

t.test("where a pattern has no slash, OSS compares its letters in the host alone in any case", (t) => {
  t.equal(check({ refererList: ["*A.com*Path"] })("http://www.a.com/path"), "not-listed");
  t.end();
});

t.test("a referer without a readable host is on no strict whitelist, and on the blacklist as OSS finds it", (t) => {
  const strict = { strict: true, refererBlacklist: ["http://bad.com"] };
  for (const referer of ["http://bad.com\\x", "http://bad.com .net/"]) t.equal(check(strict)(referer), "blacklisted");
  t.equal(check(strict)("http://x@bad.com/"), "blacklisted", "whoever the user is");
  t.equal(check(strict)("http://bad.com.cn/"), null, "another host");
  t.equal(check({ ...strict, strict: false })("http://bad.com.cn/"), "blacklisted");
  t.end();
});

t.test("what is cut off does not count", (t) => {
  const list = { refererList: ["http://a.com/p?x=1"], allowTruncateQueryString: true };
  for (const strict of [false, true]) {
    t.equal(check({ ...list, strict })("http://a.com/p?x=1"), "not-listed", "the query");
    t.equal(check({ ...list, strict, allowTruncateQueryString: false })("http://a.com/p?x=1"), null);
    t.equal(
      check({ refererList: ["http://a.com/docs"], truncatePath: true, strict })("http://a.com/docs"),
      "not-listed",
    );
    const query = { refererBlacklist: ["*evil*"], truncatePath: true, strict };
    t.equal(check(query)("http://a.com?evil"), null, "the path goes with its query");
    t.equal(check(query)("http://a.com#evil"), null);
    t.equal(check({ refererBlacklist: ["*evil*"], strict })("http://a.com/#evil"), null);
    t.equal(
      check({ refererList: ["http://a.com"], allowEmptyReferer: false, strict })("?x"),
      "not-listed",
      "not empty",
    );
  }
  t.end();
});

t.test("entries of empty text count as absent", (t) => {
  const list = { refererList: [""], refererBlacklist: [""], allowEmptyReferer: false };
  for (const strict of [false, true]) {
    t.equal(check({ ...list, strict })("http://x.com/"), null);
    t.equal(check({ ...list, strict })(undefined), null);
  }
  t.end();
});

/** The rule of oss-semantics §5.2 as directly as it can be written: all ends of a pattern, one character at a time. */
function endsOf(pattern: string, text: string): ReadonlySet<number> {
  let ends = new Set([0]);
  for (const character of pattern) {
    const next = new Set<number>();
    for (const end of ends) {
      if (character === "*") for (let to = end; to <= text.length; to += 1) next.add(to);
      else if (end < text.length && (character === "?" || character === text[end])) next.add(end + 1);
    }
    ends = next;
  }
  return ends;
}

const glob = fc.string({ unit: fc.constantFrom("a", "b", ".", "*", "?"), maxLength: 12 });
const text = fc.string({ unit: fc.constantFrom("a", "b", "."), maxLength: 24 });

t.test("a pattern matches what its rule says, whatever it is made of", (t) => {
  fc.assert(
    fc.property(glob, text, (pattern, referer) => {
      fc.pre(pattern !== "" && referer !== "");
      const isListed = check({ refererList: [pattern] })(referer) === null;
      return isListed === endsOf(pattern, referer).size > 0;
    }),
    { numRuns: 5_000 },
  );
  t.end();
});

t.test("strictly, a host pattern matches a whole host", (t) => {
  const label = fc.string({ unit: fc.constantFrom("a", "b", "."), minLength: 1, maxLength: 12 });
  fc.assert(
    fc.property(glob, label, (pattern, name) => {
      const host = `x${name}x`;
      const expected = endsOf(`http://${pattern}`, `http://${host}`).has(7 + host.length);
      return (check({ refererList: [`http://${pattern}`], strict: true })(`http://${host}/p`) === null) === expected;
    }),
    { numRuns: 5_000 },
  );
  t.end();
});

t.test("strict never admits what OSS would refuse, user information and spellings of addresses aside", (t) => {
  const referer = fc
    .string({ unit: fc.constantFrom("a", "b", ".com", "/", ".", ":", "@", "\\", "?", "8", "A"), maxLength: 12 })
    .map((rest) => `http://${rest}`);
  fc.assert(
    fc.property(glob, referer, (pattern, sent) => {
      fc.pre(!sent.includes("@") && pattern !== "");
      const list = { refererList: [`http://${pattern}`] };
      return check({ ...list, strict: true })(sent) !== null || check(list)(sent) === null;
    }),
    { numRuns: 5_000 },
  );
  t.end();
});

t.test("no pattern makes a long hostile referer slow: backtracking would not end in this life", (t) => {
  const long = `http://${"a".repeat(32 * 1024)}`;
  const hostile = ["*a".repeat(400), "*?a".repeat(200), "*aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab*", "*A?".repeat(300)];
  for (const pattern of hostile) {
    for (const strict of [false, true]) {
      const list = { refererList: [`${pattern}*b`], allowTruncateQueryString: false, strict };
      t.equal(check(list)(long), "not-listed", pattern.slice(0, 12));
      t.equal(check(list)(`http://x/${"a".repeat(32 * 1024)}`), "not-listed", pattern.slice(0, 12));
    }
  }
  t.end();
});
