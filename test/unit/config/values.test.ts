import t from "tap";
import { bucketOf, configOf, problemsOf, routeOf, withLines } from "./helpers.js";

const domain = (text: string): string => {
  const host = configOf(withLines({ 12: `    match: { hosts: [${text}] }` })).routes[1]?.match.hosts[0];
  return host ?? "";
};

const HOSTS: readonly [written: string, host: string][] = [
  ["Img2.Example.COM.", "img2.example.com"],
  ['"*.Example.com"', "*.example.com"],
  ["47.0.2.74", "47.0.2.74"],
  ['"[2001:DB8:0:0::1]"', "2001:db8::1"],
  ["2001:db8::1", "2001:db8::1"],
  ["my_host.example.com", "my_host.example.com"],
  ["xn--bcher-kva.example", "xn--bcher-kva.example"],
  ["localhost", "localhost"],
];

for (const [written, host] of HOSTS) {
  t.test(`the host ${written} is compared as ${host}`, async (t) => {
    t.equal(domain(written), host);
  });
}

const BAD_HOSTS: readonly [written: string, hint: RegExp][] = [
  ["http://img.example.com/a", /Leave the scheme out: img\.example\.com\./],
  ["img.example.com:80", /Leave the port out: img\.example\.com\./],
  ['"[::1]:80"', /Leave the port out: \[::1\]\./],
  ["img.example.com/a", /Leave the path out/],
  ['"*"', /Every host at once is not possible/],
  ["a.*.example.com", /whole first label/],
  ['"*.*.example.com"', /whole first label/],
  ['"*img.example.com"', /whole first label/],
  ['"*."', /The name is empty/],
  ['"*.1.2.3.4"', /An address is not one/],
  ["bücher.example", /xn--bcher-kva\.example/],
  ["a b", /no blanks/],
  ["a..example.com", /empty label/],
  ["-a.example.com", /no '-' at its ends/],
  ["256.1.1.1", /looks like an IPv4 address/],
  ["1.2.3", /looks like an IPv4 address/],
  [`${"a".repeat(64)}.example.com`, /1 to 63/],
  [`${"a.".repeat(127)}com`, /at most 253/],
  ['""', /The name is empty/],
];

for (const [written, hint] of BAD_HOSTS) {
  t.test(`the host ${written.slice(0, 70)} is refused with a hint`, async (t) => {
    const problems = problemsOf(withLines({ 12: `    match: { hosts: [${written}] }` }));
    t.equal(problems.length, 1);
    t.match(problems[0], /^g\.yaml:12:22: routes\[1\]\.match\.hosts\[0\]: expected a /);
    t.match(problems[0], hint);
  });
}

const ADDRESSES: readonly [written: string, host: string, port: number][] = [
  ["0.0.0.0:80", "0.0.0.0", 80],
  ['"[::]:443"', "::", 443],
  ['"[2001:DB8::0:1]:0"', "2001:db8::1", 0],
];

for (const [written, host, port] of ADDRESSES) {
  t.test(`the address ${written} is ${host} and port ${port}`, async (t) => {
    const config = configOf(withLines({ 2: `  - { name: web, address: ${written} }` }));
    t.strictSame(config.listeners[0]?.address, { host, port, systemd: null });
  });
}

const BAD_ADDRESSES: readonly [written: string, hint: RegExp][] = [
  ["localhost:80", /Write 127\.0\.0\.1:80/],
  ['":80"', /0\.0\.0\.0:80/],
  ["80", /found 80\. Add an address/],
  ["1.2.3.4", /Add a port: 1\.2\.3\.4:80/],
  ["gw.example.com:80", /A name is not taken here/],
  ["1.2.3.4:65536", /a port from 0 to 65535/],
  ['"::1"', /in brackets and quotes/],
  ['"[1.2.3.4]:80"', /an IPv6 address in the brackets/],
];

