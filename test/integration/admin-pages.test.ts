import t from "tap";
import { parse } from "yaml";
import { readConfig } from "../../src/config/read-config.js";
import { AdminListener } from "../../src/server/admin.js";
import type { AdminSource, AdminState } from "../../src/server/admin-source.js";
import { adminSource } from "../support/admin-source.js";
import { startGateway, type Teardown } from "../support/gateway.js";

const STATE: AdminState = {
  generation: 3,
  workersWanted: 2,
  workersServing: 2,
  isDraining: false,
  lastReload: null,
  configLoadedAtMs: 1,
};

async function start(t: Teardown, own: Partial<AdminSource>): Promise<string> {
  const admin = new AdminListener({ host: "127.0.0.1", port: 0 }, adminSource(own));
  const { port } = await admin.listen();
  t.teardown(() => admin.close());
  return `http://127.0.0.1:${port}`;
}

const read = async (url: string, init: RequestInit = {}): Promise<readonly [number, string]> => {
  const answer = await fetch(url, init);
  return [answer.status, await answer.text()];
};

t.test("it is ready when somebody serves, and says what is wrong else", async (t) => {
  const cases: readonly (readonly [Partial<AdminState>, readonly string[], number, string])[] = [
    [{}, [], 200, "ready\n"],
    [{ workersServing: 1 }, [], 200, "ready\n1 of 2 workers serve\n"],
    [{ workersServing: 0 }, [], 503, "no worker serves\n"],
    [{}, ["credentials app: there are no valid ones"], 503, "credentials app: there are no valid ones\n"],
    [{ isDraining: true }, ["credentials app: there are no valid ones"], 503, "shutting down\n"],
  ];
  for (const [state, problems, status, text] of cases) {
    const url = await start(t, { state: { ...STATE, ...state }, problems: async () => problems });
    t.strictSame(await read(`${url}/readyz`), [status, text]);
  }
});

t.test("draining is told at once, whether or not anybody answers", async (t) => {
  const url = await start(t, { state: { ...STATE, isDraining: true }, problems: () => new Promise(() => {}) });
  t.strictSame(await read(`${url}/readyz`), [503, "shutting down\n"]);
});

t.test("a reload that fails is 422 with every problem, and one that succeeds 200", async (t) => {
  const outcome = { atMs: 5, generation: 3, warnings: [] };
  const problem = 'gateway.yaml:4:9: routes[0].bucket: expected the alias of a bucket, found "x".';
  const bad = { ...outcome, ok: false, problems: [problem] };
  const url = await start(t, {
    reload: async () => bad,
    upgrade: async () => ({ ...outcome, ok: true, problems: [] }),
  });
  const [status, text] = await read(`${url}/reload`, { method: "POST" });
  t.strictSame([status, JSON.parse(text)], [422, bad]);
  t.equal((await read(`${url}/upgrade`, { method: "POST" }))[0], 200);
  const broken = await start(t, { reload: () => Promise.reject(new Error("the disk is gone")) });
  t.strictSame(await read(`${broken}/reload`, { method: "POST" }), [500, "the disk is gone\n"]);
});

t.test("HEAD is served wherever GET is, other methods are named, and what is not there lists what is", async (t) => {
  const url = await start(t, {});
  for (const path of ["/healthz", "/readyz", "/metrics", "/status", "/status/uplot.js", "/tops"]) {
    const [got, asked] = [await fetch(url + path), await fetch(url + path, { method: "HEAD" })];
    const body = await got.arrayBuffer();
    t.equal(asked.status, 200, path);
    t.equal(asked.headers.get("content-length"), String(body.byteLength), path);
    t.equal((await asked.text()).length, 0);
    const deleted = await fetch(url + path, { method: "DELETE" });
    t.strictSame([deleted.status, deleted.headers.get("allow")], [405, "GET, HEAD"], path);
  }
  const got = await fetch(`${url}/reload`);
  t.strictSame([got.status, got.headers.get("allow")], [405, "POST"]);
  const [status, text] = await read(`${url}/`);
  t.equal(status, 404);
  for (const path of [
    "/healthz",
    "/readyz",
    "/metrics",
    "/status",
    "/config",
    "/routes/explain",
    "/reload",
    "/upgrade",
  ]) {
    t.match(text, path);
  }
  t.notMatch(text, "/sign");
});

t.test("a fault of one page is that page's", async (t) => {
  const url = await start(t, { metrics: () => Promise.reject(new Error("no metrics")) });
  t.equal((await read(`${url}/metrics`))[0], 500);
  t.equal((await read(`${url}/healthz`))[0], 200);
});

