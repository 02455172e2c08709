import t from "tap";
import { type HostMatch, hostName, isBucketName, matchHost, publicEndpoint } from "../../../src/emulator/host.js";

const bucket = (name: string, region: string | null, isAccelerate = false): HostMatch => ({
  kind: "bucket",
  bucket: name,
  region,
  isAccelerate,
});

const TABLE: readonly (readonly [host: string, expected: HostMatch])[] = [
  ["b.oss-accelerate.aliyuncs.com", bucket("b", null, true)],
  ["b.oss-accelerate-overseas.aliyuncs.com", bucket("b", null, true)],
  ["b.oss-cn-hangzhou-internal.aliyuncs.com", bucket("b", "cn-hangzhou")],
  ["b.oss-cn-hangzhou.aliyuncs.com", bucket("b", "cn-hangzhou")],
  ["B.OSS-cn-Hangzhou.aliyuncs.com:8080", bucket("b", "cn-hangzhou")],
  ["b.oss-ap-southeast-1.aliyuncs.com.", bucket("b", "ap-southeast-1")],
  ["b.cn-shanghai.oss.aliyuncs.com", bucket("b", "cn-shanghai")],
  ["b.vpc100-oss-cn-beijing.aliyuncs.com", bucket("b", "cn-beijing")],
  ["b.oss.aliyuncs.com", bucket("b", "cn-hangzhou")],
  ["b.oss-internal.aliyuncs.com", bucket("b", "cn-hangzhou")],
  ["b.oss-cn-hzfinance.aliyuncs.com", bucket("b", "cn-hangzhou-finance")],
  ["b.oss-cn-szfinance-internal.aliyuncs.com", bucket("b", "cn-shenzhen-finance-1")],
  ["oss-cn-hangzhou.aliyuncs.com", { kind: "service", region: "cn-hangzhou" }],
  ["oss-cn-hangzhou-internal.aliyuncs.com", { kind: "service", region: "cn-hangzhou" }],
  ["oss-accelerate.aliyuncs.com", { kind: "service", region: null }],
  ["oss.aliyuncs.com", { kind: "service", region: "cn-hangzhou" }],
  ["cn-hangzhou.oss.aliyuncs.com", { kind: "service", region: "cn-hangzhou" }],
  ["img.example.com", { kind: "other-name", name: "img.example.com" }],
  ["a.b.oss-cn-hangzhou.aliyuncs.com", { kind: "other-name", name: "a.b.oss-cn-hangzhou.aliyuncs.com" }],
  ["b.oss-cn-hangzhou.aliyuncs.com.evil.com", { kind: "other-name", name: "b.oss-cn-hangzhou.aliyuncs.com.evil.com" }],
  ["", { kind: "other-name", name: "" }],
  ["127.0.0.1", { kind: "ip" }],
  ["100.118.28.1:80", { kind: "ip" }],
  ["[::1]:9000", { kind: "ip" }],
  ["b.s3.oss-cn-hangzhou.aliyuncs.com", { kind: "not-emulated", what: "the S3-compatible endpoint" }],
  ["s3.oss-accelerate.aliyuncs.com", { kind: "not-emulated", what: "the S3-compatible endpoint" }],
  ["b.cb-1.cn-hangzhou.oss-cloudbox.aliyuncs.com", { kind: "not-emulated", what: "CloudBox endpoints" }],
  ["ap.oss-cn-hangzhou.oss-accesspoint.aliyuncs.com", { kind: "not-emulated", what: "access points" }],
];

for (const [host, expected] of TABLE) {
  t.test(`the host "${host}" addresses ${expected.kind}`, async (t) => {
    t.same(matchHost(host), expected);
  });
}

t.test("a host name loses its port and trailing dot and keeps the brackets of IPv6", async (t) => {
  t.equal(hostName(" Img.Example.com.:443"), "img.example.com");
  t.equal(hostName("[2001:DB8::1]:80"), "[2001:db8::1]");
});

t.test("bucket names are 3 to 63 of lower-case letters, digits, dashes and the underscores of old names", async (t) => {
  for (const name of ["abc", "a-b", "_old_name_", "a".repeat(63)]) t.ok(isBucketName(name), name);
  for (const name of ["ab", "-ab", "ab-", "A-b", "a.b", "a".repeat(64), "图片桶"]) t.notOk(isBucketName(name), name);
});

t.test("the endpoint of a finance region has the host label, not the region id", async (t) => {
  t.equal(publicEndpoint("cn-hangzhou-finance"), "oss-cn-hzfinance.aliyuncs.com");
  t.equal(publicEndpoint("eu-west-1"), "oss-eu-west-1.aliyuncs.com");
});
