import t from "tap";
import { startGateway } from "../support/gateway.js";
import { ask, gatewayCode } from "./support/client.js";
import { checkGauges, checkLogged, checkQuiet, configText, startAt } from "./support/rig.js";
import { clientsGone, closedPort } from "./support/sockets.js";

const SET_ASIDE = `ossgate_upstream_addresses_set_aside{bucket="media"}`;

t.test("a closed port is 502 for every method, and says so", async (t) => {
  for (const method of ["GET", "HEAD", "DELETE", "PUT"]) {
    const gw = await startGateway(t, configText({ endpoint: `http://127.0.0.1:${await closedPort()}` }));
    const answer = await ask(gw.port, "/hello.txt", { method, ...(method === "PUT" ? { body: "data" } : {}) });
    t.equal(answer.status, 502, method);
    t.equal(gatewayCode(answer), "UPSTREAM_REFUSED");
    if (method !== "HEAD") t.match(answer.body.toString(), "<Code>UpstreamRefused</Code>");
    await checkLogged(t, gw, { status: 502, error: "UPSTREAM_REFUSED" });
    await clientsGone(gw.port);
    checkGauges(t, gw);
  }
});

t.test("an address that refuses costs no request an error while another one answers", async (t) => {
  const [emulator] = await startAt(t, ["127.0.0.3"]);
  if (emulator === undefined) throw new Error("no emulator");
  const gw = await startGateway(
    t,
    configText({
      endpoint: `http://oss.test:${emulator.port}`,
      bucket: { dns: { addresses: ["127.0.0.2", "127.0.0.3"] } },
    }),
  );
  for (let i = 0; i < 4; i += 1) {
    const answer = await ask(gw.port, "/hello.txt");
    t.equal(answer.status, 200);
    t.equal(answer.body.toString(), "hello");
  }
  t.equal(await gw.metric(SET_ASIDE), 1, "it is passed over");
  t.equal(await gw.metric(`ossgate_upstream_set_aside_total{bucket="media"}`), 1, "and was tried only once");
  t.equal(await gw.metric(`ossgate_upstream_retries_total{route="files"}`), 1);
  t.equal(gw.accessLog.filter((entry) => entry.attempts === 2).length, 1);
  t.ok(gw.accessLog.every((entry) => entry.upstream === "127.0.0.3" && entry.error === undefined));
  await checkQuiet(t, { emulator, gw });
});

t.test(
  "an upload finds the address that answers, because a connection stands before its body is touched",
  async (t) => {
    const [emulator] = await startAt(t, ["127.0.0.3"]);
    if (emulator === undefined) throw new Error("no emulator");
    for (const [index, method] of ["PUT", "POST"].entries()) {
      const gw = await startGateway(
        t,
        configText({
          endpoint: `http://oss.test:${emulator.port}`,
          bucket: { dns: { addresses: ["127.0.0.2", "127.0.0.3"] } },
        }),
      );
      const path = method === "PUT" ? "/put.bin" : "/append.bin?append&position=0";
      for (let i = 0; i < 2; i += 1) {
        const answer = await ask(gw.port, path.replace("position=0", `position=${i * 100_000}`), {
          method,
          body: Buffer.alloc(100_000, "b"),
        });
        t.equal(answer.status, 200, `${method} ${i}`);
      }
      const size = emulator.readObject("examplebucket", method === "PUT" ? "put.bin" : "append.bin").length;
      t.equal(size, method === "PUT" ? 100_000 : 200_000);
      t.equal(gw.accessLog.filter((entry) => entry.attempts === 2).length, 1, "one of the two met the closed port");
      t.equal(await gw.metric(SET_ASIDE), 1);
      t.equal(emulator.captures.length, 2 * (index + 1), "the body was sent once each time");
      await clientsGone(gw.port);
      checkGauges(t, gw);
      await gw.gateway.stop(0);
    }
    await emulator.until(() => emulator.openSockets() === 0);
  },
);

t.test("when every address refuses, the client is told after each was tried", async (t) => {
  const gw = await startGateway(
    t,
    configText({
      endpoint: `http://oss.test:${await closedPort("127.0.0.2")}`,
      bucket: { dns: { addresses: ["127.0.0.2", "127.0.0.3"] } },
    }),
  );
  const answer = await ask(gw.port, "/hello.txt");
  t.equal(answer.status, 502);
  t.equal(gatewayCode(answer), "UPSTREAM_REFUSED");
  await checkLogged(t, gw, { status: 502, error: "UPSTREAM_REFUSED" });
  t.equal(await gw.metric(SET_ASIDE), 2);
  await clientsGone(gw.port);
  checkGauges(t, gw);
});
