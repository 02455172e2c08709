import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import t, { type Test } from "tap";
import { presignV1Url } from "../../src/signing/sign.js";
import { xmlText } from "../support/raw-client.js";
import {
  ask,
  BUCKET,
  EVERY_METHOD,
  everythingOf,
  inSeconds,
  LINKS,
  linkOf,
  OWN,
  outcome,
  signingRoute,
  startSigning,
} from "../support/sign-world.js";

const route = (name: string, match: string, rest: string): string =>
  `  - { name: ${name}, match: { ${match} }, bucket: one, auth: sign, sign: { credentials: reader }, ${rest} }\n`;

/** An upstream that answers every request with the same bytes. */
async function startUpstream(t: Test, answer: (server: Server) => void): Promise<string> {
  const server = createServer();
  answer(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function answering(status: number, headers: Record<string, string>, body: string): (server: Server) => void {
  return (server) => void server.on("request", (_req, res) => res.writeHead(status, headers).end(body));
}

const ERROR_DOCUMENT = `<?xml version="1.0"?><Error><Code>PermanentRedirect</Code><Message>acs:ram::1:role/r of gateway-ak</Message><HostId>h.oss-cn-x.aliyuncs.com</HostId><Endpoint>oss-cn-x.aliyuncs.com</Endpoint><OSSAccessKeyId>gateway-ak</OSSAccessKeyId><StringToSign>GET</StringToSign></Error>`;
const NEVER = /Endpoint|OSSAccessKeyId|StringToSign|aliyuncs\.com|gateway-ak|acs:ram/;

t.test("a raw plus that would be a space of another route's path opens neither", async (t) => {
  const world = await startSigning(
    t,
    route("guarded", 'hosts: [plus.test], pathPrefix: "/priv ate"', "allow: { clients: [192.0.2.1] }") +
      route("open", "hosts: [plus.test]", "allow: { anyone: true }"),
  );
  world.emulator.putObject(BUCKET, "priv ate/x", "secret");
  t.equal(outcome(await ask(world, { host: "plus.test", target: "/priv%20ate/x" })), "CLIENT_NOT_ALLOWED");
  const answer = await ask(world, { host: "plus.test", target: "/priv+ate/x" });
  t.equal(outcome(answer), "MALFORMED_TARGET");
  t.strictSame(answer.captures, []);
});

t.test("a raw plus that is relayed opens no guarded route's path", async (t) => {
  const world = await startSigning(
    t,
    `  - { name: guarded, match: { hosts: [plus.test], pathPrefix: "/my private" }, bucket: one, allow: { ${LINKS} } }\n` +
      "  - { name: open, match: { hosts: [plus.test] }, bucket: one }\n",
  );
  const answer = await ask(world, { host: "plus.test", target: "/my+private/x" });
  t.equal(outcome(answer), "MALFORMED_TARGET");
  t.strictSame(answer.captures, []);
  t.equal((await ask(world, { host: "plus.test", target: "/c++/x" })).captures.length, 1, "where no guard stands");
});

t.test("a URL signed for the prefix's own object lists nothing", async (t) => {
  const rest = "keyPrefix: p/, operations: [ListObjects], clientSignatures: verify, allow: { signatures: true }";
  const world = await startSigning(t, signingRoute("verified", rest));
  for (const [key, status] of [
    ["p/", 403],
    ["", 200],
  ] as const) {
    const input = { method: "GET", bucket: BUCKET, key, query: [], headers: [] };
    const answer = await ask(world, { host: "verified.test", target: `/?${presignV1Url(input, OWN, inSeconds(60))}` });
    t.equal(answer.status, status, key);
  }
});

t.test("another call on a playlist is that call, and no playlist", async (t) => {
  for (const mode of ["rewrite", "ossSign"]) {
    const rest = `${EVERY_METHOD}, operations: [GetObjectMeta, GetObjectACL], hls: { mode: ${mode} }, allow: { ${LINKS}, clients: [127.0.0.1] }, satisfy: any`;
    const world = await startSigning(t, signingRoute("vod", rest));
    world.emulator.putObject(BUCKET, "m.m3u8", "#EXTM3U\n#EXTINF:1,\ns.ts\n");
    const started = await ask(world, { method: "POST", host: "vod.test", target: "/m.m3u8?uploads", body: "" });
    const uploadId = xmlText(started.text, "UploadId");
    const parts = await ask(world, { host: "vod.test", target: `/m.m3u8?uploadId=${uploadId}` });
    t.match(parts.text, /<ListPartsResult>/, mode);
    t.match((await ask(world, { host: "vod.test", target: "/m.m3u8?acl" })).text, /<AccessControlPolicy>/, mode);
    t.match((await ask(world, { host: "vod.test", target: "/m.m3u8" })).text, /^s\.ts\?/m, mode);
  }
});

t.test("a piece of a signature frees no parameter and no header of a link", async (t) => {
  const routes = `  - { name: slot, match: { hosts: [slot.test] }, bucket: one, methods: [GET, PUT, POST], allow: { ${LINKS} } }\n`;
  const world = await startSigning(t, routes);
  const put = linkOf("slot", "/k", { method: "PUT" });
  for (const piece of [
    "x-oss-signature-version=z",
    "x-oss-credential=z",
    "Signature=z",
    "OSSAccessKeyId=a&Signature=z",
  ]) {
    const answer = await ask(world, { method: "PUT", host: "slot.test", target: `/k?acl&${piece}&${put}`, body: "" });
    t.equal(outcome(answer), "LINK_INVALID", piece);
  }
  const post = linkOf("slot", "/k", { method: "POST" });
  const form = ["Content-Type", "multipart/form-data; boundary=b", "x-oss-object-acl", "public-read"];
  const answer = await ask(world, { method: "POST", host: "slot.test", target: `/k?${post}`, headers: form, body: "" });
  t.equal(outcome(answer), "HEADER_NOT_ALLOWED");
});

t.test("a link for one upload copies nothing and opens nothing by headers that it does not cover", async (t) => {
  const rest = `${EVERY_METHOD}, operations: [CopyObject, PutObjectACL], allow: { ${LINKS} }`;
  const world = await startSigning(t, signingRoute("slot", rest));
  world.emulator.putObject(BUCKET, "secret", "secret");
  const target = `/new?${linkOf("slot", "/new", { method: "PUT" })}`;
  for (const headers of [
    ["x-oss-copy-source", `/${BUCKET}/secret`],
    ["x-oss-object-acl", "public-read-write"],
  ]) {
    const answer = await ask(world, { method: "PUT", host: "slot.test", target, headers, body: "" });
    t.equal(outcome(answer), "HEADER_NOT_ALLOWED", `${headers[0]}`);
    t.strictSame(answer.captures, []);
  }
  const plain = ["x-oss-meta-a", "b"];
  t.equal((await ask(world, { method: "PUT", host: "slot.test", target, headers: plain, body: "x" })).status, 200);
});

t.test("hls.root counts where no link admitted the playlist, and widens none", async (t) => {
  const hls = `allow: { ${LINKS}, clients: [127.0.0.1] }, satisfy: any, hls: { mode: rewrite, root: /a/ }`;
  const world = await startSigning(t, signingRoute("vod", hls));
  world.emulator.putObject(BUCKET, "a/films/m.m3u8", "#EXTM3U\n#EXTINF:1,\n/a/other/secret.ts\nown.ts\n");
  const linked = await ask(world, { host: "vod.test", target: `/a/films/m.m3u8?${linkOf("vod", "/a/films/m.m3u8")}` });
  t.match(linked.text, /^\/a\/other\/secret\.ts$/m, "no link");
  t.match(linked.text, /^own\.ts\?ossgate-expires=/m);
  const listed = await ask(world, { host: "vod.test", target: "/a/films/m.m3u8" });
  t.match(listed.text, /^\/a\/other\/secret\.ts\?ossgate-expires=/m, "inside the root");
});

t.test("redirects and errors in answers of 200 tell nothing of our side", async (t) => {
  const rest = `${EVERY_METHOD}, operations: [CopyObject], allow: { anyone: true }`;
  for (const status of [300, 301, 307, 399]) {
    const headers = { "Content-Type": "application/xml", Location: "http://other.oss-cn-x.aliyuncs.com/k" };
    const endpoint = await startUpstream(t, answering(status, headers, ERROR_DOCUMENT));
    const world = await startSigning(t, signingRoute("open", rest), { endpoint });
    const answer = await ask(world, { host: "open.test", target: "/k" });
    t.equal(answer.status, status);
    t.notMatch(everythingOf(answer), NEVER, `${status}`);
  }
  const late = `${" ".repeat(500)}<!-- slow -->${ERROR_DOCUMENT.replace(/<\?.*?\?>/, "")}`;
  const endpoint = await startUpstream(t, answering(200, { "Content-Type": "application/xml" }, late));
  const world = await startSigning(t, signingRoute("open", rest), { endpoint });
  for (const asked of [
    { method: "POST", target: "/k?uploads" },
    { method: "PUT", target: "/k", headers: ["x-oss-copy-source", `/${BUCKET}/a`] },
  ]) {
    const answer = await ask(world, { host: "open.test", body: "", ...asked });
    t.match(answer.text, /<Code>PermanentRedirect<\/Code>/);
    t.notMatch(everythingOf(answer), NEVER, asked.method);
  }
});

t.test("a redirect out of the key prefix, or to a host of OSS, leads nowhere; others do", async (t) => {
  const rest = "keyPrefix: tenant/, allow: { anyone: true }";
  for (const [location, told] of [
    [`http://${BUCKET}.oss-cn-beijing.aliyuncs.com/other/secret`, undefined],
    [`http://${BUCKET}.oss-cn-beijing.aliyuncs.com/tenant/x`, "http://bound.test/x"],
    ["http://oss-cn-beijing-internal.aliyuncs.com/x?OSSAccessKeyId=a", undefined],
    ["/other/secret", undefined],
    ["https://www.example.com/", "https://www.example.com/"],
  ] as const) {
    const endpoint = await startUpstream(t, answering(302, { Location: location }, ""));
    const world = await startSigning(t, signingRoute("bound", rest), { endpoint });
    const answer = await ask(world, { host: "bound.test", target: "/k" });
    t.equal(answer.header("location"), told ?? "", location);
  }
});

t.test("a document that is not text ends in an answer, and the gateway goes on", async (t) => {
  const document = "<R><EncodingType>url</EncodingType><Key>tenant/&#xD800;</Key></R>";
  const endpoint = await startUpstream(t, answering(200, { "Content-Type": "application/xml" }, document));
  const rest = `${EVERY_METHOD}, keyPrefix: tenant/, operations: [ListObjects], allow: { anyone: true }`;
  const world = await startSigning(t, signingRoute("bound", rest), { endpoint });
  for (const asked of [
    { method: "POST", target: "/k?uploads&encoding-type=url", body: "" },
    { method: "GET", target: "/?encoding-type=url" },
  ]) {
    const answer = await ask(world, { host: "bound.test", ...asked });
    t.equal(answer.status, 200);
    t.match(answer.text, /&amp;#xD800;|%26%23xD800%3B/);
  }
});

t.test("an answer that is read as a whole has an end in time", async (t) => {
  const endpoint = await startUpstream(t, (server) => {
    server.on("request", (_req, res) => {
      res.writeHead(200, { "Content-Type": "application/xml" });
      const drip = setInterval(() => res.write("<"), 20);
      res.on("close", () => clearInterval(drip));
    });
  });
  const rest = `${EVERY_METHOD}, operations: [ListObjects], allow: { anyone: true }`;
  const bucket = "timeouts: { headers: 200ms, idle: 10s }";
  const world = await startSigning(t, signingRoute("open", rest), { endpoint, bucket });
  const answer = await ask(world, { host: "open.test", target: "/" });
  t.equal(outcome(answer), "UPSTREAM_BODY_TIMEOUT");
});

t.test("what GetBucketInfo says of endpoints stays here", async (t) => {
  const rest = "operations: [GetBucketInfo], allow: { anyone: true }";
  const world = await startSigning(t, signingRoute("open", rest));
  const answer = await ask(world, { host: "open.test", target: "/?bucketInfo" });
  t.equal(answer.status, 200);
  t.match(answer.text, new RegExp(`<Name>${BUCKET}</Name>`));
  t.notMatch(everythingOf(answer), /Endpoint|aliyuncs/);
});
