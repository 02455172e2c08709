import t from "tap";
import { ERROR_CODES, ERRORS } from "../../src/core/errors.js";
import { nextOfRefusal, REFUSAL_CAUSES } from "../../src/gateway/refused-by-oss.js";
import {
  NEXT_OF_EVENTS,
  NEXT_STEPS,
  PerSecond,
  REPEAT_MS,
  RepeatedLines,
  writeSeldom,
} from "../../src/telemetry/error-lines.js";
import { createLog } from "../../src/telemetry/log.js";
import { ask, BUCKET, signingRoute, startSigning } from "../support/sign-world.js";

const SENTENCE = /^[A-Z][^\n]{20,}\.$/;

t.test("every fault of the upstream's or the gateway's own has a next step, in one sentence", async (t) => {
  const ours = ERROR_CODES.filter((code) => ERRORS[code].origin !== "client");
  t.ok(ours.length > 10);
  for (const code of ours) t.match(NEXT_STEPS[code], SENTENCE, code);
  t.same(
    Object.keys(NEXT_STEPS).filter((code) => !ours.some((one) => one === code)),
    [],
    "and nothing else has one",
  );
  for (const [event, next] of Object.entries(NEXT_OF_EVENTS)) t.match(next, SENTENCE, event);
});

t.test("every cause of a refusal has a next step, whoever signed", async (t) => {
  for (const cause of REFUSAL_CAUSES) {
    for (const isOwnSignature of [true, false]) {
      const facts = { cause, isOwnSignature, mismatch: null, endpoint: null, skewSeconds: null };
      t.match(nextOfRefusal(facts), SENTENCE, cause);
    }
  }
});

t.test("lines of one kind are written once a minute, and the kinds are bounded", async (t) => {
  const lines = new RepeatedLines();
  t.equal(lines.take("a", 0), 0);
  t.equal(lines.take("a", 1), null);
  t.equal(lines.take("b", 1), 0, "another kind is another line");
  t.equal(lines.take("a", REPEAT_MS - 1), null);
  t.equal(lines.take("a", REPEAT_MS), 2);
  t.equal(lines.take("a", REPEAT_MS + 1), null);
  for (let i = 0; i < 10_000; i += 1) lines.take(`kind ${i}`, REPEAT_MS + 2);
  t.equal(lines.take("a", REPEAT_MS + 3), 0, "when there are too many it begins anew");
});

t.test("what is not written costs no fields", async (t) => {
  const log = createLog("silent");
  let made = 0;
  const fields = (): Record<string, unknown> => {
    made += 1;
    return {};
  };
  for (let i = 0; i < 100; i += 1) writeSeldom(log, "warn", "kind", i, fields, "message");
  t.equal(made, 1);
});

t.test("so many a second and no more", async (t) => {
  const some = new PerSecond(2);
  t.same(
    [0, 1, 2, 999, 1_000, 1_001, 1_002].map((nowMs) => some.take(nowMs)),
    [true, true, false, false, true, true, false],
  );
});

const ROUTES = signingRoute("open", "methods: [GET, HEAD, PUT], allow: { anyone: true }");

t.test("an error of OSS's own says route, bucket, request id, code and what to do, once a minute", async (t) => {
  const relayed = `${ROUTES}  - { name: relayed, match: { hosts: [relayed.test] }, bucket: one }\n`;
  const world = await startSigning(t, relayed);
  for (const host of ["open.test", "relayed.test"]) {
    for (let i = 0; i < 3; i += 1) {
      world.emulator.faults.failNext(1, { kind: "throttle", delayMs: 1, code: "TotalQpsLimitExceeded" });
      t.equal((await ask(world, { host, target: "/k" })).status, 503);
    }
  }
  const told = world.log.filter((line) => line.includes("OSS answered with an error")).map((line) => JSON.parse(line));
  t.equal(told.length, 2);
  for (const [i, route] of ["open", "relayed"].entries()) {
    t.match(told[i], [
      "warn",
      {
        route,
        bucket: "one",
        status: 503,
        ossCode: "TotalQpsLimitExceeded",
        ossRequestId: /^[0-9A-F]{24}$/,
        next: /quota/,
      },
    ]);
  }
});

t.test("a fault of the connection says where, what, how often and what to do", async (t) => {
  const world = await startSigning(t, ROUTES);
  world.emulator.faults.failEvery(() => true, { kind: "resetBeforeHead" });
  for (let i = 0; i < 3; i += 1) t.equal((await ask(world, { host: "open.test", target: "/k" })).status, 502);
  const told = world.log.filter((line) => line.includes("upstream request failed")).map((line) => JSON.parse(line));
  t.equal(told.length, 1);
  t.match(told[0], [
    "error",
    {
      route: "open",
      bucket: "one",
      upstream: "127.0.0.1",
      code: "UPSTREAM_RESET",
      cause: /./,
      next: NEXT_STEPS.UPSTREAM_RESET,
    },
  ]);
});

t.test("where one address is all there is, nobody is told that others serve", async (t) => {
  const world = await startSigning(t, ROUTES);
  world.emulator.faults.failEvery(() => true, { kind: "resetBeforeHead" });
  t.equal((await ask(world, { host: "open.test", target: "/k" })).status, 502);
  const line = await world.untilLogged((text) => text.includes("upstream address"));
  t.match(JSON.parse(line), [
    "warn",
    { bucket: "one", address: "127.0.0.1", reason: "UPSTREAM_RESET", next: NEXT_OF_EVENTS.lastAddressFailed },
    /tried on/,
  ]);
});

t.test(
  "a request without credentials is an error line with the next step, and a client's mistake is none",
  async (t) => {
    const world = await startSigning(t, ROUTES, { credentials: null });
    world.emulator.putObject(BUCKET, "k", "x");
    t.equal((await ask(world, { host: "open.test", target: "/k" })).status, 503);
    t.equal((await ask(world, { host: "open.test", target: "/k?uploads" })).status, 400);
    t.equal((await ask(world, { host: "nobody.test", target: "/k" })).status, 404);
    const told = world.log.filter((line) => line.includes("could not be served")).map((line) => JSON.parse(line));
    t.equal(told.length, 1);
    t.match(told[0], [
      "error",
      { route: "open", bucket: "one", code: "NO_CREDENTIALS", next: NEXT_STEPS.NO_CREDENTIALS },
    ]);
  },
);

t.test("what the gateway signed and OSS refused is explained: a key that may not, a region, a secret", async (t) => {
  const world = await startSigning(t, ROUTES);
  const denied = "<Error><Code>AccessDenied</Code><Message>You have no right to access this object.</Message></Error>";
  const headers = ["Content-Type", "application/xml", "x-oss-request-id", "5C3D9175B6FC201293AD4990"];
  world.emulator.faults.failNext(1, { kind: "answer", status: 403, headers, body: denied });
  t.equal((await ask(world, { host: "open.test", target: "/k" })).status, 403);
  const line = await world.untilLogged((text) => text.includes("OSS refused a request"));
  t.match(JSON.parse(line), [
    "warn",
    { cause: "not-permitted", ossRequestId: "5C3D9175B6FC201293AD4990", route: "open", next: /gateway's user or role/ },
  ]);
});
