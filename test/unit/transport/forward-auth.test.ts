import type { Socket } from "node:net";
import t from "tap";
import { type AuthAnswer, ForwardAuth, type ForwardedRequest } from "../../../src/transport/forward-auth.js";
import { closedPort, openSockets, startOrigin } from "../../fault/support/sockets.js";
import { startAuthService, status } from "../../support/auth-service.js";
import { startKeyServer } from "../../support/callback-keys.js";
import { TEST_TLS } from "../emulator/certificate.js";

type Test = Parameters<typeof startOrigin>[0];

const REQUEST: ForwardedRequest = {
  route: "files",
  method: "GET",
  scheme: "http",
  host: "files.test",
  target: "/a%20b?c=d",
  client: "192.0.2.1",
  headers: ["Cookie", "session=1"],
};

interface Options {
  readonly timeoutMs?: number;
  readonly cacheMs?: number;
  readonly ca?: string;
  readonly clock?: { now(): number };
}

/** Asks for somebody who stays. */
interface Asking {
  ask(request: ForwardedRequest): AuthAnswer | Promise<AuthAnswer>;
  destroy(): void;
}

function authOf(t: Test, url: string, { timeoutMs = 5_000, cacheMs = 0, ca, clock }: Options = {}): Asking {
  const shared = { url: new URL(url), timeoutMs, cacheMs, ca: ca ?? null };
  const auth = new ForwardAuth(clock === undefined ? shared : { ...shared, clock });
  t.teardown(() => auth.destroy());
  return {
    ask: (request) => {
      const asked = auth.ask(request);
      return "leave" in asked ? asked.answer : asked;
    },
    destroy: () => auth.destroy(),
  };
}

const causeOf = (answer: AuthAnswer): string => (answer.kind === "unavailable" ? answer.cause : "");

t.test("the service is asked with a GET of its own URL, which says what the client asked for", async (t) => {
  const service = await startAuthService(t);
  t.same(await authOf(t, service.url).ask(REQUEST), { kind: "yes" });
  const [asked] = service.questions;
  t.equal(asked?.method, "GET");
  t.equal(asked?.target, "/check?from=gateway");
  t.same(
    asked?.rawHeaders.filter((_, i, all) => !/^(host|connection)$/i.test(all[i - (i % 2)] ?? "")),
    [
      "X-Forwarded-Method",
      "GET",
      "X-Forwarded-Proto",
      "http",
      "X-Forwarded-Host",
      "files.test",
      "X-Forwarded-Uri",
      "/a%20b?c=d",
      "X-Forwarded-For",
      "192.0.2.1",
      "Cookie",
      "session=1",
    ],
  );
  t.equal(asked?.header("host"), `127.0.0.1:${service.port}`);
});

const answers: readonly (readonly [code: number, headers: Record<string, string | string[]>, kind: string])[] = [
  [200, {}, "yes"],
  [204, {}, "yes"],
  [299, {}, "yes"],
  [401, {}, "login"],
  [403, {}, "no"],
  [400, {}, "no"],
  [404, {}, "no"],
  [429, {}, "no"],
  [302, { Location: "/login" }, "redirect"],
  [303, { Location: "/login" }, "redirect"],
  [307, { Location: "/login" }, "redirect"],
  [302, {}, "unavailable"],
  [302, { Location: ["/a", "/b"] }, "unavailable"],
  [300, { Location: "/login" }, "unavailable"],
  [301, { Location: "/login" }, "unavailable"],
  [304, {}, "unavailable"],
  [308, { Location: "/login" }, "unavailable"],
  [500, {}, "unavailable"],
  [503, {}, "unavailable"],
  [599, {}, "unavailable"],
  [666, {}, "unavailable"],
];

t.test("2xx is yes, 401 and redirects show a way in, other 4xx are no, and all else is no answer", async (t) => {
  const service = await startAuthService(t);
  const auth = authOf(t, service.url);
  for (const [code, headers, kind] of answers) {
    service.reply(status(code, headers));
    t.equal((await auth.ask(REQUEST)).kind, kind, `${code} ${JSON.stringify(headers)}`);
  }
});

