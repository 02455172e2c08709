import t from "tap";
import {
  isAuthFailure,
  isCredentialFailure,
  isErrorDocument,
  type OssError,
  readOssError,
  toldElements,
  unescapeXml,
} from "../../../src/gateway/oss-error.js";

const read = (body: string, headers: readonly string[] = []) => readOssError(headers, Buffer.from(body));
const error = (code: string, message = "", more = "") =>
  read(`<Error><Code>${code}</Code><Message>${message}</Message>${more}</Error>`) as OssError;

t.test("an error document is read from the body, or from the header of a HEAD", async (t) => {
  const body = "<?xml version='1.0'?>\n<Error>\n  <Code>NoSuchKey</Code>\n  <Message>a &lt; b</Message>\n</Error>";
  t.match(read(body), { code: "NoSuchKey", message: "a < b" });
  t.match(read("", ["X-Oss-Err", Buffer.from(body).toString("base64")]), { code: "NoSuchKey" });
});

t.test("what is no error document is none", async (t) => {
  for (const body of [
    "",
    "<html></html>",
    "<Error></Error>",
    "<Error><Message>m</Message></Error>",
    "<Code>a</Code>",
    "<Error><Code>a",
  ]) {
    t.equal(read(body), null, body);
  }
  t.equal(read("", ["x-oss-err", "%%%"]), null);
});

t.test("of repeated elements the first counts, and of many only some are read", async (t) => {
  t.equal(read("<Error><Code>A</Code><Code>B</Code></Error>")?.code, "A");
  const many = Array.from({ length: 1_000 }, (_, i) => `<E${"x".repeat(i % 50)}>v</E${"x".repeat(i % 50)}>`).join("");
  t.ok((error("A", "", many).elements.size ?? 0) <= 40);
});

t.test("a document made to be slow to read is read in no time that counts", async (t) => {
  // 256 KiB is all that is ever collected; a reader of quadratic cost would take minutes for it.
  for (const piece of ["<", "<a", "<a>", "<a>x</b>", "&#x", "</", "<a><"]) {
    const body = `<Error><Code>A</Code>${piece.repeat(Math.floor(2 ** 18 / piece.length))}`;
    t.equal(read(body)?.code, "A", piece);
  }
});

t.test("characters and entities, each decoded once, and what is none stays", async (t) => {
  const cases: Readonly<Record<string, string>> = {
    "&lt;&gt;&amp;&quot;&apos;": "<>&\"'",
    "&amp;lt;": "&lt;",
    "&#65;&#x42;&#x1F600;": "AB😀",
    "&nope;&#;&#x;&;&": "&nope;&#;&#x;&;&",
    "&#x110000;&#9999999;": "&#x110000;&#9999999;",
  };
  for (const [text, plain] of Object.entries(cases)) t.equal(unescapeXml(text), plain, text);
});

t.test("refusals of the gateway's own signature are told from a client's mistakes", async (t) => {
  const argument = "<ArgumentName>Authorization</ArgumentName>";
  const own = [
    ...["SignatureDoesNotMatch", "InvalidAccessKeyId", "SecurityTokenExpired", "InvalidSecurityToken"].map((code) =>
      error(code),
    ),
    ...["RequestTimeTooSkewed", "UserDisable"].map((code) => error(code)),
    error("InvalidArgument", "x", argument),
    error("InvalidArgument", "Invalid signing region in Authorization header."),
    error("AccessDenied", "Request has expired."),
    error("AccessDenied", "OSS authentication requires a valid Date."),
  ];
  for (const one of own) t.equal(isAuthFailure(one), true, `${one.code} ${one.message}`);
  const others = [
    error("NoSuchKey"),
    error("AccessDenied", "You do not have write acl permission on this object."),
    error("InvalidArgument", "The bucket name is invalid.", "<ArgumentName>max-keys</ArgumentName>"),
    error("AccessForbidden"),
  ];
  for (const one of others) t.equal(isAuthFailure(one), false, `${one.code} ${one.message}`);
});

t.test("other credentials help against some refusals alone", async (t) => {
  for (const code of ["InvalidAccessKeyId", "SecurityTokenExpired", "InvalidSecurityToken"]) {
    t.equal(isCredentialFailure(error(code)), true, code);
  }
  for (const code of ["SignatureDoesNotMatch", "RequestTimeTooSkewed", "UserDisable", "AccessDenied"]) {
    t.equal(isCredentialFailure(error(code)), false, code);
  }
});

t.test("what a client is told is a list, and nothing of our side is on it", async (t) => {
  const ours = [
    "OSSAccessKeyId",
    "SecurityToken",
    "SignatureProvided",
    "StringToSign",
    "StringToSignBytes",
    "CanonicalRequest",
  ];
  const more = [
    ...ours,
    "HostId",
    "Endpoint",
    "Bucket",
    "BucketName",
    "AuthPrincipalDisplayName",
    "RequestTime",
    "EncodedDiagnosticMessage",
  ];
  const names = [...more, "Method", "RangeRequested", "EC"];
  const told = toldElements(error("A", "", names.map((name) => `<${name}>v</${name}>`).join("")));
  t.strictSame(
    told.map(([name]) => name),
    ["Method", "RangeRequested", "EC"],
  );
});

t.test("a document is an error by its root, whatever stands before", async (t) => {
  for (const before of ["", " \r\n".repeat(1_000), "\ufeff", '<?xml version="1.0"?>\n', "<!-- a --><!-- b -->\n"]) {
    t.equal(isErrorDocument(`${before}<Error><Code>A</Code></Error>`), true, before.slice(0, 20));
    t.equal(isErrorDocument(`${before}<Result><Error></Error></Result>`), false, before.slice(0, 20));
  }
  for (const text of ["", "  ", "<!-- <Error>", "<?xml <Error>", "<Errors>"])
    t.equal(isErrorDocument(text), false, text);
});

t.test("a document that is made to be slow is read in one pass", async (t) => {
  t.equal(isErrorDocument("<!---->".repeat(100_000)), false);
  t.equal(isErrorDocument(`${"<!---->".repeat(100_000)}<Error>`), true);
});
