import t from "tap";
import { startEmulator, startGateway } from "../support/gateway.js";

t.test("a bug in a stage is answered 500, counted and logged, and the next request is served", async (t) => {
  const emulator = await startEmulator(t);
  emulator.addBucket({ name: "examplebucket", region: "cn-hangzhou", acl: "public-read" });
  emulator.putObject("examplebucket", "k", "body");
  const { gateway, url, logged, metric } = await startGateway(
    t,
    `listeners: [{ name: web, address: "127.0.0.1:0" }]
admin: { address: "127.0.0.1:0" }
buckets: { b: { bucket: examplebucket, region: cn-hangzhou, endpoint: "${emulator.url}" } }
routes: [{ name: all, match: { hosts: [127.0.0.1] }, bucket: b }]
`,
  );
  const table = gateway.runtime.table("web");
  const { find } = table;
  table.find = () => {
    throw new TypeError("a bug");
  };
  const failed = await fetch(`${url}/k`);
  t.equal(failed.status, 500);
  t.equal(failed.headers.get("x-ossgate-error"), "INTERNAL");
  t.notMatch(await failed.text(), /a bug/, "the client is not told the inside of it");
  t.equal((await logged((entry) => entry.status === 500)).error, "INTERNAL");
  t.equal(await metric('ossgate_errors_total{route="-",code="INTERNAL",origin="gateway"}'), 1);
  t.equal(emulator.captures.length, 0);

  table.find = find;
  const served = await fetch(`${url}/k`);
  t.equal(served.status, 200);
  t.equal(await served.text(), "body");
});
