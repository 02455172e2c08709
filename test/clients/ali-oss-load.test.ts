import { randomBytes } from "node:crypto";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import t, { type Test as Tap } from "tap";
import { BUCKET, errorOf, loopbackAgent, type OssClient, ossClient } from "./ali-oss.js";
import { digestOf, startWorld, type World } from "./world.js";

/** Operations that are independent of each other; each checks its own outcome. */
type Operation = (client: OssClient, name: string, body: Buffer) => Promise<void>;

function operations(t: Tap, { emulator }: World): readonly Operation[] {
  const isHeld = (name: string, body: Buffer) =>
    t.strictSame(digestOf(emulator.readObject(BUCKET, name)), digestOf(body), name);
  return [
    async (client, name, body) => {
      await client.put(name, body);
      isHeld(name, body);
    },
    async (client, name, body) => {
      await client.put(name, Readable.from([body.subarray(0, 1000), body.subarray(1000)], { objectMode: false }));
      isHeld(name, body);
    },
    async (client, name, body) => {
      const options = { contentLength: body.length };
      await client.put(
        name,
        Readable.from([body.subarray(0, 1000), body.subarray(1000)], { objectMode: false }),
        options,
      );
      isHeld(name, body);
    },
    async (client, name, body) => {
      emulator.putObject(BUCKET, name, body);
      t.strictSame(digestOf((await client.get(name)).content), digestOf(body), name);
    },
    async (client, name, body) => {
      emulator.putObject(BUCKET, name, body);
      const { stream } = await client.getStream(name);
      t.strictSame(digestOf(await buffer(stream)), digestOf(body), name);
    },
    async (client, name, body) => {
      emulator.putObject(BUCKET, name, body);
      t.equal((await client.head(name)).res.headers["content-length"], String(body.length), name);
    },
    async (client, name) => {
      t.equal((await errorOf(client.get(`${name}/missing`))).code, "NoSuchKey", name);
    },
    async (client, name, body) => {
      await client.multipartUpload(name, Buffer.concat([body, body]), { partSize: 100 * 1024, parallel: 2 });
      isHeld(name, Buffer.concat([body, body]));
    },
    async (client, name, body) => {
      emulator.putObject(BUCKET, `${name}/source`, body);
      await client.copy(name, `${name}/source`);
      isHeld(name, body);
    },
    async (client, name, body) => {
      emulator.putObject(BUCKET, name, body);
      await client.delete(name);
      t.equal(emulator.getObject(BUCKET, name), undefined, name);
    },
  ];
}

t.test("50 operations of every kind at a time do not mix", async (t) => {
  const world = await startWorld(t);
  const { emulator, gateway } = world;
  const mix = operations(t, world);
  const clients = [false, true].map((authorizationV4) =>
    ossClient(t, { endpoint: gateway.url, authorizationV4, agent: loopbackAgent(t, 20) }),
  );
  await Promise.all(
    Array.from({ length: 50 }, (_, index) => {
      const operation = mix[index % mix.length];
      const client = clients[index % 2 === 0 ? 0 : 1];
      if (operation === undefined || client === undefined) throw new Error("no operation");
      return operation(client, `mix/${index}.bin`, randomBytes(120_000 + index));
    }),
  );
  await emulator.until(() => emulator.requestsInFlight() === 0);
  t.ok(gateway.accessLog.length >= 50);
  t.notOk(gateway.accessLog.some((entry) => entry.status >= 500));
  t.equal(await gateway.metric('ossgate_requests_in_flight{route="sdk"}'), 0);
});

t.test("a client that keeps its one connection does 50 operations on it", async (t) => {
  const { emulator, gateway } = await startWorld(t);
  const client = ossClient(t, { endpoint: gateway.url, agent: loopbackAgent(t, 1) });
  const connectionsBefore = await gateway.metric("ossgate_client_connections_total");
  for (let index = 0; index < 25; index += 1) {
    await client.put(`kept/${index}`, Buffer.from(String(index)));
    t.equal((await client.get(`kept/${index}`)).content.toString(), String(index));
  }
  t.equal((await gateway.metric("ossgate_client_connections_total")) - connectionsBefore, 1);
  t.equal(emulator.keys(BUCKET).length, 25);
});

t.test(
  "the connections that OSS closed while they were idle cost ali-oss no error, without any retry of its own",
  async (t) => {
    const { emulator, gateway } = await startWorld(t);
    emulator.putObject(BUCKET, "x", "still here");
    const client = ossClient(t, { endpoint: gateway.url, retryMax: 0 });
    for (let round = 0; round < 10; round += 1) {
      emulator.closeIdleSockets();
      t.equal((await client.get("x")).content.toString(), "still here");
      emulator.closeIdleSockets();
      await client.put(`put/${round}`, Buffer.from("x"));
    }
  },
);
