import { createHash } from "node:crypto";
import t from "tap";
import { presignV1Url, presignV4Url, signV1Header, signV4Header } from "../../src/signing/sign.js";
import { xmlText } from "../support/raw-client.js";
import {
  BUCKET,
  CREDENTIALS,
  DOMAIN,
  OSS_HOST,
  REGION,
  type Relayed,
  relay,
  type Sent,
  signingInput,
  startRelay,
} from "../support/relay-world.js";

const world = await startRelay(
  t,
  `
  - { name: bucket, match: { hosts: [gw.test] }, bucket: one, methods: [GET, HEAD, PUT, POST, DELETE] }
  - { name: domain, match: { hosts: [d.test] }, bucket: one, methods: [GET, PUT], hostHeader: ${DOMAIN} }
  - { name: client, match: { hosts: [${DOMAIN}] }, bucket: one, methods: [GET, PUT], hostHeader: client }
  - { name: kept, match: { hosts: ["*.oss-${REGION}-internal.aliyuncs.com"] }, bucket: one }
  - { name: key-prefix, match: { hosts: [k.test] }, bucket: one, keyPrefix: p/, methods: [GET, PUT, POST] }
  - { name: strip, match: { hosts: [s.test], pathPrefix: /s }, bucket: one, stripPrefix: true, methods: [GET, PUT, POST] }
  - { name: strip-root, match: { hosts: [r.test] }, bucket: one, stripPrefix: true }
  - { name: style, match: { hosts: [127.0.0.1] }, buckets: [one], methods: [GET, PUT, POST] }
`,
);
const { emulator, gateway } = world;
/** Private in a public bucket: without its signature no request would pass. */
const putPrivate = () => emulator.putObject(BUCKET, "k", "bytes of k", { "x-oss-object-acl": "private" });
putPrivate();

const FORM = ["Content-Type", "multipart/form-data; boundary=x"];
const V4_AUTH = "OSS4-HMAC-SHA256 Credential=ak/20261122/cn-beijing/oss/aliyun_v4_request,Signature=0";
const AWS_AUTH = "AWS4-HMAC-SHA256 Credential=ak/20261122/cn-beijing/s3/aws4_request,SignedHeaders=host,Signature=0";

const CLASSES: readonly (readonly [name: string, sent: Partial<Sent>])[] = [
  ["anonymous", {}],
  ["v1-header", { headers: ["Authorization", "OSS ak:sig"] }],
  ["v1-url", { target: "/k?OSSAccessKeyId=ak&Expires=1&Signature=s" }],
  ["v2-header", { headers: ["Authorization", "OSS2 AccessKeyId:ak,Signature:s"] }],
  ["v2-url", { target: "/k?x-oss-signature-version=OSS2&x-oss-access-key-id=ak&x-oss-signature=s" }],
  ["v4-header", { headers: ["Authorization", V4_AUTH] }],
  ["v4-url", { target: "/k?x-oss-signature-version=OSS4-HMAC-SHA256&x-oss-credential=ak&x-oss-signature=s" }],
  ["aws-sigv4", { host: OSS_HOST, headers: ["Authorization", AWS_AUTH] }],
  ["post-form", { method: "POST", target: "/", headers: FORM, body: "--x--\r\n" }],
];

for (const [signature, sent] of CLASSES) {
  t.test(`a request of class ${signature} is logged and counted as one`, async (t) => {
    const { entry } = await relay(world, { host: "gw.test", target: "/k", ...sent });
    t.equal(entry.signature, signature);
    const status = `status="${Math.trunc(entry.status / 100)}xx",code="${entry.status}"`;
    const of = `route="${entry.route}",bucket="${entry.bucket ?? "-"}",method="${entry.method}"`;
    const labels = `${of},${status},signature="${signature}"`;
    t.ok((await gateway.metric(`ossgate_requests_total{${labels}}`)) > 0, labels);
  });
}

t.test("signature parameters are masked in the access log and sent upstream as they came", async (t) => {
  const target = "/k?OSSAccessKeyId=ak&Expires=1&Signature=s%2B";
  const { entry, capture } = await relay(world, { host: "gw.test", target });
  t.equal(entry.target, "/k?OSSAccessKeyId=***&Expires=1&Signature=***");
  t.equal(capture?.rawTarget, target);
});