t.test("a 401 has its challenges, a redirect its Location and cookies, and neither anything else", async (t) => {
  const service = await startAuthService(t);
  const auth = authOf(t, service.url);
  const more = { "X-Secret": "inner", Server: "inner" };
  service.reply(status(401, { ...more, "WWW-Authenticate": ["Bearer", 'Basic realm="x"'], "Set-Cookie": "a=1" }));
  t.same(await auth.ask(REQUEST), { kind: "login", challenges: ["Bearer", 'Basic realm="x"'] });
  service.reply(status(302, { ...more, Location: "https://login.test/?rd=1", "Set-Cookie": ["a=\u00e9", "b=2"] }));
  t.same(await auth.ask(REQUEST), {
    kind: "redirect",
    status: 302,
    headers: ["Location", "https://login.test/?rd=1", "Set-Cookie", "a=\u00e9", "Set-Cookie", "b=2"],
  });
});

/** A clock of the test's own. */
function clockAt(nowMs: number) {
  const clock = { nowMs, now: () => clock.nowMs };
  return clock;
}

t.test("answers that say yes, 401 and 403 hold for cacheMs; no others do", async (t) => {
  const service = await startAuthService(t);
  const clock = clockAt(1_000);
  const auth = authOf(t, service.url, { cacheMs: 60_000, clock });
  for (const [code, headers, kind] of answers) {
    service.reply(status(code, headers));
    const request = { ...REQUEST, target: `/${code}?${JSON.stringify(headers)}` };
    const before = service.questions.length;
    await auth.ask(request);
    clock.nowMs += 59_000;
    t.equal((await auth.ask(request)).kind, kind);
    const isKept = kind === "yes" || code === 401 || code === 403;
    t.equal(service.questions.length - before, isKept ? 1 : 2, String(code));
    clock.nowMs += 1_001;
    await auth.ask(request);
    t.equal(service.questions.length - before, isKept ? 2 : 3, `${code}, later`);
  }
});

t.test("without cacheMs each request is asked about, those at the same time too", async (t) => {
  const service = await startAuthService(t);
  const auth = authOf(t, service.url);
  await Promise.all([auth.ask(REQUEST), auth.ask(REQUEST)]);
  await auth.ask(REQUEST);
  t.equal(service.questions.length, 3);
});

const others: readonly (readonly [claim: string, change: Partial<ForwardedRequest>])[] = [
  ["route", { route: "other" }],
  ["method", { method: "PUT" }],
  ["scheme", { scheme: "https" }],
  ["host", { host: "other.test" }],
  ["target", { target: "/a%20b?c=e" }],
  ["client address", { client: "192.0.2.2" }],
  ["value of a header", { headers: ["Cookie", "session=2"] }],
  ["name of a header", { headers: ["Authorization", "session=1"] }],
  ["one header more", { headers: ["Cookie", "session=1", "Cookie", "session=1"] }],
  ["no header", { headers: [] }],
  ["what is where", { target: "/a%20b?c=d,192.0.2.1", client: "" }],
];

t.test("an answer holds for the very same request alone", async (t) => {
  const service = await startAuthService(t);
  const auth = authOf(t, service.url, { cacheMs: 60_000 });
  await auth.ask(REQUEST);
  t.notOk(auth.ask(REQUEST) instanceof Promise, "it is at hand");
  for (const [index, [claim, change]] of others.entries()) {
    const answer = auth.ask({ ...REQUEST, ...change });
    t.ok(answer instanceof Promise, claim);
    await answer;
    t.equal(service.questions.length, index + 2, claim);
  }
});

t.test("the same question is asked once at a time, but a redirect belongs to whoever asked", async (t) => {
  let cookies = 0;
  const held: (() => void)[] = [];
  const service = await startAuthService(t);
  service.reply((_req, res) => held.push(() => res.writeHead(200).end()));
  const auth = authOf(t, service.url, { cacheMs: 60_000 });
  const all = Array.from({ length: 20 }, () => auth.ask(REQUEST));
  await service.untilAsked(1);
  held.pop()?.();
  t.same(new Set((await Promise.all(all)).map(({ kind }) => kind)), new Set(["yes"]));
  t.equal(service.questions.length, 1);
  service.reply((_req, res) => {
    cookies += 1;
    res.writeHead(302, { Location: "/login", "Set-Cookie": `csrf=${cookies}` }).end();
  });
  const redirected = await Promise.all([1, 2, 3].map(() => auth.ask({ ...REQUEST, target: "/new" })));
  t.equal(new Set(redirected.map((answer) => JSON.stringify(answer))).size, 3);
});

