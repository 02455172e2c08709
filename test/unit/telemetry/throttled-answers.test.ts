import t from "tap";
import { createMetrics } from "../../../src/telemetry/metrics.js";
import { Stats } from "../../../src/telemetry/stats.js";
import { errorCodeAt, isThrottled, THROTTLE_CODES } from "../../../src/telemetry/throttled-answers.js";

const document = (code: string) =>
  `<?xml version="1.0" encoding="UTF-8"?>\n<Error>\n  <Code>${code}</Code>\n  <Message>m</Message>\n</Error>`;

async function lines(stats: Stats): Promise<readonly string[]> {
  const registry = createMetrics({ stats, version: "0", upstreams: () => [], credentials: () => [] });
  return (await registry.metrics()).split("\n");
}

/** Without those that have counted nothing. */
async function throttledLines(stats: Stats): Promise<readonly string[]> {
  const all = (await lines(stats)).filter((line) => line.startsWith("ossgate_upstream_throttled_total{"));
  return all.filter((line) => !line.endsWith(" 0"));
}

t.test("codes are shown before the first of them, so that it is an increase", async (t) => {
  const stats = new Stats();
  stats.upstream("media");
  for (const code of THROTTLE_CODES) {
    t.ok((await lines(stats)).includes(`ossgate_upstream_throttled_total{bucket="media",code="${code}"} 0`), code);
  }
});

t.test("answers that refuse for load are 503 and 429", async (t) => {
  for (const status of [503, 429]) t.equal(isThrottled(status), true);
  for (const status of [200, 403, 500, 502, 504]) t.equal(isThrottled(status), false);
});

t.test("each code is counted under its own name, and what OSS never said under other or unknown", async (t) => {
  const stats = new Stats();
  const { throttled } = stats.upstream("media");
  for (const code of THROTTLE_CODES) throttled.count(code);
  for (const code of ["Evil", "", "constructor", "__proto__"]) throttled.count(code);
  throttled.count(null);
  const printed = await throttledLines(stats);
  t.equal(printed.length, THROTTLE_CODES.length);
  for (const [code, count] of [
    ["TotalQpsLimitExceeded", 1],
    ["other", 5],
    ["unknown", 2],
  ] as const) {
    t.ok(printed.includes(`ossgate_upstream_throttled_total{bucket="media",code="${code}"} ${count}`), code);
  }
});

t.test("x-oss-qos-delay-time adds up in seconds; what is no number of milliseconds does not count", async (t) => {
  const stats = new Stats();
  const { throttled } = stats.upstream("media");
  for (const value of ["1500", "0", "250", "-1", "1e9", "x", "", " 1", "99999999999999999999"])
    throttled.addDelay(value);
  t.ok((await lines(stats)).includes('ossgate_upstream_qos_delay_seconds_total{bucket="media"} 1.75'));
});

t.test("the code is read from the start of the document, or of a HEAD from x-oss-err", async (t) => {
  const xml = Buffer.from(document("TotalQpsLimitExceeded"));
  t.equal(errorCodeAt([], xml), "TotalQpsLimitExceeded");
  t.equal(errorCodeAt(["X-Oss-Err", xml.toString("base64")], null), "TotalQpsLimitExceeded");
  t.equal(errorCodeAt(["x-oss-err", xml.toString("base64")], Buffer.alloc(0)), null, "an empty body is no document");
  t.equal(errorCodeAt([], null), null);
  t.equal(errorCodeAt([], Buffer.from("<html>503</html>")), null);
  t.equal(errorCodeAt([], Buffer.from(document('"><b'))), null);
  t.equal(errorCodeAt([], Buffer.concat([Buffer.alloc(2_000, " "), xml])), null, "no further than 1 KiB");
  t.equal(errorCodeAt(["x-oss-err", "!".repeat(100_000)], null), null);
});

t.test("a head tells of its delay, and of a refusal what has to be looked at for its code", async (t) => {
  const stats = new Stats();
  const upstream = stats.upstream("media");
  t.equal(upstream.noteHead(200, ["X-Oss-Qos-Delay-Time", "40"]), null);
  upstream.noteHead(500, [])?.(null);
  upstream.noteHead(503, ["x-oss-qos-delay-time", "60"])?.(Buffer.from(document("CpuLimitExceeded")));
  upstream.noteHead(429, [])?.(Buffer.from(document("QpsLimitExceeded")));
  const inHeader = ["x-oss-err", Buffer.from(document("ServiceUnavailable")).toString("base64")];
  upstream.noteHead(503, inHeader)?.(null);
  upstream.noteHead(503, [])?.(null);
  const printed = await throttledLines(stats);
  t.same(
    printed,
    ["QpsLimitExceeded", "CpuLimitExceeded", "ServiceUnavailable", "unknown"].map(
      (code) => `ossgate_upstream_throttled_total{bucket="media",code="${code}"} 1`,
    ),
  );
  t.equal(upstream.throttled.qosDelayMs, 100);
});
