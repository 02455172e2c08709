import { createPublicKey, generateKeyPairSync, sign } from "node:crypto";
import { readFileSync } from "node:fs";
import fc from "fast-check";
import t from "tap";
import {
  callbackMessage,
  isPlainCallbackPath,
  KNOWN_PUBLIC_KEY_URL,
  publicKeyUrl,
  verifyCallback,
} from "../../../src/signing/callback.js";

interface CallbackVector {
  readonly kind: string;
  readonly pubKeyUrlBase64: string;
  readonly publicKeyPem: string;
  readonly requestTarget: string;
  readonly body: string;
  readonly stringSigned: string;
  readonly authorization: string;
}

const entries = JSON.parse(
  readFileSync(new URL("../../vectors/extra.json", import.meta.url), "utf8"),
) as CallbackVector[];
const vectors = entries.filter(({ kind }) => kind === "callback-rsa");
const base64 = (text: string): string => Buffer.from(text, "latin1").toString("base64");

t.test("the documented callback verifies, and not one changed byte of it", (t) => {
  t.equal(vectors.length, 1);
  for (const { requestTarget, body, stringSigned, authorization, publicKeyPem } of vectors) {
    const [path = "", query = ""] = requestTarget.split("?");
    const message = callbackMessage(path, query, Buffer.from(body));
    const key = createPublicKey(publicKeyPem);
    t.equal(message.toString(), stringSigned);
    t.ok(verifyCallback(message, authorization, key));
    for (let i = 0; i < message.length; i += 1) {
      const other = Buffer.from(message);
      other[i] = (other[i] as number) ^ 1;
      t.notOk(verifyCallback(other, authorization, key), `byte ${i}`);
    }
  }
  t.end();
});

t.test("the documented key URL is the known one, by https", (t) => {
  for (const { pubKeyUrlBase64 } of vectors) t.equal(publicKeyUrl(pubKeyUrlBase64)?.href, KNOWN_PUBLIC_KEY_URL);
  t.end();
});

t.test("what OSS signs is path?query, a line feed and the body's bytes", (t) => {
  const body = Buffer.from([0x61, 0x00, 0xff, 0x0a]);
  const rows: [path: string, query: string, text: string][] = [
    ["/cb", "", "/cb\n"],
    ["/cb", "a=%2F&b", "/cb?a=%2F&b\n"],
    ["/回调", "a=1", "/回调?a=1\n"],
  ];
  for (const [path, query, text] of rows) {
    t.same(callbackMessage(path, query, body), Buffer.concat([Buffer.from(text), body]));
  }
  t.end();
});

/** Every path, query and body whose message is this one. */
function splitsOf(message: string): { readonly path: string; readonly query: string; readonly body: string }[] {
  const splits = [];
  for (let end = 0; end < message.length; end += 1) {
    if (message[end] !== "\n") continue;
    const [target, body] = [message.slice(0, end), message.slice(end + 1)];
    splits.push({ path: target, query: "", body });
    for (let mark = 0; mark < end - 1; mark += 1) {
      const [path, query] = [target.slice(0, mark), target.slice(mark + 1)];
      // A head with a line feed in its query never gets as far.
      if (target[mark] === "?" && !query.includes("\n")) splits.push({ path, query, body });
    }
  }
  return splits;
}

t.test("a message is of one callback alone when its path is plain", (t) => {
  const text = fc.string({ unit: fc.constantFrom("a", "?", "\n", "/"), minLength: 3, maxLength: 20 });
  let ambiguous = 0;
  fc.assert(
    fc.property(text, (message) => {
      const splits = splitsOf(message);
      for (const { path, query, body } of splits) {
        t.equal(callbackMessage(path, query, Buffer.from(body)).toString(), message);
      }
      if (splits.length > 1) ambiguous += 1;
      return splits.filter(({ path }) => isPlainCallbackPath(path)).length <= 1;
    }),
  );
  t.ok(ambiguous > 10, "many would be of several");
  t.end();
});

t.test("a path that holds what divides the message is not plain", (t) => {
  for (const path of ["/cb?a", "/cb\nbody", "/cb\0", "/cb\x7f", "/\r"]) t.notOk(isPlainCallbackPath(path), path);
  for (const path of ["/", "/cb", "/a b/%", "/回调", "/a&b=c"]) t.ok(isPlainCallbackPath(path), path);
  // The trap that is closed: another split of what OSS signed for somebody else.
  const theirs = callbackMessage("/cb", "x=1", Buffer.from("y?token\nobject=k"));
  const forged = callbackMessage("/cb?x=1\ny", "token", Buffer.from("object=k"));
  t.same(forged, theirs);
  t.notOk(isPlainCallbackPath("/cb?x=1\ny"));
  t.end();
});