const YAML = `
listeners: [{ name: web, address: "127.0.0.1:0" }]
admin: { address: "127.0.0.1:0", bearerSecret: { env: OSSGATE_TEST_ADMIN } }
limits: { headerTimeout: 90s, shared: "redis://127.0.0.1:1/2", sharedPassword: { env: OSSGATE_TEST_REDIS } }
credentials:
  app: { type: file, path: /run/keys/app.json }
  other: { type: credentialsUri, url: "http://127.0.0.1:1/a-secret-in-the-path" }
  partner: { type: assumeRole, roleArn: "acs:ram::1:role/x", from: app, externalId: "a-secret-of-the-partner" }
buckets:
  media: { bucket: examplebucket, region: cn-beijing, timeouts: { connect: 1500ms } }
routes:
  - name: images
    match: { hosts: [img.example.com] }
    bucket: media
    auth: sign
    sign: { credentials: app }
    limits: { requests: 50/s, egress: 10MiB/s, bodySize: 5MB }
    satisfy: any
    allow:
      forwardAuth: { url: "http://127.0.0.1:1/check?token=a-secret-in-the-query" }
      links:
        secret: { file: /run/keys/links }
        secureLink: { expression: "$secure_link_expires$uri $secret", secret: { env: OSSGATE_TEST_NGINX } }
`;

t.test("/config shows what is served, with units and without secrets, as JSON and as YAML", async (t) => {
  const result = readConfig(YAML, "test.yaml");
  if (!result.ok) throw new Error(JSON.stringify(result.problems));
  const url = await start(t, { config: () => result.config });
  const [status, text] = await read(`${url}/config`);
  t.equal(status, 200);
  t.notMatch(text, /a-secret-/);
  const shown = JSON.parse(text);
  t.match(shown, {
    admin: { bearerSecret: { env: "OSSGATE_TEST_ADMIN" }, readerSecret: null },
    limits: { headerTimeout: "90s", headerSize: "32KiB", shared: { url: "redis://127.0.0.1:1/2" } },
    credentials: { app: { path: "/run/keys/app.json" }, partner: { externalId: "***" } },
    buckets: { media: { bucket: "examplebucket", timeouts: { connect: "1500ms" } } },
  });
  t.match(shown.routes[0], {
    name: "images",
    limits: { bodySize: "5MB", budget: { requests: "50/s", egress: "10MiB/s", ingress: null } },
    allow: {
      forwardAuth: { url: "http://127.0.0.1:1/check?token=***" },
      links: { secret: { file: "/run/keys/links" }, secureLink: { secret: { env: "OSSGATE_TEST_NGINX" } } },
    },
  });
  const yaml = await fetch(`${url}/config?format=yaml`);
  t.match(yaml.headers.get("content-type"), "text/plain");
  t.strictSame(parse(await yaml.text()), shown);
  t.equal((await read(`${url}/config?format=xml`))[0], 400);
});

t.test("the pages of a gateway that runs are those of its own", async (t) => {
  const { adminUrl, url, logged } = await startGateway(
    t,
    `
listeners: [{ name: web, address: "127.0.0.1:0" }]
admin: { address: "127.0.0.1:0" }
buckets: { media: { bucket: examplebucket, region: cn-beijing, endpoint: "http://127.0.0.1:1" } }
routes: [{ name: images, match: { hosts: [img.example.com] }, bucket: media }]
`,
  );
  t.match(JSON.parse((await read(`${adminUrl}/config`))[1]), { buckets: { media: { bucket: "examplebucket" } } });
  await fetch(`${url}/x?Signature=abcdef`);
  await logged(({ error }) => error === "NO_ROUTE");
  const [, text] = await read(`${adminUrl}/status.json`);
  const data = JSON.parse(text);
  t.match(data, {
    state: { generation: 1, workersServing: 1 },
    routes: [{ name: "images", target: "media" }, { name: "-" }],
    buckets: [{ alias: "media", host: "127.0.0.1" }],
    events: [
      { route: "-", code: "NO_ROUTE", status: 404, sample: { target: "/x?Signature=***", client: "127.0.0.1" } },
    ],
    workers: [{ worker: 1, pid: process.pid }],
  });
  t.notOk("config" in data.state);
  for (const query of ["since=-1", "since=x", "since=1.5"]) {
    t.equal((await read(`${adminUrl}/status.json?${query}`))[0], 400, query);
  }
  t.equal((await read(`${adminUrl}/status.json?since=99999&route=nothing`))[0], 200);
});
