/** A link of NGINX's form has a name of its own for its md5; wherever it turns up, it is masked. */
import t, { type Test } from "tap";
import { startEmulator, startGateway } from "../support/gateway.js";
import { answerTo, head } from "../support/raw-client.js";

const SECRET = "LEAK23abcdefghijklmnop";

async function start(t: Test, log = "") {
  process.env.LINK_SECRET_OF_MASKED = "0123456789abcdef0123456789abcdef";
  t.teardown(() => delete process.env.LINK_SECRET_OF_MASKED);
  const emulator = await startEmulator(t);
  emulator.addBucket({ name: "examplebucket", region: "cn-beijing", acl: "public-read" });
  emulator.putObject("examplebucket", "a.txt", "a");
  return startGateway(
    t,
    `
listeners: [{ name: web, address: "127.0.0.1:0" }]
admin: { address: "127.0.0.1:0" }
${log}
buckets: { one: { bucket: examplebucket, region: cn-beijing, endpoint: "${emulator.url}" } }
routes:
  - name: links
    match: { hosts: [links.test] }
    bucket: one
    allow:
      links:
        secret: { env: LINK_SECRET_OF_MASKED }
        secureLink:
          secret: { env: LINK_SECRET_OF_MASKED }
          md5Parameter: st
          expiresParameter: e
          expression: "$secure_link_expires$uri $secret"
  - { name: open, match: { hosts: [open.test] }, bucket: one, trusted: true }
`,
  );
}

const LINK = `/a.txt?st=${SECRET}&e=2000000000`;

t.test("the md5 of one route's links is masked where it reaches another route, or none", async (t) => {
  const gateway = await start(t);
  for (const [index, host] of ["links.test", "open.test", "nobody.test"].entries()) {
    const referer = `http://links.test${LINK}`;
    await answerTo(gateway.port, head("GET", LINK, ["Host", host, "Referer", referer]));
    await gateway.logged(() => gateway.accessLog.length > index);
  }
  t.match(
    gateway.accessLog.map(({ route }) => route),
    ["links", "open", "-"],
  );
  for (const entry of gateway.accessLog) {
    t.equal(entry.target, "/a.txt?st=***&e=2000000000", entry.route);
    t.equal(entry.referer, "http://links.test/a.txt?st=***&e=2000000000", entry.route);
  }
});

t.test("explain shows it nowhere, whichever route it finds", async (t) => {
  const gateway = await start(t);
  for (const host of ["links.test", "open.test", "nobody.test"]) {
    for (const format of ["text", "json"]) {
      const asked = new URLSearchParams({ url: `http://${host}${LINK}`, format });
      asked.append("header", `Referer: http://links.test${LINK}`);
      const answer = await fetch(`${gateway.adminUrl}/routes/explain?${asked}`);
      const text = await answer.text();
      t.equal(answer.status, 200);
      t.match(text, "st=***", `${host} ${format}`);
      t.notMatch(text, SECRET, `${host} ${format}`);
    }
  }
});

t.test("the status page masks what the log may show", async (t) => {
  const gateway = await start(t, "log: { access: { unmasked: true } }");
  await answerTo(gateway.port, head("GET", LINK, ["Host", "nobody.test"]));
  const entry = await gateway.logged(() => true);
  t.match(entry.target, SECRET);
  const status = await (await fetch(`${gateway.adminUrl}/status.json`)).text();
  t.match(status, "/a.txt?st=***");
  t.notMatch(status, SECRET);
});