t.test("no more than 10,000 answers are remembered, and of long challenges none", async (t) => {
  const service = await startAuthService(t, status(401, { "WWW-Authenticate": `Bearer ${"x".repeat(600)}` }));
  const auth = authOf(t, service.url, { cacheMs: 60_000 });
  await auth.ask(REQUEST);
  await auth.ask(REQUEST);
  t.equal(service.questions.length, 2);
  service.reply(status(204));
  for (let i = 0; i <= 10_000; i += 100) {
    const some = Array.from({ length: 100 }, (_, j) => auth.ask({ ...REQUEST, target: `/${i + j}` }));
    await Promise.all(some);
  }
  t.ok(auth.ask({ ...REQUEST, target: "/0" }) instanceof Promise, "the first is forgotten");
  t.notOk(auth.ask({ ...REQUEST, target: "/10000" }) instanceof Promise);
  await auth.ask({ ...REQUEST, target: "/0" });
});

const OK = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

/** Plays one answer after another, whatever is asked: text is sent, `null` ends the connection. */
async function script(t: Test, answers: readonly (string | null)[]) {
  const left = [...answers];
  const served: number[] = [];
  let count = 0;
  const origin = await startOrigin(t, (socket: Socket) => {
    count += 1;
    const id = count;
    socket.on("end", () => socket.end());
    socket.on("data", () => {
      served.push(id);
      const next = left.shift();
      if (next === null || next === undefined) socket.destroy();
      else socket.write(next, "latin1");
    });
  });
  return { url: `http://127.0.0.1:${origin.port}/`, port: origin.port, served };
}

t.test("a connection that was closed while it was idle costs no answer", async (t) => {
  const { url, served } = await script(t, [OK, null, OK]);
  const auth = authOf(t, url);
  t.equal((await auth.ask(REQUEST)).kind, "yes");
  await new Promise(setImmediate);
  t.equal((await auth.ask(REQUEST)).kind, "yes");
  t.same(served, [1, 1, 2], "the second try has a connection of its own");
});

t.test("a service that breaks every connection is asked twice, not more", async (t) => {
  const { url, served } = await script(t, []);
  t.equal((await authOf(t, url).ask(REQUEST)).kind, "unavailable");
  t.equal(served.length, 2);
});

const badAnswers: readonly (readonly [claim: string, answer: string])[] = [
  ["no HTTP", "hello\r\n\r\n"],
  ["a switch of protocols", "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"],
  ["100 without being asked", "HTTP/1.1 100 Continue\r\n\r\n"],
  ["headers without end", `HTTP/1.1 200 OK\r\nX: ${"x".repeat(40_000)}`],
  ["a header with a NUL", "HTTP/1.1 302 Found\r\nLocation: /a\0b\r\nContent-Length: 0\r\n\r\n"],
  ["two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\na"],
];

t.test("what is no HTTP is no answer", async (t) => {
  for (const [claim, answer] of badAnswers) {
    const { url } = await script(t, [answer, answer]);
    const got = await authOf(t, url).ask(REQUEST);
    t.equal(got.kind, "unavailable", `${claim}: ${causeOf(got)}`);
  }
});

t.test("an interim answer is passed over", async (t) => {
  const { url } = await script(t, [`HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n${OK}`]);
  t.equal((await authOf(t, url).ask(REQUEST)).kind, "yes");
});

t.test("nobody listens, or the name is unknown: no answer, and the cause says so", async (t) => {
  const port = await closedPort();
  t.match(causeOf(await authOf(t, `http://127.0.0.1:${port}/`).ask(REQUEST)), "ECONNREFUSED");
  t.match(causeOf(await authOf(t, "http://no-such-host.invalid/").ask(REQUEST)), /ENOTFOUND|EAI_AGAIN/);
});

t.test("no head in time: no answer, and nothing stays open", async (t) => {
  const { url, port } = await script(t, ["HTTP/1.1 200 OK\r\n", OK]);
  const auth = authOf(t, url, { timeoutMs: 50 });
  const answer = await auth.ask(REQUEST);
  t.match(causeOf(answer), "no answer within 50 ms");
  await Promise.all(openSockets(port).map((socket) => new Promise((resolve) => socket.once("close", resolve))));
  t.equal((await auth.ask(REQUEST)).kind, "yes", "and the next is asked on a new connection");
});

