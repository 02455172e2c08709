import fc from "fast-check";
import t from "tap";
import { refuse, renderErrorXml } from "../../../src/emulator/errors.js";
import { childOf, container, element, parseXml, xmlDocument } from "../../../src/emulator/xml.js";

t.test("an error document has OSS's elements in OSS's order", async (t) => {
  const refusal = refuse("NoSuchKey", { extra: [["Key", "a&b<c>"]] });
  t.equal(
    renderErrorXml(refusal, "0A", "b.oss-cn-hangzhou.aliyuncs.com"),
    '<?xml version="1.0" encoding="UTF-8"?>\n' +
      "<Error><Code>NoSuchKey</Code><Message>The specified key does not exist.</Message><RequestId>0A</RequestId>" +
      "<HostId>b.oss-cn-hangzhou.aliyuncs.com</HostId><Key>a&amp;b&lt;c&gt;</Key><EC>0026-00000001</EC>" +
      "<RecommendDoc>https://api.aliyun.com/troubleshoot?q=0026-00000001</RecommendDoc></Error>",
  );
});

t.test("an error without a known EC has neither EC nor RecommendDoc", async (t) => {
  t.notMatch(renderErrorXml(refuse("MalformedXML", { ec: null }), "0A", "h"), /<EC>|RecommendDoc/);
});

t.test("any text that XML can carry comes back from an element", async (t) => {
  const text = fc
    .string({ unit: "binary" })
    .filter((value) => Buffer.from(value).toString() === value && !value.includes("\r"));
  fc.assert(fc.property(text, (value) => parseXml(xmlDocument("A", element("B", value)))?.children[0]?.text === value));
  t.pass("for all texts");
});

t.test("a document with comments, attributes, CDATA and empty elements is understood", async (t) => {
  const root = parseXml('<?xml version="1.0"?>\n<!-- c --><A x="1"><B/><C><![CDATA[<&>]]></C>&#x4e2d;&#20013;</A>\n');
  t.equal(root?.name, "A");
  t.equal(root?.text, "中中");
  t.same(
    root?.children.map(({ name, text }) => [name, text]),
    [
      ["B", ""],
      ["C", "<&>"],
    ],
  );
});

for (const bad of ["", "text", "<A>", "<A></B>", "</A>", "<A/><B/>", "<A>&bogus;</A>", "<A>&</A>", "<A", "<A/>x"]) {
  t.test(`"${bad}" is not well-formed`, async (t) => {
    t.equal(parseXml(bad), null);
  });
}

t.test("a child is found by its name", async (t) => {
  const root = parseXml(container("A", element("B", 1), element("C", true)));
  t.equal(root === null ? null : childOf(root, "C")?.text, "true");
  t.equal(root === null ? null : childOf(root, "D"), undefined);
});
