import t from "tap";
import { canonicalIpv6, hostOf } from "../../../src/core/host.js";

t.test("a host is lower case, without port, brackets and trailing dot", (t) => {
  const table: readonly (readonly [authority: string, host: string])[] = [
    ["img.example.com", "img.example.com"],
    ["IMG.Example.Com.:8080", "img.example.com"],
    ["localhost", "localhost"],
    ["a_b.test", "a_b.test"],
    ["h:", "h"],
    ["192.0.2.7:80", "192.0.2.7"],
    ["[::1]", "::1"],
    ["[::1]:8080", "::1"],
    ["[2001:0DB8:0:0::1]", "2001:db8::1"],
    ["[::ffff:192.0.2.1]", "::ffff:c000:201"],
    ["xn--fiq228c.test", "xn--fiq228c.test"],
  ];
  for (const [authority, host] of table) t.equal(hostOf(authority), host, authority);
  t.end();
});

t.test("what is no host is null", (t) => {
  const wrong = [
    "",
    " ",
    ".",
    ":80",
    "a b",
    "a\tb",
    "user@h",
    "h/x",
    "h?x",
    "h#x",
    "h\\x",
    "h,i",
    "*.h",
    "h:80:80",
    "h:x",
  ];
  const worse = [
    "h:123456",
    "::1",
    "[::1",
    "[::1]x",
    "[::1]:x",
    "[h]",
    "[]",
    "h%2e",
    "hé",
    "<h>",
    "-h",
    `${"a".repeat(300)}`,
  ];
  for (const authority of [...wrong, ...worse]) t.equal(hostOf(authority), null, JSON.stringify(authority));
  t.end();
});

t.test("an IPv6 address has one spelling; other text and zones are left alone", (t) => {
  t.equal(canonicalIpv6("0:0:0:0:0:0:0:1"), "::1");
  t.equal(canonicalIpv6("2001:DB8::A"), "2001:db8::a");
  for (const text of ["192.0.2.1", "h.test", "fe80::1%eth0", ""]) t.equal(canonicalIpv6(text), text);
  t.end();
});
