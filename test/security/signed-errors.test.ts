import { gzipSync } from "node:zlib";
import t, { type Test } from "tap";
import { Secret } from "../../src/core/secret.js";
import type { Fault } from "../../src/emulator/index.js";
import { valuesOf, xmlText } from "../support/raw-client.js";
import {
  type Answered,
  ask,
  BUCKET,
  EVERY_METHOD,
  everythingOf,
  OSS_HOST,
  OWN,
  outcome,
  type SignWorld,
  signingRoute,
  startSigning,
} from "../support/sign-world.js";

const ROUTES =
  signingRoute("open", `${EVERY_METHOD}, allow: { anyone: true }`) +
  signingRoute("oldest", "allow: { anyone: true }", "version: v1") +
  signingRoute("bound", `${EVERY_METHOD}, keyPrefix: tenant/, allow: { anyone: true }`) +
  signingRoute("relaying", "clientSignatures: relay, allow: { anyone: true }");

const TOKEN = "sts-token-0123456789";
const TEMPORARY = { ...OWN, accessKeyId: "STS.gateway-ak", securityToken: TOKEN };

/** What no answer of a signing route may hold, whatever OSS said: names of elements and what stands in them. */
const NEVER = [
  "OSSAccessKeyId",
  "SecurityToken",
  "SignatureProvided",
  "StringToSign",
  "CanonicalRequest",
  "<Endpoint>",
  "HMAC",
  OWN.accessKeyId,
  OWN.accessKeySecret.reveal(),
  TOKEN,
  "aliyuncs.com",
  "gatewayprivate",
];

function mustTellNothing(t: Test, answer: Answered, name: string): void {
  const seen = everythingOf(answer);
  for (const secret of NEVER) t.notOk(seen.includes(secret), `${name}: no ${secret}`);
  const hasOwnDocument = answer.entry.method === "HEAD" && answer.header("x-ossgate-error") !== "";
  t.equal(valuesOf(answer.rawHeaders, "x-oss-err").length, hasOwnDocument ? 1 : 0, `${name}: x-oss-err is our own`);
  const logged = JSON.stringify(answer.entry);
  for (const secret of [OWN.accessKeySecret.reveal(), TOKEN, "StringToSign"])
    t.notOk(logged.includes(secret), `${name}: log`);
  t.notMatch(logged, /Signature=(?!\*)|[A-Za-z0-9+/]{27}=|[0-9a-f]{64}/, `${name}: no signature in the log`);
}

/** Asks by every method that can fail the same way. HEAD shows of an error only what is in its head. */
async function failing(world: SignWorld, host: string, methods = ["GET", "HEAD"]): Promise<Answered[]> {
  const answers: Answered[] = [];
  for (const method of methods) answers.push(await ask(world, { method, host, target: "/a/b.txt" }));
  return answers;
}

t.test("an object that is not there: OSS's own code, in the client's terms", async (t) => {
  const world = await startSigning(t, ROUTES);
  for (const host of ["open.test", "oldest.test", "bound.test"]) {
    const [got, headed] = (await failing(world, host)) as [Answered, Answered];
    t.equal(got.status, 404);
    t.equal(headed.status, 404);
    t.equal(xmlText(got.text, "Code"), "NoSuchKey");
    t.equal(xmlText(got.text, "Key"), "a/b.txt", "without the route's prefix");
    t.equal(xmlText(got.text, "HostId"), host, "what the client addressed");
    t.equal(xmlText(got.text, "RequestId"), got.header("x-oss-request-id"));
    t.equal(got.header("x-oss-request-id"), got.captures[0]?.requestId, "OSS's own id");
    t.equal(got.entry.ossRequestId, got.captures[0]?.requestId);
    t.equal(xmlText(got.text, "EC"), got.header("x-oss-ec"));
    t.equal(headed.header("content-length"), "0");
    t.equal(headed.header("x-oss-request-id"), headed.captures[0]?.requestId);
    for (const answer of [got, headed]) mustTellNothing(t, answer, host);
  }
});

interface Refused {
  readonly name: string;
  readonly code: string;
  arrange(world: SignWorld): void;
}