t.test("an answer counts with its head, and a body without end is cut off", async (t) => {
  const endless = `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10000\r\n${"x".repeat(65_536)}\r\n1\r\nx\r\n`;
  const { url, port } = await script(t, [endless, OK]);
  const auth = authOf(t, url);
  t.equal((await auth.ask(REQUEST)).kind, "yes");
  await Promise.all(openSockets(port).map((socket) => new Promise((resolve) => socket.once("close", resolve))));
  t.equal((await auth.ask(REQUEST)).kind, "yes");
});

t.test("a body that comes too slowly is cut off when the time is up", async (t) => {
  const { url, port } = await script(t, ["HTTP/1.1 403 No\r\nContent-Length: 100\r\n\r\nslow", OK]);
  const auth = authOf(t, url, { timeoutMs: 50 });
  t.equal((await auth.ask(REQUEST)).kind, "no");
  await Promise.all(openSockets(port).map((socket) => new Promise((resolve) => socket.once("close", resolve))));
});

t.test("of one client 32 questions run and 192 wait; the next is no answer at once", async (t) => {
  const held: (() => void)[] = [];
  const service = await startAuthService(t, (_req, res) => held.push(() => res.writeHead(204).end()));
  const auth = authOf(t, service.url);
  const all = Array.from({ length: 32 + 192 }, () => auth.ask(REQUEST));
  t.match(causeOf(await auth.ask(REQUEST)), "too many questions are unanswered");
  await service.untilAsked(32);
  t.equal(openSockets(service.port).length, 32);
  service.reply(status(204));
  for (const answer of held) answer();
  t.same(new Set((await Promise.all(all)).map(({ kind }) => kind)), new Set(["yes"]));
  t.equal((await auth.ask(REQUEST)).kind, "yes");
});

t.test("of many clients 64 questions run, each on a connection of its own", async (t) => {
  const held: (() => void)[] = [];
  const service = await startAuthService(t, (_req, res) => held.push(() => res.writeHead(204).end()));
  const auth = authOf(t, service.url);
  const clients = Array.from({ length: 100 }, (_, i) => `192.0.2.${i}`);
  const all = [1, 2].flatMap(() => clients.map((client) => auth.ask({ ...REQUEST, client })));
  await service.untilAsked(64);
  t.equal(openSockets(service.port).length, 64);
  service.reply(status(204));
  for (const answer of held) answer();
  t.same(new Set((await Promise.all(all)).map(({ kind }) => kind)), new Set(["yes"]));
  t.equal(service.questions.length, 200);
});

t.test("questions that wait for a connection until their time is up are never sent", async (t) => {
  const service = await startAuthService(t, () => {});
  const auth = authOf(t, service.url, { timeoutMs: 300 });
  const all = await Promise.all(Array.from({ length: 200 }, () => auth.ask(REQUEST)));
  t.equal(all.filter(({ kind }) => kind === "unavailable").length, 200);
  service.reply(status(204));
  t.equal((await auth.ask(REQUEST)).kind, "yes");
  // The first 32, this one, and a few whose time was not quite up when a place came free.
  t.ok(service.questions.length < 150, `${service.questions.length} were sent`);
});

t.test("a certificate is verified, by its name too; caFile adds an authority", async (t) => {
  const server = await startKeyServer(t, status(204), TEST_TLS);
  const url = `https://127.0.0.1:${server.port}/`;
  t.match(causeOf(await authOf(t, url).ask(REQUEST)), /certificate/);
  t.equal((await authOf(t, url, { ca: TEST_TLS.cert }).ask(REQUEST)).kind, "yes");
  const other = await startKeyServer(t, status(204));
  t.match(
    causeOf(await authOf(t, `https://127.0.0.1:${other.port}/`, { ca: TEST_TLS.cert }).ask(REQUEST)),
    /certificate/,
  );
  t.same(other.requests, []);
});

t.test("what ends while a question runs answers it", async (t) => {
  const service = await startAuthService(t, () => {});
  const auth = authOf(t, service.url);
  const answer = auth.ask(REQUEST);
  await service.untilAsked(1);
  auth.destroy();
  t.equal((await answer).kind, "unavailable");
});
