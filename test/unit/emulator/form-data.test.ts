import t from "tap";
import { isRefusal } from "../../../src/emulator/answer.js";
import { formBoundary, type ParsedForm, parseForm } from "../../../src/emulator/form-data.js";

const part = (head: string, body: string): string =>
  `--B\r\nContent-Disposition: form-data; ${head}\r\n\r\n${body}\r\n`;

function parsed(...parts: readonly string[]): ParsedForm {
  const form = parseForm(Buffer.from(`${parts.join("")}--B--\r\n`), "B");
  if (isRefusal(form)) throw new Error(form.code);
  return form;
}

t.test("a boundary is found quoted, bare and after other parameters", async (t) => {
  t.equal(formBoundary("multipart/form-data; boundary=abc"), "abc");
  t.equal(formBoundary('Multipart/Form-Data; charset=utf-8; boundary="a b"'), "a b");
  t.equal(formBoundary("multipart/form-data"), null);
  t.equal(formBoundary("multipart/mixed; boundary=abc"), null);
});

t.test("fields are found by lower-case name and bodies keep their bytes", async (t) => {
  const form = parsed(
    part('name="Key"', "a/图"),
    part('name="file"; filename="C:\\dir\\x.txt"\r\nContent-Type: text/plain', "1\r\n--\r\n2"),
  );
  t.equal(form.fields.get("key"), "a/图");
  t.match(form.file, { name: "x.txt", contentType: "text/plain" });
  t.equal(form.file?.bytes.toString(), "1\r\n--\r\n2");
});

t.test("what follows the file is ignored", async (t) => {
  const form = parsed(part('name="file"; filename="x"', "1"), part('name="key"', "late"));
  t.notOk(form.fields.has("key"));
});

t.test("a form without a file has none", async (t) => {
  t.equal(parsed(part('name="key"', "k")).file, null);
});

for (const bad of [
  "",
  "text",
  "--B\r\n",
  "--B\r\nno colon\r\n\r\nx\r\n--B--",
  '--B\r\nContent-Disposition: form-data; name="a"\r\n\r\nnever ends',
]) {
  t.test(`the form ${JSON.stringify(bad)} is malformed`, async (t) => {
    t.match(parseForm(Buffer.from(bad), "B"), { code: "MalformedPOSTRequest" });
  });
}

t.test("a field of more than 2 MB is too long", async (t) => {
  t.match(parseForm(Buffer.from(`${part('name="a"', "x".repeat(2 ** 21 + 1))}--B--`), "B"), {
    code: "FieldItemTooLong",
  });
});