const REFUSED: readonly Refused[] = [
  {
    name: "a wrong secret",
    code: "SignatureDoesNotMatch",
    arrange: ({ emulator }) => emulator.addCredentials({ ...OWN, accessKeySecret: new Secret("another secret") }),
  },
  {
    name: "a key that OSS does not know",
    code: "InvalidAccessKeyId",
    arrange: (world) => answerAlways(world, ossError(403, "InvalidAccessKeyId", ["OSSAccessKeyId", OWN.accessKeyId])),
  },
  {
    name: "a token that has expired",
    code: "SecurityTokenExpired",
    arrange: (world) => answerAlways(world, ossError(403, "SecurityTokenExpired", ["SecurityToken", TOKEN])),
  },
  {
    name: "a token that is none",
    code: "InvalidSecurityToken",
    arrange: (world) => answerAlways(world, ossError(403, "InvalidSecurityToken", ["SecurityToken", TOKEN])),
  },
  {
    name: "an account that is disabled",
    code: "UserDisable",
    arrange: (world) => answerAlways(world, ossError(403, "UserDisable", [])),
  },
  {
    name: "a scope of another region",
    code: "InvalidArgument",
    arrange: (world) =>
      answerAlways(
        world,
        ossError(400, "InvalidArgument", [
          ...["ArgumentName", "Authorization"],
          ...["ArgumentValue", `OSS4-HMAC-SHA256 Credential=${OWN.accessKeyId}/x,Signature=${"0".repeat(64)}`],
        ]),
      ),
  },
];

/** An error document, with all that OSS could tell about what was signed. */
function ossError(status: number, code: string, elements: readonly string[], message = "It is so."): Fault {
  const own = ["Code", code, "Message", message, "RequestId", "5C3D9175B6FC201293AD4990", "HostId", OSS_HOST];
  const signed = [
    ...[
      "SignatureProvided",
      "a2V5LXNpZ25hdHVyZS1wcm92aWRlZC14eHg=",
      "StringToSign",
      "GET\n\n\nHMAC",
      "StringToSignBytes",
      "47",
    ],
    ...["CanonicalRequest", "GET\n/gatewayprivate", "Endpoint", OSS_HOST, "Bucket", "gatewayprivate"],
  ];
  const all = [...own, ...elements, ...signed];
  let xml = '<?xml version="1.0" encoding="UTF-8"?>\n<Error>\n';
  for (let i = 0; i < all.length; i += 2) xml += `  <${all[i]}>${all[i + 1]}</${all[i]}>\n`;
  const body = `${xml}</Error>\n`;
  const headers = [
    ...["Content-Type", "application/xml", "x-oss-request-id", "5C3D9175B6FC201293AD4990"],
    ...["x-oss-err", Buffer.from(body).toString("base64"), "x-oss-ec", "0002-00000040"],
  ];
  return { kind: "answer", status, headers, body };
}

function answerAlways({ emulator }: SignWorld, fault: Fault): void {
  emulator.faults.clear();
  emulator.faults.failEvery(() => true, fault);
}

for (const { name, code, arrange } of REFUSED) {
  t.test(
    `OSS refuses what the gateway signed, for ${name}: 502, OSS's request id, and nothing else of it`,
    async (t) => {
      const world = await startSigning(t, ROUTES);
      arrange(world);
      for (const host of ["open.test", "oldest.test", "bound.test"]) {
        for (const answer of await failing(world, host)) {
          t.equal(answer.status, 502);
          t.equal(outcome(answer), "UPSTREAM_AUTH_FAILED");
          const xml =
            answer.entry.method === "HEAD" ? Buffer.from(answer.header("x-oss-err"), "base64").toString() : answer.text;
          t.equal(xmlText(xml, "Code"), "UpstreamAuthFailed");
          t.match(answer.header("x-oss-request-id"), /^[0-9A-F]{24}$/);
          t.equal(answer.header("x-oss-request-id"), answer.entry.ossRequestId);
          t.equal(xmlText(xml, "RequestId"), answer.entry.ossRequestId);
          t.equal(answer.header("x-oss-ec"), "");
          t.notMatch(everythingOf(answer), new RegExp(`${code}|0002-`), "not even which of the reasons");
          mustTellNothing(t, answer, host);
          t.match(answer.entry, { error: "UPSTREAM_AUTH_FAILED", detail: new RegExp(code) }, "the operator is told");
        }
      }
      t.equal(
        await world.gateway.metric('ossgate_errors_total{route="open",code="UPSTREAM_AUTH_FAILED",origin="upstream"}'),
        2,
      );
      const logged = world.log.filter((line) => line.includes("UPSTREAM_AUTH_FAILED"));
      // Of each route once a minute; each request's own cause is in the access log.
      t.equal(logged.length, 3);
      for (const line of logged) {
        t.match(line, code);
        for (const secret of NEVER) t.notOk(line.replaceAll(code, "").includes(secret), `log: no ${secret}`);
      }
    },
  );
}

