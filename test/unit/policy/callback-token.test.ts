import fc from "fast-check";
import t from "tap";
import { Secret } from "../../../src/core/secret.js";
import { checkCallbackToken, coversKey, signCallbackToken } from "../../../src/policy/callback-token.js";
import { LinkSigner } from "../../../src/policy/link-token.js";
import { text } from "./arbitraries.js";

const nowMs = 1_767_225_000_000;
const secret = new Secret("correct horse battery staple");
const claims = { bucket: "media", keyPrefix: "uploads/", expiresSeconds: 1_767_225_600 };
const token = signCallbackToken(claims, secret);

t.test("a token is the one that openssl computes from the documented text", (t) => {
  // printf %s 18:ossgate-callback-1,5:media,8:uploads/,10:1767225600, | openssl dgst -sha256 -hmac SECRET …
  t.equal(
    token,
    "ossgate-bucket=media&ossgate-dir=uploads/&ossgate-expires=1767225600" +
      "&ossgate-token=0N7etoEQSr7n96eo0ni2tVSfRyCxnHCVjFVSDTKnFVo",
  );
  t.end();
});

t.test("a token gives back what it was made for, whatever stands beside it in the query", (t) => {
  fc.assert(
    fc.property(text, text, fc.integer({ min: 1, max: 99_999_999_999 }), (bucket, keyPrefix, expiresSeconds) => {
      const query = signCallbackToken({ bucket, keyPrefix, expiresSeconds }, secret);
      t.match(query, /^[A-Za-z0-9._~%/=&-]+$/);
      for (const written of [query, `a=%zz&${query}&&b`]) {
        const verdict = checkCallbackToken(written, secret, expiresSeconds * 1000 - 1);
        t.same(verdict, { ok: true, bucket, keyPrefix });
      }
    }),
  );
  t.end();
});

t.test("a token says nothing else when it is changed", (t) => {
  const changes: readonly (readonly [from: string, to: string])[] = [
    ["bucket=media", "bucket=other"],
    ["dir=uploads/", "dir="],
    ["dir=uploads/", "dir=uploads"],
    ["dir=uploads/", "dir=uploads%2F%2F"],
    ["1767225600", "1767225601"],
    ["1767225600", "01767225600"],
    ["1767225600", "99999999999"],
    ["1767225600", "1767225600.0"],
    ["1767225600", ""],
    ["token=0", "token=1"],
    ["FVo", "FVp"],
    ["ossgate-bucket=media&", ""],
    ["ossgate-dir=uploads/&", ""],
    ["ossgate-expires=1767225600&", ""],
    ["&ossgate-token=0N7etoEQSr7n96eo0ni2tVSfRyCxnHCVjFVSDTKnFVo", ""],
    ["bucket=media&ossgate-dir=uploads/", "bucket=mediauploads/&ossgate-dir="],
    ["bucket=media", "bucket=media&ossgate-bucket=media"],
    ["bucket=media", "bucket=media&%6fssgate-bucket=other"],
    ["bucket=media", "bucket=media&ossgate-scope=/"],
    ["bucket=media", "bucket=media%ff"],
  ];
  for (const [from, to] of changes) {
    const changed = token.replace(from, to);
    t.not(changed, token, "the change changes something");
    t.equal(checkCallbackToken(changed, secret, nowMs).ok, false, `${from} → ${to}`);
  }
  t.equal(checkCallbackToken("", secret, nowMs).ok, false);
  t.end();
});

t.test("an escaped spelling of the same token is the same token", (t) => {
  const respelt = token.replace("uploads/", "uploads%2f").replace("ossgate-dir", "%6Fssgate-dir");
  t.same(checkCallbackToken(respelt, secret, nowMs), { ok: true, bucket: "media", keyPrefix: "uploads/" });
  t.end();
});

t.test("a token of another secret is none, and is not told that it expired", (t) => {
  const other = new Secret("another");
  t.equal(checkCallbackToken(token, other, nowMs).ok, false);
  t.same(checkCallbackToken(token, other, nowMs), checkCallbackToken(token, other, nowMs * 2));
  t.end();
});

t.test("a token expires at its second, and no sooner", (t) => {
  t.equal(checkCallbackToken(token, secret, 1_767_225_600_000 - 1).ok, true);
  t.match(checkCallbackToken(token, secret, 1_767_225_600_000), { ok: false, reason: /expired/ });
  t.end();
});

t.test("a link is no token, and a token no link, even under one secret", (t) => {
  const signer = new LinkSigner(secret, "media");
  const { expiresSeconds } = claims;
  const link = signer.sign({
    path: "/uploads/",
    isPrefix: true,
    expiresSeconds,
    scope: null,
    client: null,
    method: "GET",
    parameters: [],
  });
  const signature = link.slice(-43);
  t.equal(checkCallbackToken(token.slice(0, -43) + signature, secret, nowMs).ok, false);
  t.equal(checkCallbackToken(link, secret, nowMs).ok, false);
  // A route, a path or a parameter of a link that reads like a token's fields.
  const names = ["ossgate-callback-1", "18:ossgate-callback-1,5:media,8:uploads/,10:1767225600,"];
  for (const name of names) {
    const query = new LinkSigner(secret, name).sign({
      path: `/${name}`,
      isPrefix: false,
      expiresSeconds,
      scope: null,
      client: null,
      method: "GET",
      parameters: [[name, name]],
    });
    t.equal(checkCallbackToken(token.slice(0, -43) + query.slice(-43), secret, nowMs).ok, false);
  }
  t.end();
});

t.test("a token covers the keys of its bucket that begin with its prefix", (t) => {
  const made = { bucket: "media", keyPrefix: "uploads/" };
  t.ok(coversKey(made, "media", "uploads/a"));
  t.ok(coversKey(made, "media", "uploads/"));
  for (const [bucket, key] of [
    ["other", "uploads/a"],
    ["media", "private/a"],
    ["media", "uploads"],
    ["media", "Uploads/a"],
    ["media", "/uploads/a"],
    ["", "uploads/a"],
  ] as const) {
    t.notOk(coversKey(made, bucket, key), `${bucket}: ${key}`);
  }
  t.ok(coversKey({ bucket: "media", keyPrefix: "" }, "media", "anything"));
  t.end();
});

t.test("a token is not made for an expiry that is none", (t) => {
  for (const expiresSeconds of [1.5, -1, Number.NaN, Number.POSITIVE_INFINITY, 100_000_000_000, 1e21]) {
    t.throws(() => signCallbackToken({ ...claims, expiresSeconds }, secret), RangeError, String(expiresSeconds));
  }
  t.end();
});
