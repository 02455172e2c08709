import t from "tap";
import { bucketHosts, endpointHost, endpointPort, hostHeaderFor } from "../../../src/config/endpoint.js";
import type { EndpointKind } from "../../../src/config/gateway-config.js";
import { bucketOf } from "./helpers.js";

const at = (endpoint: EndpointKind | URL, region: string | null = "cn-beijing") => ({
  bucket: "b-1",
  region,
  endpoint,
});

/** oss-semantics §1.1; help.aliyun.com "regions-and-endpoints". */
const KINDS: readonly [region: string, kind: EndpointKind, host: string][] = [
  ["cn-beijing", "internal", "b-1.oss-cn-beijing-internal.aliyuncs.com"],
  ["cn-beijing", "public", "b-1.oss-cn-beijing.aliyuncs.com"],
  ["cn-beijing", "dualStack", "b-1.cn-beijing.oss.aliyuncs.com"],
  ["cn-beijing", "accelerate", "b-1.oss-accelerate.aliyuncs.com"],
  ["xx-nowhere-9", "internal", "b-1.oss-xx-nowhere-9-internal.aliyuncs.com"],
  ["rg-china-mainland", "public", "b-1.oss-rg-china-mainland.aliyuncs.com"],
  ["cn-hangzhou-finance", "public", "b-1.oss-cn-hzfinance.aliyuncs.com"],
  ["cn-hangzhou-finance", "internal", "b-1.oss-cn-hzfinance-internal.aliyuncs.com"],
  ["cn-hangzhou-finance", "dualStack", "b-1.cn-hangzhou-finance.oss.aliyuncs.com"],
  ["cn-shanghai-finance-1", "public", "b-1.oss-cn-shanghai-finance-1-pub.aliyuncs.com"],
  ["cn-shanghai-finance-1", "internal", "b-1.oss-cn-shanghai-finance-1-internal.aliyuncs.com"],
  ["cn-shanghai-finance-1", "dualStack", "b-1.cn-shanghai-finance.oss.aliyuncs.com"],
  ["cn-shenzhen-finance-1", "public", "b-1.oss-cn-szfinance.aliyuncs.com"],
  ["cn-shenzhen-finance-1", "internal", "b-1.oss-cn-shenzhen-finance-1-internal.aliyuncs.com"],
  ["cn-beijing-finance-1", "public", "b-1.oss-cn-beijing-finance-1-pub.aliyuncs.com"],
  ["cn-north-2-gov-1", "public", "b-1.oss-cn-north-2-gov-1.aliyuncs.com"],
  ["cn-north-2-gov-1", "internal", "b-1.oss-cn-north-2-gov-1-internal.aliyuncs.com"],
];

for (const [region, kind, host] of KINDS) {
  t.test(`${kind} in ${region} is ${host}, to connect to and as Host`, async (t) => {
    t.equal(endpointHost(at(kind, region)), host);
    t.equal(hostHeaderFor(at(kind, region)), host);
    t.ok(bucketHosts(at(kind, region)).includes(host));
  });
}

const URLS: readonly [url: string, region: string | null, connect: string, host: string][] = [
  ["http://127.0.0.1:9000", "cn-beijing", "127.0.0.1", "b-1.oss-cn-beijing.aliyuncs.com"],
  ["http://127.0.0.1:9000", null, "127.0.0.1", "127.0.0.1:9000"],
  ["http://[::1]:9000", null, "::1", "[::1]:9000"],
  ["https://oss.internal.example", "cn-hangzhou-finance", "oss.internal.example", "b-1.oss-cn-hzfinance.aliyuncs.com"],
  ["http://oss.test:9000", null, "oss.test", "oss.test:9000"],
  ["http://b-1.oss.test:9000", "cn-beijing", "b-1.oss.test", "b-1.oss.test:9000"],
  [
    "https://oss-cn-beijing-internal.aliyuncs.com",
    null,
    "oss-cn-beijing-internal.aliyuncs.com",
    "b-1.oss-cn-beijing-internal.aliyuncs.com",
  ],
  [
    "https://b-1.oss-cn-beijing.aliyuncs.com",
    "cn-beijing",
    "b-1.oss-cn-beijing.aliyuncs.com",
    "b-1.oss-cn-beijing.aliyuncs.com",
  ],
  [
    "https://s3.oss-cn-beijing.aliyuncs.com",
    null,
    "s3.oss-cn-beijing.aliyuncs.com",
    "b-1.s3.oss-cn-beijing.aliyuncs.com",
  ],
  [
    "https://OSS-accelerate-overseas.aliyuncs.com",
    null,
    "oss-accelerate-overseas.aliyuncs.com",
    "b-1.oss-accelerate-overseas.aliyuncs.com",
  ],
];

