import t from "tap";
import type { ThrottleCode } from "../../src/emulator/faults.js";
import { BUCKET as RELAYED, relay, startRelay } from "../support/relay-world.js";
import { ask, BUCKET, EVERY_METHOD, signingRoute, startSigning } from "../support/sign-world.js";

const CODES: readonly ThrottleCode[] = [
  "DownloadTrafficRateLimitExceeded",
  "MetaOperationQpsLimitExceeded",
  "QpsLimitExceeded",
  "ServiceUnavailable",
  "TotalQpsLimitExceeded",
  "UploadTrafficRateLimitExceeded",
];

const throttled = (code: string): string => `ossgate_upstream_throttled_total{bucket="one",code="${code}"}`;
const DELAY = 'ossgate_upstream_qos_delay_seconds_total{bucket="one"}';

t.test("where requests are relayed, OSS's refusals for load are counted by their code, with the delay", async (t) => {
  const routes = `
  - { name: files, match: { hosts: [files.test] }, bucket: one, auth: relay, methods: [GET, HEAD, PUT] }
`;
  const world = await startRelay(t, routes);
  world.emulator.putObject(RELAYED, "a.txt", "a");
  for (const code of CODES) {
    for (const method of ["GET", "HEAD"]) {
      world.emulator.faults.failNext(1, { kind: "throttle", delayMs: 250, code });
      const { answer, capture } = await relay(world, { method, host: "files.test", target: "/a.txt" });
      t.equal(answer.status, capture?.status, `${method} ${code}`);
    }
    t.equal(await world.gateway.metric(throttled(code)), 2, code);
  }
  t.equal(await world.gateway.metric(DELAY), (2 * CODES.length * 250) / 1_000);
  await relay(world, { host: "files.test", target: "/missing.txt" });
  const lines = (await world.gateway.metrics()).split("\n");
  t.equal(lines.filter((line) => /^ossgate_upstream_throttled_total\{.* [1-9]/.test(line)).length, CODES.length);
});

t.test("where the gateway signs, the same is counted", async (t) => {
  const world = await startSigning(t, signingRoute("files", `${EVERY_METHOD}, allow: { clients: [127.0.0.1] }`));
  world.emulator.putObject(BUCKET, "a.txt", "a");
  for (const code of CODES) {
    world.emulator.faults.failNext(1, { kind: "throttle", delayMs: 40, code });
    await ask(world, { host: "files.test", target: "/a.txt" });
    t.equal(await world.gateway.metric(throttled(code)), 1, code);
  }
  t.equal(await world.gateway.metric(DELAY), (CODES.length * 40) / 1_000);
});

t.test("an answer that OSS only held up tells of its delay and counts as no refusal", async (t) => {
  const world = await startRelay(t, "  - { name: files, match: { hosts: [files.test] }, bucket: one, auth: relay }\n");
  const headers = ["x-oss-qos-delay-time", "1500"];
  world.emulator.faults.failNext(1, { kind: "answer", status: 200, headers, body: "late" });
  const { answer } = await relay(world, { host: "files.test", target: "/a.txt" });
  t.equal(answer.body.toString(), "late");
  t.equal(await world.gateway.metric(DELAY), 1.5);
  t.notMatch(await world.gateway.metrics(), /^ossgate_upstream_throttled_total\{.* [1-9]/m);
});

t.test("what has no code of OSS's is counted as unknown, another code as other", async (t) => {
  const world = await startRelay(t, "  - { name: files, match: { hosts: [files.test] }, bucket: one, auth: relay }\n");
  const bodies = ["", "<html>busy</html>", "<Error><Code>Evil</Code></Error>"];
  for (const body of bodies) {
    world.emulator.faults.failNext(1, { kind: "answer", status: 503, body });
    await relay(world, { host: "files.test", target: "/a.txt" });
  }
  t.equal(await world.gateway.metric(throttled("unknown")), 2);
  t.equal(await world.gateway.metric(throttled("other")), 1);
});