t.test("with a token of STS, wrong or expired: the token is in no answer and in no log line", async (t) => {
  const world = await startSigning(t, ROUTES, { credentials: TEMPORARY });
  for (const known of [null, { ...TEMPORARY, securityToken: "another" }, { ...TEMPORARY, expiresAtMs: 1 }]) {
    if (known !== null) world.emulator.addCredentials(known);
    for (const answer of await failing(world, "open.test")) {
      t.equal(outcome(answer), "UPSTREAM_AUTH_FAILED");
      mustTellNothing(t, answer, "STS");
    }
  }
  for (const line of world.log) t.notOk(line.includes(TOKEN));
});

t.test("what the key may not do is the client's to know, without what could name our side", async (t) => {
  const world = await startSigning(t, ROUTES);
  answerAlways(world, ossError(403, "AccessDenied", [], "You do not have write acl permission on this object."));
  for (const answer of await failing(world, "bound.test", ["GET", "HEAD", "PUT", "DELETE"])) {
    t.equal(answer.status, 403);
    if (answer.entry.method !== "HEAD") t.equal(xmlText(answer.text, "Code"), "AccessDenied");
    mustTellNothing(t, answer, answer.entry.method);
  }
});

t.test("a bucket of another region: OSS tells its endpoint, and the client does not get it", async (t) => {
  const world = await startSigning(t, ROUTES);
  const message = "The bucket you are attempting to access must be addressed using the specified endpoint.";
  answerAlways(world, ossError(403, "AccessDenied", [], message));
  for (const answer of await failing(world, "open.test")) mustTellNothing(t, answer, "403");
});

t.test("an error document that cannot be read is not handed on", async (t) => {
  const world = await startSigning(t, ROUTES);
  const document = ossError(403, "SignatureDoesNotMatch", []) as Fault & { readonly kind: "answer" };
  const bodies: Readonly<Record<string, readonly [headers: readonly string[], body: string | Buffer]>> = {
    compressed: [["Content-Encoding", "gzip"], gzipSync(document.body as string)],
    html: [["Content-Type", "text/html"], `<html>${OSS_HOST} StringToSign ${OWN.accessKeyId}</html>`],
    empty: [[], ""],
    cut: [[], (document.body as string).slice(0, 30)],
    nested: [[], `<Other><Error2><StringToSign>${OWN.accessKeyId}</StringToSign></Error2></Other>`],
    "not UTF-8": [[], Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from("StringToSign")])],
  };
  for (const [name, [headers, body]] of Object.entries(bodies)) {
    answerAlways(world, { kind: "answer", status: 403, headers, body });
    const answer = await ask(world, { host: "open.test", target: "/k" });
    t.equal(answer.status, 403, name);
    t.equal(xmlText(answer.text, "Code"), "UpstreamError", name);
    t.equal(answer.header("content-encoding"), "", name);
    t.equal(Number(answer.header("content-length")), answer.body.length, name);
    t.equal(xmlText(answer.text, "RequestId"), answer.header("x-oss-request-id"), name);
    mustTellNothing(t, answer, name);
  }
});

t.test("a huge error body is not collected: 502, and the next request is served", async (t) => {
  const world = await startSigning(t, ROUTES);
  answerAlways(world, { kind: "answer", status: 403, body: `<Error><Code>AccessDenied</Code>${"x".repeat(2 ** 20)}` });
  const answer = await ask(world, { host: "open.test", target: "/k" });
  t.equal(outcome(answer), "UPSTREAM_BAD_RESPONSE");
  mustTellNothing(t, answer, "huge");
  world.emulator.faults.clear();
  world.emulator.putObject(BUCKET, "k", "hello");
  t.equal((await ask(world, { host: "open.test", target: "/k" })).text, "hello");
});