type Sign = (
  method: string,
  headers: readonly string[],
) => { readonly query: string; readonly headers: readonly string[] };

const v4 = () => ({ nowMs: Date.now(), region: REGION });
const SIGNERS: Readonly<Record<string, Sign>> = {
  "V1 header": (method, headers) => ({
    query: "",
    headers: signV1Header(signingInput(method, "k", "", headers), CREDENTIALS, Date.now()),
  }),
  "V1 URL": (method, headers) => ({
    query: presignV1Url(signingInput(method, "k", "", headers), CREDENTIALS, Math.trunc(Date.now() / 1000) + 600),
    headers: [],
  }),
  "V4 header": (method, headers) => ({
    query: "",
    headers: signV4Header(signingInput(method, "k", "", headers), CREDENTIALS, v4()),
  }),
  "V4 URL": (method, headers) => ({
    query: presignV4Url(signingInput(method, "k", "", headers), CREDENTIALS, { ...v4(), expiresSeconds: 600 }),
    headers: [],
  }),
};

const HOSTS: readonly (readonly [host: string, path: string])[] = [
  ["gw.test", "/k"],
  ["d.test", "/k"],
  [DOMAIN, "/k"],
  [OSS_HOST, "/k"],
  ["r.test", "/k"],
  ["127.0.0.1", "/examplebucket/k"],
];

for (const [name, sign] of Object.entries(SIGNERS)) {
  t.test(`${name}: a signature stays valid under every way to address the bucket`, async (t) => {
    for (const [host, path] of HOSTS) {
      const { query, headers } = sign("GET", []);
      const got = await relay(world, { host, target: query === "" ? path : `${path}?${query}`, headers });
      t.same([got.answer.status, got.answer.body.toString()], [200, "bytes of k"], host);
      if (host === "r.test") continue;
      const ofBody = [
        "Content-Type",
        "text/x-odd",
        "x-oss-meta-a",
        "1",
        "Content-MD5",
        createHash("md5").update("hi").digest("base64"),
      ];
      const put = sign("PUT", ofBody);
      const stored = await relay(world, {
        method: "PUT",
        host,
        target: put.query === "" ? path : `${path}?${put.query}`,
        headers: [...ofBody, ...put.headers],
        body: "hi",
      });
      t.equal(stored.answer.status, 200, `PUT ${host}`);
      putPrivate();
    }
    const unsigned = await relay(world, { host: "gw.test", target: "/k" });
    t.equal(unsigned.answer.status, 403, "the bucket is private");
  });
}

function breaks(t: import("tap").Test, { answer, entry, capture }: Relayed, message: RegExp): void {
  t.same(
    [answer.status, xmlText(answer.body, "Code"), entry.error],
    [400, "SignatureCannotBeRelayed", "SIGNATURE_WOULD_BREAK"],
  );
  t.match(xmlText(answer.body, "Message"), message);
  t.equal(capture, undefined, "nothing is sent");
}

t.test("a signed request on a route that changes the key is 400 at once, with the key that does it", async (t) => {
  for (const [name, sent] of CLASSES) {
    if (name === "anonymous" || name === "post-form") continue;
    const { headers = [], target = "/k" } = sent;
    breaks(t, await relay(world, { host: "k.test", target, headers }), /keyPrefix/);
    breaks(t, await relay(world, { host: "s.test", target: `/s${target}`, headers }), /stripPrefix/);
  }
  t.equal((await relay(world, { host: "k.test", target: "/k" })).capture?.rawTarget, "/p/k", "anonymous passes");
});

t.test("a form names its key in its body: refused with a keyPrefix, relayed with a stripped prefix", async (t) => {
  const form = { method: "POST", headers: FORM, body: "--x--\r\n" };
  breaks(t, await relay(world, { host: "k.test", target: "/", ...form }), /form/);
  t.equal((await relay(world, { host: "s.test", target: "/s/", ...form })).capture?.rawTarget, "/");
});

/** V4 with the client's Host among what is signed. */
function signedHost(host: string, form: "header" | "url"): Pick<Sent, "target" | "headers"> {
  const input = signingInput("GET", "k", "", ["host", host]);
  const options = { ...v4(), additionalHeaders: ["host"] };
  if (form === "header") return { target: "/k", headers: signV4Header(input, CREDENTIALS, options) };
  return { target: `/k?${presignV4Url(input, CREDENTIALS, { ...options, expiresSeconds: 60 })}` };
}

