/** What is refused before it is a request is counted as often as it stands in the access log. */
import t from "tap";
import { startGateway } from "../support/gateway.js";
import { RawConnection } from "../support/raw-client.js";

const HOST = "Host: img.test\r\n";

interface Sent {
  readonly bytes: string;
  readonly labels: string;
}

const labels = (method: string, code: string): string =>
  `route="-",bucket="-",method="${method}",status="${code[0]}xx",code="${code}",signature="anonymous"`;

const REFUSED: readonly Sent[] = [
  { bytes: `FOO / HTTP/1.1\r\n${HOST}\r\n`, labels: labels("other", "400") },
  { bytes: `get / HTTP/1.1\r\n${HOST}\r\n`, labels: labels("other", "400") },
  { bytes: "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", labels: labels("other", "400") },
  { bytes: `GET /\x80 HTTP/1.1\r\n${HOST}\r\n`, labels: labels("GET", "400") },
  { bytes: `GET / HTTP/1.1\r\n${HOST}X: ${"y".repeat(200_000)}\r\n\r\n`, labels: labels("GET", "431") },
  { bytes: "CONNECT img.test:443 HTTP/1.1\r\nHost: img.test:443\r\n\r\n", labels: labels("other", "405") },
  { bytes: "GET / HTTP/1.1\r\n\r\n", labels: labels("GET", "400") },
  { bytes: "GET / HTTP/1.1\r\nHost: elsewhere.test\r\n\r\n", labels: labels("GET", "404") },
];

t.test("each line of the access log is a request in the counters, whatever it was refused for", async (t) => {
  const gateway = await startGateway(
    t,
    `
listeners: [{ name: web, address: "127.0.0.1:0" }]
admin: { address: "127.0.0.1:0" }
metrics: { compat: vts }
buckets: { one: { bucket: examplebucket, region: cn-beijing, endpoint: "http://127.0.0.1:9" } }
routes: [{ name: img, match: { hosts: [img.test] }, bucket: one }]
`,
  );
  for (const [index, { bytes, labels }] of REFUSED.entries()) {
    const before = await gateway.metric(`ossgate_requests_total{${labels}}`);
    const connection = await RawConnection.open(gateway.port);
    connection.send(bytes);
    await connection.answer();
    await gateway.logged(() => gateway.accessLog.length > index);
    connection.close();
    t.equal(await gateway.metric(`ossgate_requests_total{${labels}}`), before + 1, JSON.stringify(bytes.slice(0, 40)));
  }
  t.equal(gateway.accessLog.length, REFUSED.length);
  const sentBytes = gateway.accessLog.reduce((sum, entry) => sum + entry.sentBytes, 0);
  t.equal(await gateway.metric('ossgate_sent_bytes_total{route="-",bucket="-"}'), sentBytes);
  t.equal(await gateway.metric("nginx_http_requests_total"), REFUSED.length);
  t.equal(await gateway.metric('nginx_vts_server_requests_total{host="*",code="4xx"}'), REFUSED.length);
  const status = await fetch(`${gateway.adminUrl}/status.json`);
  t.match(await status.text(), /MALFORMED_REQUEST/, "and the status page tells of it");
});
