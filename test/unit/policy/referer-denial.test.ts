import t from "tap";
import { REFERER_REASONS } from "../../../src/policy/referer.js";
import { refererDenial, refererDenials } from "../../../src/policy/referer-denial.js";
import { refererHost } from "../../../src/policy/referer-host.js";

t.test("each reason is OSS's answer: 403 AccessDenied, its message first, its EC and the bucket's name", (t) => {
  const denials = refererDenials("examplebucket");
  const codes = REFERER_REASONS.map((reason) => [reason, denials[reason].oss?.ec]);
  t.strictSame(codes, [
    ["empty", "0003-00000501"],
    ["blacklisted", "0003-00000502"],
    ["not-listed", "0003-00000503"],
    ["invalid", null],
  ]);
  for (const reason of REFERER_REASONS) {
    const denial = denials[reason];
    t.equal(denial.code, "REFERER_DENIED");
    t.match(denial.oss, { status: 403, code: "AccessDenied", elements: [["BucketName", "examplebucket"]] });
    t.ok(denial.reason.startsWith("You are denied by bucket referer policy. "));
    t.ok(Object.isFrozen(denial) && Object.isFrozen(denial.oss), "made once, changed by nobody");
  }
  t.strictSame(refererDenial("empty", null).oss?.elements, []);
  t.end();
});

t.test("the host of a referer, for people, tells nothing of path, query and user", (t) => {
  const cases: readonly (readonly [referer: string | undefined, host: string])[] = [
    [undefined, "-"],
    ["", "-"],
    ["https://WWW.Example.com/secret?token=1", "www.example.com"],
    ["https://user:password@example.com:8443/", "example.com"],
    ["http://[2001:DB8::1]:80/x", "[2001:db8::1]"],
    ["android-app://com.google.android.gm/", "com.google.android.gm"],
    ["about:client", "(unreadable)"],
    ["secret", "(unreadable)"],
    ["http://a\\b/", "(unreadable)"],
    ["http://", "(unreadable)"],
    [`http://${"a".repeat(300)}/`, "(unreadable)"],
    [`http://${"a".repeat(254)}/`, "a".repeat(254)],
  ];
  for (const [referer, host] of cases) t.equal(refererHost(referer), host, String(referer).slice(0, 60));
  t.end();
});
