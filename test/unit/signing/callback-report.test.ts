import fc from "fast-check";
import t from "tap";
import { readCallbackReport } from "../../../src/signing/callback-report.js";

const FORM = "application/x-www-form-urlencoded";
const JSON_TYPE = "application/json";

const read = (type: string | undefined, body: string | Buffer) => readCallbackReport(type, Buffer.from(body));
const found = (bucket: string, object: string) => ({ ok: true, bucket, object });

t.test("bucket and object are read out of a form, as OSS encodes it", (t) => {
  const rows: [body: string, bucket: string, object: string][] = [
    ["bucket=b&object=k", "b", "k"],
    ["object=user%2F1%2Fa.jpg&bucket=b&size=12", "b", "user/1/a.jpg"],
    ["bucket=b&object=user/1/a.jpg&mimeType=image%2Fjpeg", "b", "user/1/a.jpg"],
    ["bucket=b&object=a+b%2Bc", "b", "a b+c"],
    ["bucket=b&object=%E4%B8%AD%3D%26%3B&x=", "b", "中=&;"],
    ["bucket=b&object=中", "b", "中"],
    ["bucket=b&object=a%3Bobject%3Db", "b", "a;object=b"],
    ["&&bucket=b&&object=k&objects=1&my_object=2&x.object=3", "b", "k"],
  ];
  for (const [body, bucket, object] of rows) t.same(read(FORM, body), found(bucket, object), body);
  t.end();
});

t.test("bucket and object are read out of JSON", (t) => {
  const rows: [body: string, bucket: string, object: string][] = [
    ['{"bucket":"b","object":"k","size":12}', "b", "k"],
    ['\n{ "object" : "a\\"b\\u4e2d" , "bucket":"b" }\n', "b", 'a"b中'],
    ['{"bucket":"b","object":"k","image":{"object":"x","bucket":[{"object":1}]},"list":["object","bucket"]}', "b", "k"],
    ['{"bucket":"b","object":"a:{\\"object\\":1}"}', "b", 'a:{"object":1}'],
    ['{"bucket":"b","object":"k","objects":1,"__proto__":{"object":"x"}}', "b", "k"],
  ];
  for (const [body, bucket, object] of rows) t.same(read(JSON_TYPE, body), found(bucket, object), body);
  t.end();
});

t.test("the Content-Type may name UTF-8 and nothing else", (t) => {
  const form = "bucket=b&object=k";
  for (const type of [FORM, `${FORM}; charset=utf-8`, `${FORM};charset="UTF-8"`, FORM.toUpperCase()]) {
    t.equal(read(type, form).ok, true, type);
  }
  for (const type of [
    undefined,
    "",
    "text/plain",
    `${FORM}; charset=utf-16`,
    `${FORM}; a=b`,
    `${FORM}, ${JSON_TYPE}`,
  ]) {
    t.equal(read(type, form).ok, false, String(type));
  }
  t.end();
});

t.test("a body that is not what its Content-Type says is refused", (t) => {
  t.equal(read(JSON_TYPE, "bucket=b&object=k").ok, false);
  t.equal(read(FORM, '{"bucket":"b","object":"k"}').ok, false);
  // A form to one reader, JSON to another.
  t.equal(read(FORM, '{"object":"evil","x":"&bucket=b&object=k&"}').ok, false);
  t.equal(read(JSON_TYPE, '{"bucket":"b","object":"k","x":"&object=evil&bucket=b"}').ok, false);
  t.equal(read(JSON_TYPE, '{"bucket":"b","object":"k","x":"&%6fbject=evil"}').ok, false);
  t.end();
});

t.test("a body without the object's or the bucket's name says that callbackBody must contain both", (t) => {
  const rows: [type: string, body: string][] = [
    [FORM, ""],
    [FORM, "bucket=b"],
    [FORM, "object=k"],
    [FORM, "filename=k&size=1"],
    [JSON_TYPE, "{}"],
    [JSON_TYPE, '{"bucket":"b"}'],
    [JSON_TYPE, '{"bucket":"b","object":1}'],
    [JSON_TYPE, '{"bucket":"b","object":null}'],
    [JSON_TYPE, '{"bucket":"b","object":["k"]}'],
    [JSON_TYPE, '{"bucket":"b","x":{"object":"k"}}'],
  ];
  for (const [type, body] of rows) {
    const report = read(type, body);
    t.match(report, { ok: false }, body);
    t.match(report.ok ? "" : report.reason, /callbackBody.*bucket.*object/, body);
  }
  t.end();
});

