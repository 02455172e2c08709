import t from "tap";
import { request } from "undici";
import { Secret } from "../../src/core/secret.js";
import { xmlText } from "../support/raw-client.js";
import {
  ask,
  BUCKET,
  EVERY_METHOD,
  LINKS,
  linkOf,
  OWN,
  outcome,
  type SignWorld,
  sentHeader,
  signingRoute,
  startSigning,
} from "../support/sign-world.js";

const ROUTES =
  signingRoute("open", `${EVERY_METHOD}, allow: { anyone: true }, hls: { mode: ossSign }`) +
  signingRoute("linked", `allow: { ${LINKS} }, hls: { mode: rewrite }`) +
  signingRoute("verifying", "clientSignatures: verify, allow: { signatures: true }") +
  "  - { name: relaying, match: { hosts: [relaying.test] }, bucket: one }\n";

async function readiness({ gateway }: SignWorld): Promise<{ readonly status: number; readonly text: string }> {
  const answer = await fetch(`${gateway.adminUrl}/readyz`);
  return { status: answer.status, text: await answer.text() };
}

t.test(
  "without credentials: 503 with a clear code, nothing goes upstream, and readyz says which are missing",
  async (t) => {
    const world = await startSigning(t, ROUTES, { credentials: null });
    for (const method of ["GET", "HEAD", "PUT", "DELETE"]) {
      const body = method === "PUT" ? "x" : undefined;
      const answer = await ask(world, {
        method,
        host: "open.test",
        target: "/k",
        ...(body === undefined ? {} : { body }),
      });
      t.equal(answer.status, 503, method);
      t.equal(outcome(answer), "NO_CREDENTIALS", method);
      if (method === "GET") t.equal(xmlText(answer.text, "Code"), "CredentialsUnavailable");
      t.strictSame(answer.captures, [], method);
    }
    const targets: readonly (readonly [host: string, target: string])[] = [
      ["open.test", "/a.m3u8"],
      ["linked.test", `/a.m3u8?${linkOf("linked", "/a.m3u8")}`],
      ["linked.test", `/k?${linkOf("linked", "/k")}`],
    ];
    for (const [host, target] of targets) {
      const answer = await ask(world, { host, target });
      t.equal(outcome(answer), "NO_CREDENTIALS", host + target);
      t.strictSame(answer.captures, []);
    }
    const ready = await readiness(world);
    t.equal(ready.status, 503);
    t.match(ready.text, /credentials reader/);
    t.equal(await world.gateway.metric('ossgate_errors_total{route="open",code="NO_CREDENTIALS",origin="gateway"}'), 5);
  },
);

t.test("who may not use the route learns nothing of the missing credentials", async (t) => {
  const world = await startSigning(t, ROUTES, { credentials: null });
  t.equal(outcome(await ask(world, { host: "linked.test", target: "/k" })), "LINK_REQUIRED");
  const signed = await ask(world, {
    host: "verifying.test",
    target: `/k?OSSAccessKeyId=${OWN.accessKeyId}&Expires=9999999999&Signature=x`,
  });
  t.equal(signed.status, 403);
  t.equal(xmlText(signed.text, "Code"), "InvalidAccessKeyId");
});

t.test("a route that relays is served all the while", async (t) => {
  const world = await startSigning(t, ROUTES, { credentials: null });
  const answer = await ask(world, { host: "relaying.test", target: "/k" });
  t.equal(answer.captures.length, 1);
  t.equal(answer.status, 403);
});

t.test("when credentials come they are used at once, and readyz agrees", async (t) => {
  const world = await startSigning(t, ROUTES, { credentials: null });
  world.emulator.putObject(BUCKET, "k", "hello");
  t.equal(outcome(await ask(world, { host: "open.test", target: "/k" })), "NO_CREDENTIALS");
  await world.rotate(OWN);
  t.equal((await ask(world, { host: "open.test", target: "/k" })).text, "hello");
  t.equal((await readiness(world)).status, 200);
});

t.test("credentials that have expired: never an unsigned request, and never the old signature", async (t) => {
  const expiresAtMs = Math.ceil(Date.now() / 1_000) * 1_000 + 60_000;
  const credentials = { ...OWN, securityToken: "token", expiresAtMs };
  const world = await startSigning(t, ROUTES, { credentials });
  world.emulator.addCredentials(credentials);
  world.emulator.putObject(BUCKET, "k", "hello");
  const before = await ask(world, { host: "open.test", target: "/k" });
  t.equal(before.text, "hello");
  t.equal(sentHeader(before.captures[0] as (typeof before.captures)[0], "x-oss-security-token"), "token");
  const real = Date.now;
  Date.now = () => real() + 120_000;
  t.teardown(() => {
    Date.now = real;
  });
  const after = await ask(world, { host: "open.test", target: "/k" });
  t.equal(outcome(after), "NO_CREDENTIALS");
  t.strictSame(after.captures, []);
  t.match((await readiness(world)).text, /credentials reader/);
});

t.test("rotation while requests run: not one fails, and the last use the new key", async (t) => {
  const world = await startSigning(t, ROUTES);
  world.emulator.putObject(BUCKET, "k", "hello");
  const statuses = new Set<number>();
  let isRotating = true;
  const load = Array.from({ length: 8 }, async () => {
    while (isRotating) {
      const { statusCode, body } = await request(`${world.gateway.url}/k`, { headers: { host: "open.test" } });
      statuses.add(statusCode);
      await body.dump();
    }
  });
  for (let number = 1; number <= 5; number += 1) {
    const next = { accessKeyId: `ak-${number}`, accessKeySecret: new Secret(`sk-${number}`) };
    world.emulator.addCredentials(next);
    await world.rotate(next);
  }
  isRotating = false;
  await Promise.all(load);
  t.strictSame([...statuses], [200]);
  const last = await ask(world, { host: "open.test", target: "/k" });
  t.match(sentHeader(last.captures[0] as (typeof last.captures)[0], "authorization"), /Credential=ak-5\//);
});

t.test("a file that goes or turns to garbage keeps the last good credentials in use", async (t) => {
  const world = await startSigning(t, ROUTES);
  world.emulator.putObject(BUCKET, "k", "hello");
  const failed = world.untilLogged((line) => line.includes("credentials were not refreshed"));
  await world.rotate(null);
  await failed;
  t.equal((await ask(world, { host: "open.test", target: "/k" })).text, "hello");
  t.equal((await readiness(world)).status, 200);
});