for (const [url, region, connect, host] of URLS) {
  t.test(
    `${url} ${region === null ? "without a region" : `in ${region}`} is connected to as ${connect} with Host ${host}`,
    async (t) => {
      t.equal(endpointHost(at(new URL(url), region)), connect);
      t.equal(hostHeaderFor(at(new URL(url), region)), host);
    },
  );
}

t.test("a bucket is known by every OSS host name of its region and by the global ones", async (t) => {
  t.strictSame([...bucketHosts(at("internal"))].sort(), [
    "b-1.cn-beijing.oss.aliyuncs.com",
    "b-1.oss-accelerate-overseas.aliyuncs.com",
    "b-1.oss-accelerate.aliyuncs.com",
    "b-1.oss-cn-beijing-internal.aliyuncs.com",
    "b-1.oss-cn-beijing.aliyuncs.com",
    "b-1.s3.oss-accelerate.aliyuncs.com",
    "b-1.s3.oss-cn-beijing-internal.aliyuncs.com",
    "b-1.s3.oss-cn-beijing.aliyuncs.com",
    "b-1.vpc100-oss-cn-beijing.aliyuncs.com",
  ]);
});

t.test("the old names without a region mean a bucket in Hangzhou only", async (t) => {
  const old = ["b-1.oss.aliyuncs.com", "b-1.oss-internal.aliyuncs.com"];
  const hangzhou = bucketHosts(at("internal", "cn-hangzhou"));
  t.ok(old.every((host) => hangzhou.includes(host)));
  t.notOk(old.some((host) => bucketHosts(at("internal")).includes(host)));
});

t.test("a finance bucket is known by the names of both networks", async (t) => {
  const hosts = bucketHosts(at("internal", "cn-shenzhen-finance-1"));
  t.ok(hosts.includes("b-1.oss-cn-szfinance-internal.aliyuncs.com"));
  t.ok(hosts.includes("b-1.oss-cn-shenzhen-finance-1-internal.aliyuncs.com"));
});

t.test("under a URL's host the bucket's own name means it, but not the shared host", async (t) => {
  const hosts = bucketHosts(at(new URL("http://oss.test:9000")));
  t.ok(hosts.includes("b-1.oss.test"));
  t.notOk(hosts.includes("oss.test"));
  t.ok(bucketHosts(at(new URL("http://b-1.oss.test:9000"))).includes("b-1.oss.test"));
});

t.test("an address means no bucket", async (t) => {
  for (const url of ["http://127.0.0.1:9000", "http://[::1]:9000"]) {
    const hosts = bucketHosts(at(new URL(url), null));
    t.ok(
      hosts.every((host) => host.endsWith(".aliyuncs.com")),
      url,
    );
  }
});

t.test("no name of one bucket is a name of another", async (t) => {
  const other = bucketHosts({ ...at("internal"), bucket: "b-2" });
  t.notOk(bucketHosts(at("internal")).some((host) => other.includes(host)));
});

t.test(
  "the URL's scheme decides on TLS and the port, and a kind of endpoint has TLS unless told otherwise",
  async (t) => {
    const plain = bucketOf('endpoint: "http://oss.test"');
    t.strictSame([plain.tls, endpointPort(plain)], [false, 80]);
    const secure = bucketOf('endpoint: "https://oss.test:8443"');
    t.strictSame([secure.tls, endpointPort(secure)], [true, 8443]);
    const kind = bucketOf("region: cn-beijing");
    t.strictSame([kind.tls, endpointPort(kind)], [true, 443]);
    const told = bucketOf("region: cn-beijing, tls: false");
    t.strictSame([told.tls, endpointPort(told)], [false, 80]);
  },
);