t.test("a field that is there twice is refused, whichever way another parser would find the second", (t) => {
  const forms = [
    "bucket=b&object=k&object=evil",
    "bucket=b&object=k&object=k",
    "bucket=b&bucket=b&object=k",
    "bucket=b&object=k&Object=evil",
    "bucket=b&object=k&OBJECT=evil",
    "bucket=b&object=k&object[]=evil",
    "bucket=b&object=k&object%5B%5D=evil",
    "bucket=b&object=k&object[x]=evil",
    "bucket=b&object=k&+object=evil",
    "bucket=b&object=k&object+=evil",
    "bucket=b&object=k&object%00x=evil",
    "bucket=b&object=k&%6fbject=evil",
    "bucket=b&object=k&object",
    "bucket=b&object=k;object=evil",
    "bucket=b&x=1;object=evil&object=k",
    "bucket=b&object=k;x=1",
    "bucket=b;object=k",
    "BUCKET=b&object=k",
    "bucket=b&object=k&buc%E2%84%AAet=evil",
  ];
  for (const body of forms) t.equal(read(FORM, body).ok, false, body);
  const jsons = [
    '{"bucket":"b","object":"k","object":"evil"}',
    '{"bucket":"b","object":"k","object":"k"}',
    '{"bucket":"b","object":null,"object":"k"}',
    '{"bucket":"b","object":"k","Object":"evil"}',
    '{"bucket":"b","object":"k","\\u006fbject":"evil"}',
    '{"bucket":"b","object":"k","x":{},"object" \n : "evil"}',
    '{"bucket":"b","buc\\u212Aet":"evil","object":"k"}',
    '{"bucket":"b","object":"k","a":"\\\\","object":"evil"}',
    '{"bucket":"b","object":"k","object[]":"evil"}',
  ];
  for (const body of jsons) t.equal(read(JSON_TYPE, body).ok, false, body);
  t.end();
});

t.test("what is no text, no form or no JSON object is refused", (t) => {
  const rows: [type: string, body: string | Buffer][] = [
    [FORM, "bucket=b&object=%"],
    [FORM, "bucket=b&object=%zz"],
    [FORM, "bucket=b&object=%ff"],
    [FORM, "bucket=b&object=k&x=%ff"],
    [FORM, Buffer.from("bucket=b&object=k&x=\xff", "latin1")],
    [FORM, "bucket=b&object=k\n"],
    [FORM, "bucket=b&object=k&x=\0"],
    [JSON_TYPE, '{"bucket":"b","object":"k"'],
    [JSON_TYPE, '{"bucket":"b","object":"k"} {}'],
    [JSON_TYPE, '[{"bucket":"b","object":"k"}]'],
    [JSON_TYPE, '\ufeff{"bucket":"b","object":"k"}'],
    [JSON_TYPE, '{"bucket":"b","object":"k",}'],
    [JSON_TYPE, '{"bucket":"b","object":"\n"}'],
    [JSON_TYPE, Buffer.from('{"bucket":"b","object":"\xff"}', "latin1")],
    [JSON_TYPE, Buffer.from('{"bucket":"b","object":"k"}', "utf16le")],
    [JSON_TYPE, ""],
    [JSON_TYPE, "null"],
  ];
  for (const [type, body] of rows) t.equal(read(type, body).ok, false, JSON.stringify(body.toString()));
  t.end();
});

t.test("an object that OSS could not have, or that climbs, is refused", (t) => {
  const objects = ["", "../k", "p/../k", "p/./k", "p/..", ".", "k".repeat(1_024), "中".repeat(342), "\ud800"];
  for (const object of objects) {
    t.equal(read(JSON_TYPE, JSON.stringify({ bucket: "b", object })).ok, false, object.slice(0, 20));
  }
  for (const object of ["p/..k", "p/...", ".k", "k".repeat(1_023), "a//b"]) {
    t.same(read(JSON_TYPE, JSON.stringify({ bucket: "b", object })), found("b", object), object.slice(0, 20));
  }
  t.end();
});

t.test("any key that OSS can write is read back, from forms and from JSON", (t) => {
  const key = fc
    .string({ unit: "grapheme", minLength: 1, maxLength: 60 })
    .filter((text) => !/(?:^|\/)\.{1,2}(?:\/|$)/.test(text));
  fc.assert(
    fc.property(key, (object) => {
      const form = read(FORM, new URLSearchParams({ bucket: "b", object, size: "1" }).toString());
      t.same(form, found("b", object));
      const percent = read(FORM, `bucket=b&object=${encodeURIComponent(object)}`);
      t.same(percent, found("b", object));
      // What looks like a field of a form in JSON is refused, and nothing else.
      if (!/[&;]/.test(object)) t.same(read(JSON_TYPE, JSON.stringify({ bucket: "b", object })), found("b", object));
    }),
  );
  t.end();
});

t.test("no bytes make the reading throw, and the largest bodies are read", (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.boolean(), (bytes, isJson) => {
      read(isJson ? JSON_TYPE : FORM, Buffer.from(bytes));
    }),
  );
  const large = 64 * 1024;
  const nested = `{"bucket":"b","object":"k","x":${"[".repeat(large / 2)}${"]".repeat(large / 2)}}`;
  t.equal(read(JSON_TYPE, nested).ok, true);
  t.equal(read(JSON_TYPE, JSON.stringify({ bucket: "b", object: "k", x: '\\"'.repeat(large / 4) })).ok, true);
  t.equal(read(FORM, `bucket=b&object=k${"&x".repeat(large / 2)}`).ok, true);
  t.end();
});
