import fc from "fast-check";
import t from "tap";
import { basicChallenge, isBasicScheme, parseBasic } from "../../../src/policy/basic-credentials.js";

const encode = (bytes: string | Buffer): string => Buffer.from(bytes as string).toString("base64");

const rows: readonly (readonly [authorization: string, name: string | null, password?: string])[] = [
  ["Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", "Aladdin", "open sesame"],
  ["Basic dGVzdDoxMjPCow==", "test", "123£"],
  ["bASIC   QWxhZGRpbjpvcGVuIHNlc2FtZQ==", "Aladdin", "open sesame"],
  ["  Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==  ", "Aladdin", "open sesame"],
  ["Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ", "Aladdin", "open sesame"],
  [`Basic ${encode("a:b:c")}`, "a", "b:c"],
  [`Basic ${encode(":")}`, "", ""],
  [`Basic ${encode("a:")}`, "a", ""],
  [`Basic ${encode("\ufeffa:b")}`, "\ufeffa", "b"],
  [`Basic ${encode("no colon")}`, null],
  [`Basic ${encode(Buffer.from("a:\xe9", "latin1"))}`, null],
  [`Basic ${encode("a:b\0c")}`, null],
  [`Basic ${encode("a:b\nc")}`, null],
  [`Basic ${encode("a\u0085:b")}`, null],
  ["Basic", null],
  ["Basic ", null],
  ["Basic a:b", null],
  [`Basic ${encode("a:b")} ${encode("c:d")}`, null],
  [`Basic ${encode("a:b")}, Bearer x`, null],
  [`Basic\t${encode("a:b")}`, null],
  [`Basic${encode("a:b")}`, null],
  [`Bearer ${encode("a:b")}`, null],
  ["OSS ak:c2ln", null],
  ["", null],
];

t.test("a name and a password are read as RFC 7617 writes them, and nothing else", (t) => {
  for (const [authorization, name, password = ""] of rows) {
    t.same(parseBasic(authorization), name === null ? null : { name, password }, JSON.stringify(authorization));
  }
  t.end();
});

t.test("what a client encodes is what is read", (t) => {
  const text = fc.string({ unit: "binary" }).map((s) => s.replace(/[\p{Cc}\p{Cs}]/gu, ""));
  fc.assert(
    fc.property(text, text, (name, password) => {
      const login = parseBasic(`Basic ${encode(`${name.replaceAll(":", "")}:${password}`)}`);
      return login !== null && login.name === name.replaceAll(":", "") && login.password === password;
    }),
  );
  t.end();
});

t.test("the scheme is Basic in any case, well-formed or not", (t) => {
  for (const value of ["Basic x", "basic", " BASIC\tx", "Basic "]) t.ok(isBasicScheme(value), value);
  for (const value of ["Basicx", "OSS a:b", "Bearer Basic", ""]) t.notOk(isBasicScheme(value), value);
  t.end();
});

t.test("a challenge has its realm quoted, whatever it is", (t) => {
  t.equal(basicChallenge("files"), 'Basic realm="files", charset="UTF-8"');
  t.equal(basicChallenge('a"b\\c'), 'Basic realm="a\\"b\\\\c", charset="UTF-8"');
  t.equal(basicChallenge("a\r\nX: é"), 'Basic realm="a??X: ?", charset="UTF-8"');
  t.end();
});