for (const [written, hint] of BAD_ADDRESSES) {
  t.test(`the listener address ${written} is refused with a hint`, async (t) => {
    const problems = problemsOf(withLines({ 2: `  - { name: web, address: ${written} }` }));
    t.equal(problems.length, 1);
    t.match(problems[0], hint);
  });
}

const GOOD_BUCKETS: readonly string[] = [
  "region: cn-beijing, dns: { servers: [100.100.2.136, 10.0.0.2:5353, '[fd00::1]:53'] }",
  "region: cn-beijing, dns: { addresses: [100.118.28.10, 'fd00::1'] }",
  "region: cn-beijing, dns: { minTtl: 1ms }",
  "region: any-thing-77, endpoint: accelerate",
];

for (const keys of GOOD_BUCKETS) {
  t.test(`a bucket with ${keys} is taken`, async (t) => {
    t.equal(bucketOf(keys).bucket, "examplebucket");
  });
}

const BAD_BUCKETS: readonly [keys: string, message: RegExp][] = [
  ["region: oss-cn-beijing", /Leave the prefix out: cn-beijing/],
  ["region: cn-beijing-internal", /Write cn-beijing, and endpoint: internal/],
  ["region: oss-cn-beijing.aliyuncs.com", /Write the id alone/],
  ["region: CN", /expected a region id/],
  ["region: cn-beijing, domains: [cdn.oss-cn-beijing.aliyuncs.com]", /expected a domain of your own/],
  ["region: cn-beijing, domains: ['*.example.com']", /expected a domain name/],
  ["region: cn-beijing, domains: [1.2.3.4]", /An address is not one/],
  ["region: cn-beijing, endpoint: Internal", /Write internal\./],
  ["region: cn-beijing, endpoint: dual-stack", /Write dualStack\./],
  ["region: cn-beijing, endpoint: oss.test:9000", /Write the scheme too/],
  ["region: cn-beijing, endpoint: 'ftp://oss.test'", /or a URL such as/],
  ["region: cn-beijing, endpoint: 'http://oss.test/a'", /Take the path away/],
  ["region: cn-beijing, endpoint: 'http://oss.test/?'", /Take the path away/],
  ["region: cn-beijing, endpoint: 'http://'", /a URL with a host/],
  ["region: cn-beijing, endpoint: 'http://100.100.100.200'", /metadata service/],
  ["region: cn-beijing, endpoint: 'http://0x64.0x64.0x64.0xc8:80'", /metadata service/],
  ["region: cn-beijing, endpoint: 'http://[::ffff:100.100.100.200]'", /metadata service/],
  ["region: cn-beijing, dns: { addresses: [100.100.100.200] }", /metadata service/],
  ["region: cn-beijing, dns: { addresses: ['::ffff:6464:64c8'] }", /metadata service/],
  ["region: cn-beijing, dns: { addresses: [0.0.0.0] }", /means every address/],
  ["region: cn-beijing, dns: { addresses: [oss.test] }", /expected an IPv4 or IPv6 address/],
  ["region: cn-beijing, dns: { addresses: ['fd00::1', 'FD00:0::1'] }", /expected each value once/],
  ["region: cn-beijing, dns: { servers: [dns.test] }", /expected the address of a DNS server/],
  ["region: cn-beijing, dns: { servers: ['10.0.0.2:0'] }", /a port from 1 to 65535/],
  ["region: cn-beijing, caFile: ''", /expected the path of a PEM file/],
];

for (const [keys, message] of BAD_BUCKETS) {
  t.test(`a bucket with ${keys} is refused`, async (t) => {
    const problems = problemsOf(
      withLines({ 5: `  media: { bucket: examplebucket, ${keys} }`, 9: "    match: { hosts: [a.b] }" }),
    );
    t.equal(problems.length, 1);
    t.match(problems[0], message);
  });
}

for (const name of ["abc", "my_bucket", "_ab", "a--b", "a".repeat(63)]) {
  t.test(`${name} is taken as a bucket's name at OSS`, async (t) => {
    t.strictSame(problemsOf(withLines({ 6: `  other: { bucket: ${name}, region: cn-beijing }` })), []);
  });
}

