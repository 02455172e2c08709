import { once } from "node:events";
import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";
import t from "tap";
import {
  type AuthAnswer,
  type ComingAnswer,
  ForwardAuth,
  type ForwardedRequest,
} from "../../../src/transport/forward-auth.js";
import { type AskedQuestion, startAuthService, status } from "../../support/auth-service.js";
import type { Teardown } from "../../support/gateway.js";

const REQUEST: ForwardedRequest = {
  route: "files",
  method: "GET",
  scheme: "http",
  host: "files.test",
  target: "/a.txt",
  client: "192.0.2.1",
  headers: [],
};

/** A service that holds what it is asked, and somebody who asks it. */
async function bench(t: Teardown, cacheMs = 0) {
  const held: { readonly res: ServerResponse; readonly socket: Socket }[] = [];
  const service = await startAuthService(t, (req, res) => held.push({ res, socket: req.socket }));
  const auth = new ForwardAuth({ url: new URL(service.url), timeoutMs: 60_000, ca: null, cacheMs });
  t.teardown(() => auth.destroy());
  const ask = (change: Partial<ForwardedRequest> = {}): ComingAnswer => {
    const asked = auth.ask({ ...REQUEST, ...change });
    if (!("leave" in asked)) throw new Error("it was remembered");
    return asked;
  };
  const answer = (code = 200, headers = {}): void => void held.shift()?.res.writeHead(code, headers).end();
  /** The connection of the oldest question that is held has ended. */
  const ended = async (): Promise<void> => {
    const socket = held.shift()?.socket as Socket;
    if (!socket.destroyed) await once(socket, "close");
  };
  return { auth, ask, service, held, answer, ended };
}

const targetOf = (question: AskedQuestion | undefined): string | undefined => question?.header("x-forwarded-uri");

t.test("a question that runs ends with its requester, and its connection too", async (t) => {
  const { ask, service, ended } = await bench(t);
  const asked = ask();
  await service.untilAsked(1);
  asked.leave();
  asked.leave();
  await ended();
  t.equal((await asked.answer).kind, "unavailable", "in no case is it a yes");
  service.reply(status(200));
  t.equal((await ask().answer).kind, "yes");
  t.equal(service.questions.length, 2, "and it is not tried again");
});

t.test("a question that waits is never sent, and its place is another's", async (t) => {
  const { ask, service, held, answer } = await bench(t);
  const running = Array.from({ length: 32 }, () => ask({ target: "/runs" }));
  await service.untilAsked(32);
  const waiting = Array.from({ length: 192 }, () => ask({ target: "/waits" }));
  for (const { leave } of waiting) leave();
  const last = Array.from({ length: 192 }, () => ask({ target: "/last" }));
  t.equal((await ask().answer).kind, "unavailable", "there is no room for one more");
  service.reply(status(200));
  while (held.length > 0) answer();
  const answers = await Promise.all([...running, ...last].map((asked) => asked.answer));
  t.same(new Set(answers.map(({ kind }) => kind)), new Set(["yes"]));
  t.same(new Set(service.questions.map(targetOf)), new Set(["/runs", "/last"]));
});

t.test("when one leaves that runs, the next that waits is sent", async (t) => {
  const { ask, service } = await bench(t);
  const running = Array.from({ length: 32 }, () => ask());
  const next = ask({ target: "/next" });
  await service.untilAsked(32);
  service.reply(status(200));
  running[7]?.leave();
  t.equal((await next.answer).kind, "yes");
  t.equal(targetOf(service.questions[32]), "/next");
});

t.test("who leaves before the connection stands is not asked about, and does not keep the place", async (t) => {
  const { ask, service } = await bench(t);
  const all = Array.from({ length: 32 }, () => ask({ target: "/left" }));
  for (const { leave } of all) leave();
  service.reply(status(200));
  t.equal((await ask({ target: "/next" }).answer).kind, "yes");
  t.same(service.questions.map(targetOf), ["/next"]);
});

const leavers: readonly (readonly [claim: string, leaver: number])[] = [
  ["who asked first", 0],
  ["who asked second", 1],
];

t.test("of a shared question one may leave, whichever, and the others have the answer", async (t) => {
  for (const [claim, leaver] of leavers) {
    const { ask, service, answer } = await bench(t, 60_000);
    const all = [ask(), ask(), ask()];
    await service.untilAsked(1);
    all[leaver]?.leave();
    all[leaver]?.leave();
    all[leaver]?.leave();
    answer();
    const stayed = all.filter((_, i) => i !== leaver).map((asked) => asked.answer);
    t.same(await Promise.all(stayed), [{ kind: "yes" }, { kind: "yes" }], claim);
    t.equal(service.questions.length, 1);
  }
});

t.test("when all have left a shared question it ends, and who comes then asks anew", async (t) => {
  const { auth, ask, service, answer, ended } = await bench(t, 60_000);
  const all = [ask(), ask()];
  await service.untilAsked(1);
  for (const { leave } of all) leave();
  const next = ask();
  await ended();
  t.same(
    (await Promise.all(all.map((asked) => asked.answer))).map(({ kind }) => kind),
    ["unavailable", "unavailable"],
  );
  const follower = ask();
  await service.untilAsked(2);
  answer();
  t.same(await Promise.all([next.answer, follower.answer]), [{ kind: "yes" }, { kind: "yes" }]);
  t.equal(service.questions.length, 2, "the one that was dropped took nothing of the new one with it");
  t.same(auth.ask(REQUEST), { kind: "yes" }, "which is remembered");
});

t.test("who left a shared question that is answered with a redirect is not asked about again", async (t) => {
  const { ask, service, answer } = await bench(t, 60_000);
  const [first, gone, second] = [ask(), ask(), ask()];
  await service.untilAsked(1);
  gone.leave();
  const asked = service.untilAsked(2);
  answer(302, { Location: "/login" });
  t.equal((await first.answer).kind, "redirect");
  await asked;
  answer(302, { Location: "/login" });
  t.equal((await second.answer).kind, "redirect");
  await gone.answer;
  t.equal(service.questions.length, 2);
});

t.test("a question of one's own after a redirect ends with its requester too", async (t) => {
  const { ask, service, answer, ended } = await bench(t, 60_000);
  const [, second] = [ask(), ask()];
  await service.untilAsked(1);
  answer(302, { Location: "/login" });
  await service.untilAsked(2);
  second.leave();
  await ended();
  t.equal((await second.answer).kind, "unavailable");
});

t.test("who leaves when the answer is there changes nothing", async (t) => {
  const { auth, ask, service, answer } = await bench(t, 60_000);
  const asked = ask();
  await service.untilAsked(1);
  answer();
  t.equal((await asked.answer).kind, "yes");
  asked.leave();
  t.same(auth.ask(REQUEST), { kind: "yes" });
});

t.test("a client that leaves nothing for others gets half, and all its /64 counts as one", async (t) => {
  const { ask, service, answer } = await bench(t);
  const flood = Array.from({ length: 300 }, (_, i) => ask({ client: `2001:db8:0:1::${i.toString(16)}` }));
  const refused = await Promise.all(flood.slice(224).map((asked) => asked.answer));
  t.same(new Set(refused.map(({ kind }: AuthAnswer) => kind)), new Set(["unavailable"]));
  await service.untilAsked(32);
  const other = ask({ client: "2001:db8:0:2::1", target: "/other" });
  await service.untilAsked(33);
  t.equal(targetOf(service.questions[32]), "/other", "it waits for nobody");
  service.reply(status(200));
  for (let i = 0; i < 33; i += 1) answer();
  t.equal((await other.answer).kind, "yes");
});
