import t from "tap";
import { explain } from "../../../src/issue/explain.js";
import type { IssueRefusal } from "../../../src/issue/refusal.js";
import { answerPolicy, answerSign, type SignAnswer } from "../../../src/issue/requests.js";
import * as v1 from "../../../src/signing/v1.js";
import { issued, KEYS, makeIssuer, NOW_MS, refusal, STS } from "./issuer.js";

const sign = (body: unknown): SignAnswer | IssueRefusal => answerSign(makeIssuer(), body, NOW_MS);

t.test("what is signed is a link where the route has links, and a presigned URL elsewhere", async (t) => {
  t.match(issued(sign({ url: "http://vod.example.com/a" })), {
    kind: "link",
    route: "vod",
    method: "GET",
    expiresAt: "2025-01-01T01:00:00.000Z",
  });
  t.match(issued(sign({ url: "http://img.example.com/a", credentials: "reader" })), {
    kind: "presigned",
    headers: {},
    isCappedByCredentials: false,
  });
  t.match(refusal(sign({ url: "http://img.example.com/a", kind: "link" })), { status: 422 });
});

t.test("every field of a request counts", async (t) => {
  const link = issued(sign({ route: "vod", path: "/a/", prefix: true, client: "203.0.113.1", expires: "30m" }));
  t.match(link, { expiresAt: "2025-01-01T00:30:00.000Z" });
  t.match(link.url, /ossgate-prefix=\/a\/&ossgate-client=1&/);
  const same = issued(
    sign({ route: "vod", path: "/a/", prefix: true, client: "203.0.113.1", expiresAt: "2025-01-01T00:30:00Z" }),
  );
  t.equal(same.url, link.url);
  const presigned = issued(
    sign({
      url: "http://img.example.com/a",
      method: "PUT",
      version: "v1",
      expires: 60,
      headers: { "Content-Type": "text/plain" },
      process: "image/info",
      response: { expires: "0" },
      parameters: { versionId: "7" },
      credentials: "writer",
    }),
  );
  t.match(presigned, {
    method: "PUT",
    headers: { "content-type": "text/plain" },
    expiresAt: "2025-01-01T00:01:00.000Z",
  });
  t.match(presigned.url, "&versionId=7&x-oss-process=image%2Finfo&response-expires=0&security-token=CAIS");
});

t.test("a form takes every field from JSON", async (t) => {
  const body = {
    route: "img",
    dir: "user/",
    key: "user/a",
    minSize: 1,
    maxSize: "1KiB",
    contentType: "text/plain",
    expires: "5m",
    version: "v1",
    successActionStatus: 201,
    credentials: "reader",
    callback: { route: "calls", vars: { a: "1" } },
  };
  const form = issued(answerPolicy(makeIssuer(), body, NOW_MS));
  t.match(form.fields, { key: "user/a", success_action_status: "201", "Content-Type": "text/plain", "x:a": "1" });
  t.match(Buffer.from(form.policy, "base64").toString(), '["content-length-range",1,1024]');
});

const REFUSED: readonly (readonly [claim: string, body: unknown, words: RegExp])[] = [
  ["that is no object", [], /must be a JSON object/],
  ["that is null", null, /must be a JSON object/],
  [
    "with an unknown key",
    { url: "http://vod.example.com/a", expirs: 5 },
    /"expirs" is not known here. Did you mean expires/,
  ],
  ["with a key of the other kind", { url: "http://img.example.com/a", prefix: true }, /"prefix" is not known/],
  ["with a number for a URL", { url: 5 }, /^url must be text/],
  ["with half a second", { url: "http://vod.example.com/a", expires: 0.5 }, /^expires must be/],
  ["with milliseconds", { url: "http://vod.example.com/a", expires: "500ms" }, /^expires must be/],
  [
    "with a time without a zone",
    { url: "http://vod.example.com/a", expiresAt: "2025-01-01T00:00:00" },
    /^expiresAt must be/,
  ],
  ["with a list for parameters", { url: "http://vod.example.com/a", parameters: ["a"] }, /^parameters must be/],
  ["with a number as a parameter", { url: "http://vod.example.com/a", parameters: { a: 1 } }, /^parameters must be/],
  ["with an unknown kind", { url: "http://vod.example.com/a", kind: "url" }, /^kind must be one of link, presigned/],
  ["with text for a flag", { url: "http://vod.example.com/a", prefix: "yes" }, /^prefix must be true or false/],
  ["with an inherited name", JSON.parse('{"__proto__": {"url": "http://vod.example.com/a"}}'), /not known/],
];

for (const [claim, body, words] of REFUSED) {
  t.test(`a body ${claim} is refused by name`, async (t) => {
    const refused = refusal(sign(body));
    t.equal(refused?.status, 400);
    t.match(refused?.message, words);
  });
}

t.test("a form's unknown keys are refused by name, those of its callback too", async (t) => {
  const ask = (body: object) => refusal(answerPolicy(makeIssuer(), { route: "img", dir: "user/", ...body }, NOW_MS));
  t.match(ask({ maxsize: 5 }), { message: /"maxsize" is not known here. Did you mean maxSize/ });
  t.match(ask({ callback: { uri: "x" } }), { message: /^callback\."uri" is not known here. Did you mean url/ });
  t.match(ask({ callback: "x" }), { message: "callback must be a JSON object." });
  t.match(ask({ maxSize: -1 }), { message: /^maxSize must be/ });
  t.match(ask({ successActionStatus: "201" }), { message: /^successActionStatus must be one of 200, 201, 204/ });
});

t.test("an explanation shows what was signed, and neither token nor the whole id", async (t) => {
  const parts = { url: "http://img.example.com/a b", credentials: "writer", process: "image/info" };
  for (const version of ["v1", "v4"] as const) {
    const text = explain(issued(makeIssuer().presign({ ...parts, version }, NOW_MS)));
    t.match(text, /^ {2}\| GET$/m);
    t.ok(
      text.includes(
        version === "v1" ? "/examplebucket/a b?security-token=***&x-oss-process=image/info" : "STS.***yId0",
      ),
    );
    for (const secret of [STS.accessKeyId, "CAIS", STS.accessKeySecret.reveal()]) t.notMatch(text, secret, secret);
  }
  const { explanation } = issued(sign({ url: "http://vod.example.com/a", client: "203.0.113.1", explain: true }));
  t.match(explanation, /path: \/a\n.*method: GET.*\n.*client: 203\.0\.113\.1/);
});

t.test("the explained string to sign is the one of the URL's signature", async (t) => {
  const url = "http://img.example.com/a b?x-oss-process=image/info";
  const presigned = issued(makeIssuer().presign({ url, credentials: "reader", version: "v1" }, NOW_MS));
  const lines = explain(presigned).split("\n").slice(1, -1);
  const stringToSign = lines.map((line) => line.slice("  | ".length)).join("\n");
  const signature = v1.signature(KEYS.accessKeySecret, stringToSign);
  t.match(presigned.url, `Signature=${encodeURIComponent(signature)}`);
});
