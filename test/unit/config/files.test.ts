import { readFile } from "node:fs/promises";
import t from "tap";
import { parse } from "yaml";
import * as z from "zod";
import { readConfig } from "../../../src/config/read-config.js";
import { configJsonSchema, configReference } from "../../../src/config/reference.js";
import { configSchema } from "../../../src/config/schema.js";
import { type SchemaKey, schemaKeys } from "../../../src/config/walk-schema.js";
import { configOf } from "./helpers.js";

const read = (name: string) => readFile(new URL(`../../../config/${name}`, import.meta.url), "utf8");
const KEYS = schemaKeys(configSchema);

for (const name of ["gateway.example.yaml", "gateway.minimal.yaml"]) {
  t.test(`config/${name} is good and without warnings`, async (t) => {
    const { ok, warnings } = readConfig(await read(name), name);
    t.strictSame({ ok, warnings }, { ok: true, warnings: [] });
  });
}

t.test("every default: the smallest file gives exactly this", async (t) => {
  const config = configOf(await read("gateway.minimal.yaml"));
  t.strictSame(
    {
      ...config,
      buckets: [...config.buckets],
      credentials: [...config.credentials],
      quotas: [...config.quotas],
    },
    {
      listeners: [
        { name: "web", address: { host: "0.0.0.0", port: 80, systemd: null }, tls: null, proxyProtocol: false },
      ],
      workers: "auto",
      metrics: { compat: null },
      acmeChallengeDirectory: null,
      trustedProxies: [],
      quotas: [],
      admin: { address: { host: "127.0.0.1", port: 9180 }, bearerSecret: null, readerSecret: null },
      log: { level: "info", output: "stderr", access: { format: "json", output: "stdout", unmasked: false } },
      limits: {
        headerSizeBytes: 32 * 1024,
        headerCount: 200,
        targetSizeBytes: 16 * 1024,
        headerTimeoutMs: 60_000,
        clientIdleTimeoutMs: 75_000,
        connections: 10_000,
        shutdownTimeoutMs: 30_000,
        shared: null,
      },
      credentials: [],
      buckets: [
        [
          "media",
          {
            alias: "media",
            bucket: "examplebucket",
            region: "cn-beijing",
            domains: [],
            endpoint: "internal",
            tls: true,
            caFile: null,
            dns: { minTtlMs: 5_000, maxTtlMs: 60_000, servers: [], addresses: [] },
            connections: 256,
            timeouts: { connectMs: 5_000, headersMs: 60_000, idleMs: 60_000 },
            limits: null,
            quota: null,
          },
        ],
      ],
      routes: [
        {
          name: "files",
          match: { hosts: ["47.0.2.74"], listeners: null, pathPrefix: "/", pathPattern: null },
          target: { kind: "bucket", bucket: "media" },
          stripPrefix: false,
          keyPrefix: "",
          hostHeader: "bucket",
          methods: ["GET", "HEAD"],
          auth: "relay",
          sign: null,
          clientSignatures: "refuse",
          operations: [],
          allow: null,
          satisfy: "any",
          deny: { clients: [], paths: [] },
          hls: null,
          limits: { bodySizeBytes: 5 * 2 ** 30, budget: null },
          priority: 0,
          requestHeaders: { remove: [] },
          responseHeaders: { set: [], always: false, remove: [] },
          preview: false,
          trusted: false,
          indexDocument: null,
          errorDocument: null,
          httpsRedirect: false,
          httpsPort: 443,
          hsts: null,
          referer: null,
          cors: null,
        },
      ],
    },
  );
});

t.test("the values that the example shows as defaults are the defaults", async (t) => {
  const [example, minimal] = [
    configOf(await read("gateway.example.yaml")),
    configOf(await read("gateway.minimal.yaml")),
  ];
  t.strictSame(
    [example.admin.address, example.log, { ...example.limits, shared: null }],
    [minimal.admin.address, minimal.log, minimal.limits],
  );
  // What these are is said to be none by default.
  const without = { domains: [], limits: null, quota: null };
  const [bucket, defaults] = [example.buckets.get("media"), minimal.buckets.get("media")];
  t.strictSame({ ...bucket, ...without }, { ...defaults, ...without });
});

t.test("the example has every key of the schema, those of every type of credentials too", async (t) => {
  const example = parse(await read("gateway.example.yaml"));
  t.strictSame(
    KEYS.filter((key) => valuesAt(example, key).length === 0).map(({ path, variant }) => ({ path, variant })),
    [],
  );
});

/** The values at `routes[].match.hosts` or `buckets.<alias>.region`, of all members; of those with its type alone. */
function valuesAt(root: unknown, { path, variant }: SchemaKey): readonly unknown[] {
  let values: readonly unknown[] = [root];
  for (const step of path.replaceAll("[]", ".[]").split(".")) {
    values = values.flatMap((value) => {
      if (step === "[]" || step === "<alias>") return membersOf(value, variant);
      return Object.entries(value as object).flatMap(([key, child]) => (key === step ? [child] : []));
    });
  }
  return values;
}

function membersOf(value: unknown, variant: string | null): readonly unknown[] {
  const members = Object.values(value as object);
  return variant === null ? members : members.filter((member) => member.type === variant);
}

t.test("config/gateway.schema.json is what the schema generates (npm run generate)", async (t) => {
  t.equal(await read("gateway.schema.json"), configJsonSchema());
});

t.test("every key says what it means, and has a default or an example", async (t) => {
  for (const { path, schema, inner } of KEYS) {
    t.ok(schema.description, path);
    if (inner instanceof z.ZodObject || inner instanceof z.ZodRecord) continue;
    if (inner instanceof z.ZodArray && inner.element instanceof z.ZodObject) continue;
    t.ok(schema instanceof z.ZodPrefault || schema.meta()?.examples !== undefined, path);
  }
});

t.test("every example of a key is a value that the key takes", async (t) => {
  for (const { path, schema } of KEYS) {
    const examples = (schema.meta()?.examples ?? []) as readonly unknown[];
    for (const example of examples) t.equal(schema.safeParse(example).success, true, path);
  }
});

t.test("the reference has one row for each key, in the schema's order", async (t) => {
  const rows = configReference().trimEnd().split("\n").slice(2);
  t.strictSame(
    rows.map((row) => row.split("`")[1]),
    KEYS.map((key) => key.path),
  );
  for (const row of rows) t.equal(row.split(/(?<!\\)\|/).length, 6, row);
});

t.test("a configuration is frozen", async (t) => {
  const config = configOf(await read("gateway.example.yaml"));
  t.ok(Object.isFrozen(config));
  t.ok(Object.isFrozen(config.routes[0]?.match.hosts));
  t.ok(Object.isFrozen(config.buckets.get("media")?.dns));
});
