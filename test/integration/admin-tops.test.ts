import { request } from "node:http";
import t, { type Test as Tap } from "tap";
import { AdminListener } from "../../src/server/admin.js";
import { Stats } from "../../src/telemetry/stats.js";
import { adminSource } from "../support/admin-source.js";
import { BUCKET, relay, startRelay } from "../support/relay-world.js";

interface Answer {
  readonly status: number;
  readonly contentType: string;
  readonly text: string;
}

async function startAdmin(t: Tap, stats: Stats) {
  const admin = new AdminListener({ host: "127.0.0.1", port: 0 }, adminSource({ stats }));
  const { port } = await admin.listen();
  t.teardown(() => admin.close());
  return (path: string, method = "GET", host = "localhost"): Promise<Answer> =>
    new Promise((resolve, reject) => {
      const sent = request({ host: "127.0.0.1", port, path, method, agent: false, headers: { host } }, (answer) => {
        let text = "";
        answer.setEncoding("utf8").on("data", (part: string) => {
          text += part;
        });
        answer.on("end", () =>
          resolve({ status: answer.statusCode ?? 0, contentType: answer.headers["content-type"] ?? "", text }),
        );
      });
      sent.on("error", reject);
      sent.end();
    });
}

t.test("the hosts of refused referers are listed by route, those refused most first", async (t) => {
  const { emulator, gateway } = await startRelay(
    t,
    `
  - name: enforced
    match: { hosts: [enforced.test] }
    bucket: one
    auth: relay
    referer: { allowEmptyReferer: false, refererList: ["https://good.test"] }
  - name: reported
    match: { hosts: [reported.test] }
    bucket: one
    auth: relay
    referer: { mode: report, allowEmptyReferer: false, refererList: ["https://good.test"] }
`,
  );
  emulator.putObject(BUCKET, "a.txt", "a");
  const ask = await startAdmin(t, gateway.gateway.stats);
  const referers = [
    "https://evil.test/page?q=secret",
    "http://EVIL.test:8080/",
    "https://other.test/",
    "https://good.test/",
  ];
  for (const host of ["enforced.test", "reported.test"]) {
    for (const referer of referers)
      await relay({ emulator, gateway }, { host, target: "/a.txt", headers: ["Referer", referer] });
    await relay({ emulator, gateway }, { host, target: "/a.txt" });
  }
  const answer = await ask("/tops");
  t.equal(answer.status, 200);
  t.equal(answer.contentType, "application/json");
  const list = [
    { host: "evil.test", count: 2, atLeast: 2 },
    { host: "other.test", count: 1, atLeast: 1 },
    { host: "-", count: 1, atLeast: 1 },
  ];
  t.same(JSON.parse(answer.text), { refusedReferers: { enforced: list, reported: list } });
  t.notMatch(answer.text, "secret");
  t.equal(await gateway.metric('ossgate_referer_refused_total{route="enforced",reason="empty",enforced="true"}'), 1);
  t.equal(await gateway.metric('ossgate_referer_refused_total{route="reported",reason="empty",enforced="false"}'), 1);
});

t.test("the list is as long as it may be, whatever is sent", async (t) => {
  const stats = new Stats();
  for (let i = 0; i < 5_000; i += 1) stats.noteRefusedReferer("files", `https://host-${i}.test/${"x".repeat(1_000)}`);
  for (let i = 0; i < 100; i += 1) stats.noteRefusedReferer("files", "https://evil.test/");
  for (const hostile of ["\u0000", '"}', "https://</script>/", "https://user:password@evil.test/", "é".repeat(9_000)]) {
    stats.noteRefusedReferer("files", hostile);
  }
  const ask = await startAdmin(t, stats);
  const { text } = await ask("/tops");
  const { refusedReferers } = JSON.parse(text) as ReturnType<Stats["tops"]>;
  t.equal(refusedReferers.files?.length, 50);
  t.equal(refusedReferers.files?.[0]?.host, "evil.test");
  t.ok(refusedReferers.files?.every(({ host }) => /^[a-z0-9.:()[\]-]{1,254}$/.test(host)));
});

t.test("nothing refused is an empty list; only GET and HEAD, and only by the listener's own address", async (t) => {
  const ask = await startAdmin(t, new Stats());
  t.same(JSON.parse((await ask("/tops")).text), { refusedReferers: {} });
  t.equal((await ask("/tops", "HEAD")).text, "");
  t.equal((await ask("/tops", "POST")).status, 405);
  t.equal((await ask("/tops", "GET", "rebound.evil.test")).status, 403);
  const missing = await ask("/nothing");
  t.equal(missing.status, 404);
  t.match(missing.text, "/tops");
});
