import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import t, { type Test } from "tap";
import { Secret } from "../../src/core/secret.js";
import {
  ask,
  BUCKET,
  EVERY_METHOD,
  OWN,
  outcome,
  type SignWorld,
  sentHeader,
  signingRoute,
  startSigning,
} from "../support/sign-world.js";

const ROUTES =
  signingRoute("open", `${EVERY_METHOD}, allow: { anyone: true }`) +
  signingRoute("oldest", "allow: { anyone: true }", "version: v1");
const NEXT = { accessKeyId: "rotated-ak", accessKeySecret: new Secret("rotated-sk") };

interface HeldOrigin {
  readonly port: number;
  /** The heads that arrived. */
  readonly heads: string[];
  /** Called for each request; resets the connection when it resolves `reset`, else sends the text. */
  answer(make: (head: string, number: number) => Promise<string>): void;
}

/** An upstream whose answers a test decides about one by one, as late as it likes. */
async function startHeldOrigin(t: Test): Promise<HeldOrigin> {
  const heads: string[] = [];
  const sockets = new Set<Socket>();
  let make: (head: string, number: number) => Promise<string> = async () => "reset";
  const server = createServer((socket) => {
    sockets.add(socket);
    let text = "";
    socket.on("error", () => {});
    socket.on("data", async (chunk) => {
      text += chunk.toString("latin1");
      if (!text.includes("\r\n\r\n")) return;
      const head = text;
      text = "";
      heads.push(head);
      const bytes = await make(head, heads.length);
      if (bytes === "reset") socket.resetAndDestroy();
      else socket.write(bytes);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return {
    port: (server.address() as AddressInfo).port,
    heads,
    answer: (next) => {
      make = next;
    },
  };
}

const OK = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
const field = (head: string, name: string): string => new RegExp(`^${name}: (.*)\r$`, "im").exec(head)?.[1] ?? "";

async function startHeld(t: Test): Promise<{ readonly origin: HeldOrigin; readonly world: SignWorld }> {
  const origin = await startHeldOrigin(t);
  const world = await startSigning(t, ROUTES, { endpoint: `http://127.0.0.1:${origin.port}` });
  return { origin, world };
}

/** Moves the clock of this process, the gateway's included, by so much until the test ends. */
function shiftableClock(t: Test): (byMs: number) => void {
  const real = Date.now;
  let shiftMs = 0;
  Date.now = () => real() + shiftMs;
  t.teardown(() => {
    Date.now = real;
  });
  return (byMs) => {
    shiftMs += byMs;
  };
}

for (const host of ["open.test", "oldest.test"]) {
  t.test(
    `${host}: a connection that breaks before an answer: the second try has a signature of its own time`,
    async (t) => {
      const shift = shiftableClock(t);
      const { origin, world } = await startHeld(t);
      origin.answer(async (_head, number) => {
        if (number > 1) return OK;
        shift(7_000);
        return "reset";
      });
      const answer = await ask(world, { host, target: "/k" });
      t.equal(answer.text, "hello");
      t.equal(answer.entry.attempts, 2);
      const [first = "", second = ""] = origin.heads;
      t.not(field(first, "x-oss-date"), "");
      t.not(field(first, "x-oss-date"), field(second, "x-oss-date"));
      t.not(field(first, "authorization"), field(second, "authorization"));
      t.match(field(second, "authorization"), OWN.accessKeyId);
      t.equal(first.match(/^authorization:/gim)?.length, 1);
      t.equal(second.match(/^authorization:/gim)?.length, 1, "and not two");
    },
  );

  t.test(`${host}: credentials that rotate between two tries: the second uses the new ones`, async (t) => {
    const { origin, world } = await startHeld(t);
    origin.answer(async (_head, number) => {
      if (number > 1) return OK;
      await world.rotate(NEXT);
      return "reset";
    });
    const answer = await ask(world, { host, target: "/k" });
    t.equal(answer.text, "hello");
    t.match(field(origin.heads[0] ?? "", "authorization"), OWN.accessKeyId);
    t.match(field(origin.heads[1] ?? "", "authorization"), NEXT.accessKeyId);
  });
}

t.test("credentials that expire between two tries: 503, and the second try is not made", async (t) => {
  const shift = shiftableClock(t);
  const origin = await startHeldOrigin(t);
  const credentials = { ...OWN, securityToken: "token", expiresAtMs: Math.ceil(Date.now() / 1_000) * 1_000 + 60_000 };
  const world = await startSigning(t, ROUTES, { endpoint: `http://127.0.0.1:${origin.port}`, credentials });
  origin.answer(async () => {
    shift(120_000);
    return "reset";
  });
  const answer = await ask(world, { host: "open.test", target: "/k" });
  t.equal(outcome(answer), "NO_CREDENTIALS");
  t.equal(answer.status, 503);
  t.equal(origin.heads.length, 1);
});

t.test("an upload whose connection breaks is not sent again", async (t) => {
  const { origin, world } = await startHeld(t);
  const answer = await ask(world, { method: "PUT", host: "open.test", target: "/k", body: "x" });
  t.equal(outcome(answer), "UPSTREAM_RESET");
  t.equal(origin.heads.length, 1);
});

t.test("a stale connection: the request goes out again on a fresh one, signed once each", async (t) => {
  const world = await startSigning(t, ROUTES);
  world.emulator.putObject(BUCKET, "k", "hello");
  await ask(world, { host: "open.test", target: "/k" });
  world.emulator.faults.failNext(1, { kind: "resetOnReuse" });
  const answer = await ask(world, { host: "open.test", target: "/k" });
  t.equal(answer.text, "hello");
  t.equal(answer.captures.length, 2);
  for (const capture of answer.captures) {
    t.equal(capture.rawHeaders.filter((name) => name.toLowerCase() === "authorization").length, 1);
    t.match(sentHeader(capture, "authorization"), /^OSS4-HMAC-SHA256 /);
  }
});

t.test("a replaced key that OSS no longer knows: the file is read again because OSS refused it", async (t) => {
  const world = await startSigning(t, ROUTES);
  world.emulator.putObject(BUCKET, "k", "hello");
  world.emulator.addCredentials(NEXT);
  const refusal = "<Error><Code>InvalidAccessKeyId</Code><Message>m</Message></Error>";
  world.emulator.faults.failEvery(
    (capture) => sentHeader(capture, "authorization")?.includes(OWN.accessKeyId) ?? false,
    { kind: "answer", status: 403, body: refusal },
  );
  t.equal(outcome(await ask(world, { host: "open.test", target: "/k" })), "UPSTREAM_AUTH_FAILED");
  await world.rotate(NEXT);
  t.equal((await ask(world, { host: "open.test", target: "/k" })).text, "hello");
});