t.test("signatures are of the key, of MD5, and strictly base64", (t) => {
  for (const modulusLength of [512, 2_048]) {
    const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength });
    const other = generateKeyPairSync("rsa", { modulusLength });
    const message = callbackMessage("/cb", "a=1", Buffer.from("bucket=b&object=k"));
    const good = sign("RSA-MD5", message, privateKey).toString("base64");
    t.ok(verifyCallback(message, good, publicKey));
    t.notOk(verifyCallback(message, good, other.publicKey));
    t.notOk(verifyCallback(message, sign("RSA-SHA256", message, privateKey).toString("base64"), publicKey));
    for (const bad of ["", "*", `${good}=`, ` ${good}`, `${good}\n`, good.slice(0, -1), good.slice(4), `${good}AAAA`]) {
      t.notOk(verifyCallback(message, bad, publicKey), JSON.stringify(bad));
    }
    t.notOk(verifyCallback(message, "A".repeat(100_000), publicKey));
    t.notOk(verifyCallback(message, Buffer.alloc(modulusLength / 8).toString("base64"), publicKey));
  }
  t.end();
});

t.test("http and https key URLs are fetched by https from the vendor's host", (t) => {
  const rows: [url: string, href: string][] = [
    ["http://gosspublic.alicdn.com/callback_pub_key_v1.pem", KNOWN_PUBLIC_KEY_URL],
    ["https://gosspublic.alicdn.com/callback_pub_key_v1.pem", KNOWN_PUBLIC_KEY_URL],
    ["http://gosspublic.alicdn.com/a/b-2_c.pem", "https://gosspublic.alicdn.com/a/b-2_c.pem"],
  ];
  for (const [url, href] of rows) t.equal(publicKeyUrl(base64(url))?.href, href);
  t.end();
});

t.test("a key URL of any other host, or with anything else in it, is none", (t) => {
  const host = "gosspublic.alicdn.com";
  const evil = [
    "https://evil.net/callback_pub_key_v1.pem",
    `https://${host}.evil.net/k.pem`,
    `https://evil.net/${host}/k.pem`,
    `https://evil${host}/k.pem`,
    `https://${host}@evil.net/k.pem`,
    `https://user:pass@${host}/k.pem`,
    `https://@${host}/k.pem`,
    `https://evil.net#@${host}/k.pem`,
    `https://evil.net\\@${host}/k.pem`,
    `https://${host}\\@evil.net/k.pem`,
    `https://${host}:8443/k.pem`,
    `https://${host}:443/k.pem`,
    `http://${host}:80/k.pem`,
    `https://${host}./k.pem`,
    `https://${host}`,
    `https://${host}/`,
    `https://${host}/k.pem?a=1`,
    `https://${host}/k.pem#a`,
    `https://${host}/../k.pem`,
    `https://${host}/a/%2e%2e/k.pem`,
    `https://${host}//evil.net/k.pem`,
    `https:${host}/k.pem`,
    `https:/${host}/k.pem`,
    `//${host}/k.pem`,
    `ftp://${host}/k.pem`,
    `file://${host}/k.pem`,
    `HTTPS://${host}/k.pem`,
    `https://${host.toUpperCase()}/k.pem`,
    ` https://${host}/k.pem`,
    `https://${host}/k.pem\n`,
    `https://${host}\t/k.pem`,
    `https://gosspublic\n.alicdn.com/k.pem`,
    `https://gosspublic\xe3\x80\x82alicdn.com/k.pem`,
    `https://${host}/${"a".repeat(300)}`,
    "",
  ];
  for (const url of evil) t.equal(publicKeyUrl(base64(url)), null, JSON.stringify(url));
  const good = base64(KNOWN_PUBLIC_KEY_URL);
  for (const header of [`${good}=`, `*${good}`, `${good} `, KNOWN_PUBLIC_KEY_URL, "A".repeat(1_000_000)]) {
    t.equal(publicKeyUrl(header), null, header.slice(0, 80));
  }
  t.end();
});

t.test("whatever the header is, a key URL is a plain path on the vendor's host", (t) => {
  const piece = fc.constantFrom(
    "http",
    "https",
    ":",
    "/",
    "//",
    "@",
    "#",
    "?",
    "\\",
    ".",
    "gosspublic.alicdn.com",
    "k",
    "\n",
  );
  const text = fc.oneof(
    fc.array(piece).map((pieces) => pieces.join("")),
    fc.array(piece).map((pieces) => `https://gosspublic.alicdn.com/${pieces.join("")}`),
  );
  fc.assert(
    fc.property(text, (url) => {
      const found = publicKeyUrl(base64(url));
      if (found === null) return true;
      const { href, host, search, hash, username } = found;
      return host === "gosspublic.alicdn.com" && href.startsWith("https://") && search + hash + username === "";
    }),
    { numRuns: 2_000 },
  );
  t.end();
});
