import t, { type Test } from "tap";
import { request } from "undici";
import { xmlText } from "../support/raw-client.js";
import {
  ask,
  BUCKET,
  EVERY_METHOD,
  outcome,
  type SignWorld,
  sentHeader,
  signingRoute,
  startSigning,
} from "../support/sign-world.js";

const HOUR = 3_600_000;
const ROUTES =
  signingRoute("open", `${EVERY_METHOD}, allow: { anyone: true }`) +
  signingRoute("oldest", "allow: { anyone: true }", "version: v1") +
  signingRoute("verifying", "clientSignatures: verify, allow: { signatures: true }");
const SKEW = 'ossgate_upstream_clock_skew_seconds{bucket="one"}';

async function worldAt(t: Test, skewMs: number): Promise<SignWorld> {
  const world = await startSigning(t, ROUTES);
  world.emulator.putObject(BUCKET, "k", "hello");
  world.emulator.setNowMs(Date.now() + skewMs);
  return world;
}

for (const [name, skewMs] of Object.entries({ ahead: HOUR, behind: -HOUR, "a day ahead": 24 * HOUR })) {
  t.test(`OSS's clock is an hour ${name}: the first GET is asked twice, later ones at once`, async (t) => {
    for (const host of ["open.test", "oldest.test"]) {
      const world = await worldAt(t, skewMs);
      const first = await ask(world, { host, target: "/k" });
      t.equal(first.text, "hello");
      t.strictSame(
        first.captures.map(({ status }) => status),
        [403, 200],
      );
      t.equal(first.entry.attempts, 2);
      const second = await ask(world, { host, target: "/k" });
      t.equal(second.text, "hello");
      t.equal(second.captures.length, 1);
      t.ok(Math.abs((await world.gateway.metric(SKEW)) * 1_000 - skewMs) <= 5_000, "the metric");
      const warnings = world.log.filter((line) => line.startsWith('["warn"') && line.includes("skewSeconds"));
      t.equal(warnings.length, 1, "one warning");
    }
  });
}

t.test("what is only relayed tells OSS's clock too, and a wrong one is a warning", async (t) => {
  const world = await startSigning(t, "  - { name: relayed, match: { hosts: [relayed.test] }, bucket: one }\n");
  world.emulator.setNowMs(Date.now() - HOUR);
  t.equal((await ask(world, { host: "relayed.test", target: "/k" })).status, 403);
  const line = await world.untilLogged((text) => text.includes("skewSeconds"));
  t.match(JSON.parse(line), ["warn", { bucket: "one", next: /clock/ }]);
  t.ok(Math.abs((await world.gateway.metric(SKEW)) * 1_000 + HOUR) <= 5_000, "the metric");
});

t.test("a HEAD is asked twice as well", async (t) => {
  const world = await worldAt(t, HOUR);
  const answer = await ask(world, { method: "HEAD", host: "open.test", target: "/k" });
  t.equal(answer.status, 200);
  t.equal(answer.captures.length, 2);
});

t.test("an upload cannot be asked twice: it fails with 502, and works the next time", async (t) => {
  const world = await worldAt(t, HOUR);
  const upload = { method: "PUT", host: "open.test", target: "/new", body: "body" };
  const first = await ask(world, upload);
  t.equal(outcome(first), "UPSTREAM_AUTH_FAILED");
  t.equal(xmlText(first.text, "Code"), "UpstreamAuthFailed");
  t.equal(first.captures.length, 1);
  t.equal((await ask(world, upload)).status, 200);
  t.equal(world.emulator.readObject(BUCKET, "new").toString(), "body");
});

t.test("a clock that keeps lying is asked no more than twice", async (t) => {
  const world = await worldAt(t, 0);
  let lies = 0;
  world.emulator.faults.failEvery(
    () => {
      lies += 1;
      return false;
    },
    { kind: "resetBeforeHead" },
  );
  const body = "<Error><Code>RequestTimeTooSkewed</Code><Message>m</Message></Error>";
  for (const hours of [1, 3, 5, 7]) {
    const headers = ["Date", new Date(Date.now() + hours * HOUR).toUTCString()];
    world.emulator.faults.failNext(1, { kind: "answer", status: 403, headers, body });
  }
  const answer = await ask(world, { host: "open.test", target: "/k" });
  t.equal(outcome(answer), "UPSTREAM_AUTH_FAILED");
  t.equal(answer.captures.length, 2);
  t.equal(lies, 2);
});

t.test("a Date that is garbage changes nothing", async (t) => {
  const world = await worldAt(t, 0);
  for (const date of ["yesterday", "", "Wed, 32 Foo 2025 25:61:61 GMT", "x".repeat(300)]) {
    world.emulator.faults.failNext(1, { kind: "answer", status: 404, headers: ["Date", date] });
    t.equal((await ask(world, { host: "open.test", target: "/k" })).status, 404);
    const answer = await ask(world, { host: "open.test", target: "/k" });
    t.equal(answer.status, 200, date);
    t.equal(answer.captures.length, 1, date);
  }
  t.strictSame(
    world.log.filter((line) => line.includes("skewSeconds")),
    [],
  );
});

t.test("a difference of less than a minute is told and not corrected", async (t) => {
  const world = await worldAt(t, 50_000);
  const answer = await ask(world, { host: "open.test", target: "/k" });
  t.equal(answer.captures.length, 1);
  const again = await ask(world, { host: "open.test", target: "/k" });
  const sent = sentHeader(again.captures[0] as (typeof again.captures)[0], "x-oss-date") ?? "";
  const iso = sent.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, "$1-$2-$3T$4:$5:$6Z");
  t.ok(Math.abs(Date.parse(iso) - Date.now()) < 10_000, iso);
  t.ok(Math.abs((await world.gateway.metric(SKEW)) - 50) < 5);
});

t.test("when OSS's clock is right again, so is the gateway's, and the log says so", async (t) => {
  const world = await worldAt(t, HOUR);
  await ask(world, { host: "open.test", target: "/k" });
  world.emulator.setNowMs(null);
  const answer = await ask(world, { host: "open.test", target: "/k" });
  t.equal(answer.status, 200);
  t.equal(answer.captures.length, 2);
  t.ok(world.log.some((line) => line.startsWith('["info"') && line.includes("skewSeconds")));
});

t.test("what is asked at the same time finds the clock corrected by another's answer, and succeeds too", async (t) => {
  const world = await worldAt(t, HOUR);
  const answers = await Promise.all(Array.from({ length: 8 }, () => fetchFrom(world)));
  t.strictSame(
    answers,
    Array.from({ length: 8 }, () => "200 hello"),
  );
});

async function fetchFrom({ gateway }: SignWorld): Promise<string> {
  const { statusCode, body } = await request(`${gateway.url}/k`, { headers: { host: "open.test" } });
  return `${statusCode} ${await body.text()}`;
}