t.test("elements that are written to be read twice say no more than once", async (t) => {
  const world = await startSigning(t, ROUTES);
  const body = `<Error><Code>NoSuchKey&lt;StringToSign&gt;</Code><Message>&#x3c;b&#62; &amp;lt; &#0; \u0001</Message><Key>a<Endpoint>${OSS_HOST}</Endpoint></Key></Error>`;
  answerAlways(world, { kind: "answer", status: 404, body });
  const { text } = await ask(world, { host: "open.test", target: "/k" });
  t.equal(xmlText(text, "Code"), "NoSuchKey&lt;StringToSign&gt;");
  t.equal(xmlText(text, "Message"), "&lt;b&gt; &amp;lt; ? ?");
  t.notOk(text.includes(OSS_HOST));
});

t.test(
  "203, an upload whose callback failed, is answered as OSS answers it and tells nothing of our side",
  async (t) => {
    const world = await startSigning(t, ROUTES);
    answerAlways(world, ossError(203, "CallbackFailed", [], "Error status : 301."));
    const answer = await ask(world, { method: "PUT", host: "open.test", target: "/k", body: "hello" });
    t.equal(answer.status, 203);
    t.equal(xmlText(answer.text, "Code"), "CallbackFailed");
    mustTellNothing(t, answer, "203");
  },
);

t.test("a redirection to the bucket's own host leads to the client's host, the route's prefix taken off", async (t) => {
  const world = await startSigning(t, ROUTES);
  const headers = ["Location", `https://${OSS_HOST}/tenant/other.txt?x=1`];
  answerAlways(world, { kind: "answer", status: 302, headers });
  const answer = await ask(world, { host: "bound.test", target: "/k" });
  t.equal(answer.status, 302);
  t.equal(answer.header("location"), "http://bound.test/other.txt?x=1");
});

t.test(
  "a relayed client signature that OSS refuses is the client's affair, and the document is cleaned all the same",
  async (t) => {
    const world = await startSigning(t, ROUTES);
    answerAlways(world, ossError(403, "SignatureDoesNotMatch", ["OSSAccessKeyId", "clients-own"]));
    const target = "/k?OSSAccessKeyId=clients-own&Expires=1&Signature=x";
    const answer = await ask(world, { host: "relaying.test", target });
    t.equal(answer.status, 403);
    t.equal(xmlText(answer.text, "Code"), "SignatureDoesNotMatch");
    for (const name of ["StringToSign", "CanonicalRequest", "<Endpoint>", "OSSAccessKeyId"]) {
      t.notOk(everythingOf(answer).includes(name), name);
    }
  },
);

t.test("the end of a multipart upload is located where the client can reach it", async (t) => {
  const world = await startSigning(t, ROUTES);
  const begun = await ask(world, { method: "POST", host: "bound.test", target: "/big+file?uploads" });
  t.equal(begun.status, 200);
  t.equal(xmlText(begun.text, "Key"), "big file");
  const id = xmlText(begun.text, "UploadId") ?? "";
  const part = await ask(world, {
    method: "PUT",
    host: "bound.test",
    target: `/big%20file?partNumber=1&uploadId=${id}`,
    body: "part",
  });
  const body = `<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>${part.header("etag")}</ETag></Part></CompleteMultipartUpload>`;
  const done = await ask(world, { method: "POST", host: "bound.test", target: `/big%20file?uploadId=${id}`, body });
  t.equal(done.status, 200);
  t.equal(xmlText(done.text, "Location"), "http://bound.test/big%20file");
  t.equal(xmlText(done.text, "Key"), "big file");
  mustTellNothing(t, done, "complete");
  t.equal(world.emulator.readObject(BUCKET, "tenant/big file").toString(), "part");
});

t.test("a redirection with a document: its endpoint and host do not reach the client", async (t) => {
  const world = await startSigning(t, ROUTES);
  for (const status of [301, 307]) {
    answerAlways(world, ossError(status, "PermanentRedirect", []));
    for (const answer of await failing(world, "open.test")) mustTellNothing(t, answer, String(status));
  }
});
