import t from "tap";
import { isInternalName, judgeAddress } from "../../../src/doctor/addresses.js";
import { inWords, maskedId, Report } from "../../../src/doctor/finding.js";

const INTERNAL = "examplebucket.oss-cn-beijing-internal.aliyuncs.com";
const PUBLIC = "examplebucket.oss-cn-beijing.aliyuncs.com";

t.test("an internal name leads into the internal network, and a public one out of it", async (t) => {
  const cases: readonly (readonly [host: string, address: string, level: string])[] = [
    [INTERNAL, "100.118.28.5", "ok"],
    [INTERNAL, "10.1.2.3", "ok"],
    [INTERNAL, "100.64.0.0", "ok"],
    [INTERNAL, "100.127.255.255", "ok"],
    [INTERNAL, "100.128.0.1", "broken"],
    [INTERNAL, "59.110.190.10", "broken"],
    [INTERNAL, "fd00::1", "ok"],
    [INTERNAL, "2408:4005::1", "broken"],
    [PUBLIC, "59.110.190.10", "ok"],
    [PUBLIC, "2408:4005::1", "ok"],
    [PUBLIC, "100.118.28.5", "warn"],
    [PUBLIC, "192.168.1.1", "warn"],
    // Tests and emulators.
    [INTERNAL, "127.0.0.1", "ok"],
    [PUBLIC, "::1", "ok"],
    ["vpc100-oss-cn-beijing.aliyuncs.com", "59.110.190.10", "broken"],
    // Of somebody's own endpoint nothing is known.
    ["oss.example.com", "10.0.0.1", "ok"],
    ["oss.example.com", "59.110.190.10", "ok"],
    // In the same block as OSS's own addresses, and never a bucket.
    [INTERNAL, "100.100.100.200", "broken"],
    ["oss.example.com", "100.100.100.200", "broken"],
  ];
  for (const [host, address, level] of cases) {
    const verdict = judgeAddress(host, address);
    t.equal(verdict.level, level, `${host} ${address}`);
    t.equal(verdict.next === null, level === "ok");
    t.match(verdict.note, address);
  }
});

t.test("which names are internal", async (t) => {
  t.equal(isInternalName(INTERNAL), true);
  t.equal(isInternalName("my-internal-bucket.oss-cn-beijing.aliyuncs.com"), false);
  t.equal(isInternalName("x.vpc100-oss-cn-beijing.aliyuncs.com"), true);
  t.equal(isInternalName("oss-internal.example.com"), null);
});

t.test("key ids are shown in part, and results are one short line", async (t) => {
  t.equal(maskedId("LTAI5tExampleKey1234"), "LTAI…34");
  t.equal(maskedId("short"), "sh…");
  const report = new Report("x");
  report.ok("check", `a\u001b[31mb\nc${"y".repeat(1_000)}`);
  t.match(report.findings[0]?.result, /^a \[31mb cy+…$/);
  t.equal(report.findings[0]?.result.length, 300);
});

t.test("times in words", async (t) => {
  t.same([1_000, 119_000, 120_000, 7_200_000, 172_800_000, -90_000].map(inWords), [
    "1 s",
    "119 s",
    "2 min",
    "2 h",
    "2 days",
    "90 s",
  ]);
});