for (const form of ["header", "url"] as const) {
  t.test(`V4 ${form} with a signed Host that OSS does not know is 400 at once`, async (t) => {
    for (const host of ["gw.test", "d.test"]) {
      breaks(t, await relay(world, { host, ...signedHost(host, form) } as Sent), /signed its Host/);
    }
    const style = signedHost("127.0.0.1", form);
    const target = style.target.replace("/k", "/examplebucket/k");
    breaks(t, await relay(world, { ...style, host: "127.0.0.1", target }), /signed its Host/);
  });

  t.test(`V4 ${form} with a signed Host that is the bucket's own is sent with it, and OSS accepts`, async (t) => {
    for (const host of [DOMAIN, OSS_HOST, `examplebucket.oss-${REGION}-internal.aliyuncs.com`, `${DOMAIN}:8080`]) {
      const { answer, capture } = await relay(world, { host, ...signedHost(host, form) } as Sent);
      t.same([answer.status, answer.body.toString()], [200, "bytes of k"], host);
      t.same(
        capture?.rawHeaders.slice(0, 2).map((part) => part.toLowerCase()),
        ["host", host],
      );
    }
  });
}

t.test("a signed Host that is another bucket's is 400, on a route that any host reaches", async (t) => {
  const host = `otherbucket.oss-${REGION}-internal.aliyuncs.com`;
  breaks(t, await relay(world, { host, ...signedHost(host, "header") } as Sent), /signed its Host/);
});

t.test("AWS SigV4 with a Host that OSS does not know is 400, with the bucket's own it is relayed", async (t) => {
  const headers = ["Authorization", AWS_AUTH];
  breaks(t, await relay(world, { host: "gw.test", target: "/k", headers }), /signed its Host/);
  breaks(
    t,
    await relay(world, { host: "gw.test", target: "/k?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature=0" }),
    /Host/,
  );
  const own = await relay(world, { host: OSS_HOST, target: "/k", headers });
  t.same(
    own.capture?.rawHeaders.slice(0, 2).map((part) => part.toLowerCase()),
    ["host", OSS_HOST],
  );
});

t.test("aws-chunked bodies are 400 before they could be stored as object bytes", async (t) => {
  const forms = [
    ["Content-Encoding", "aws-chunked"],
    ["content-encoding", "gzip, AWS-Chunked"],
    ["x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"],
    ["X-Amz-Content-SHA256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"],
  ];
  for (const headers of forms) {
    const put = {
      method: "PUT",
      host: OSS_HOST,
      target: "/k",
      body: "2;chunk-signature=0\r\nhi\r\n0;chunk-signature=0\r\n\r\n",
    };
    const { answer, entry, capture } = await relay(world, { ...put, headers: [...headers, "Authorization", AWS_AUTH] });
    t.same([answer.status, xmlText(answer.body, "Code"), entry.error], [400, "NotImplemented", "UNSUPPORTED_ENCODING"]);
    t.match(xmlText(answer.body, "Message"), /aws-chunked/);
    t.equal(capture, undefined);
  }
});

t.test("no client chooses another bucket by Host", async (t) => {
  const foreign = `otherbucket.oss-${REGION}-internal.aliyuncs.com`;
  const { capture, entry } = await relay(world, { host: foreign, target: "/k" });
  t.equal(entry.bucket, "one");
  t.equal(capture?.rawHeaders[1], OSS_HOST);
  const absolute = await relay(world, { host: "gw.test", target: `http://${foreign}/k` });
  t.same([absolute.answer.status, absolute.capture], [400, undefined]);
});

t.test("hostHeader says what OSS sees", async (t) => {
  const table: readonly (readonly [host: string, sees: string])[] = [
    ["gw.test", OSS_HOST],
    ["gw.test:8080", OSS_HOST],
    ["d.test", DOMAIN],
    [DOMAIN, DOMAIN],
    [OSS_HOST, OSS_HOST],
  ];
  for (const [host, sees] of table) {
    const { capture } = await relay(world, { host, target: "/k" });
    t.equal(capture?.rawHeaders[1], sees, host);
  }
});