for (const name of ["ab", "Abc", "a.b", "-abc", "abc-", "a".repeat(64), "a/b", '""']) {
  t.test(`${name} is no bucket's name at OSS`, async (t) => {
    t.match(problemsOf(withLines({ 6: `  other: { bucket: ${name}, region: cn-beijing }` })), [
      /^g\.yaml:6:20: buckets\.other\.bucket: expected the bucket's name at OSS/,
    ]);
  });
}

t.test("a path prefix loses its trailing slash, which means the same", async (t) => {
  const config = configOf(withLines({ 12: "    match: { hosts: [47.0.2.74], pathPrefix: /ä b/c/ }" }));
  t.equal(config.routes[1]?.match.pathPrefix, "/ä b/c");
});

const BAD_PREFIXES: readonly [written: string, hint: RegExp][] = [
  ["media", /begins with a slash/],
  ["/a%20b", /compared decoded/],
  ["/a?b", /compared decoded/],
  ["'/a#b'", /compared decoded/],
  ["/a/../b", /No '\.' or '\.\.' segments/],
  ["/.", /No '\.' or '\.\.' segments/],
  ["/a//b", /No empty segments/],
  ['"/a\\0b"', /No control characters/],
  ['"/\\uD800"', /lone surrogate/],
];

for (const [written, hint] of BAD_PREFIXES) {
  t.test(`the path prefix ${written} is refused`, async (t) => {
    const problems = problemsOf(withLines({ 12: `    match: { hosts: [47.0.2.74], pathPrefix: ${written} }` }));
    t.equal(problems.length, 1);
    t.match(problems[0], /^g\.yaml:12:46: routes\[1\]\.match\.pathPrefix: /);
    t.match(problems[0], hint);
  });
}

const BAD_KEY_PREFIXES: readonly [written: string, message: RegExp][] = [
  ["/site", /does not begin with a slash/],
  ["'\\site'", /does not begin with a slash/],
  ["site/../x", /No '\.' or '\.\.' segments/],
  ["..", /No '\.' or '\.\.' segments/],
  ['"a\\nb"', /No control characters/],
  ['"\\uDFFF"', /lone surrogate/],
  ["ä".repeat(512), /at most 1023 bytes/],
];

for (const [written, message] of BAD_KEY_PREFIXES) {
  t.test(`the key prefix ${written.slice(0, 20)} is refused`, async (t) => {
    const problems = problemsOf(withLines({ 10: `    bucket: media\n    keyPrefix: ${written}` }));
    t.equal(problems.length, 1);
    t.match(problems[0], message);
  });
}

t.test("a key prefix keeps its trailing slash, and dots within a segment", async (t) => {
  t.equal(routeOf("keyPrefix: site/.well-known/").keyPrefix, "site/.well-known/");
});

const KEPT_HEADERS = [
  "Host",
  "authorization",
  "Date",
  "expect",
  "content-type",
  "Content-MD5",
  "content-length",
  "x-oss-date",
  "X-OSS-Anything",
  "transfer-encoding",
  "security-token",
  "connection",
  "te",
];

for (const name of KEPT_HEADERS) {
  t.test(`the request header ${name} cannot be removed`, async (t) => {
    const problems = problemsOf(withLines({ 10: `    bucket: media\n    requestHeaders: { remove: [${name}] }` }));
    t.match(problems, [
      /requestHeaders\.remove\[0\]: .*none that a signature or the framing of the message depends on/,
    ]);
  });
}

t.test("removed headers are compared in lower case", async (t) => {
  t.strictSame(routeOf("requestHeaders: { remove: [Cookie, X-Internal] }").requestHeaders.remove, [
    "cookie",
    "x-internal",
  ]);
  const text = withLines({ 10: "    bucket: media\n    requestHeaders: { remove: [Cookie, cookie, 'a b'] }" });
  t.match(problemsOf(text), [
    /remove\[1\]: expected each value once/,
    /remove\[2\]: expected the name of a request header/,
  ]);
});
