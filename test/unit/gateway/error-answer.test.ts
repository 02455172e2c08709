import t from "tap";
import { ERROR_CODES, ERRORS } from "../../../src/core/errors.js";
import { errorHeaders, errorXml } from "../../../src/gateway/error-document.js";
import { xmlText } from "../../support/raw-client.js";

const answer = { code: "NO_ROUTE", message: "What to do.", requestId: "0".repeat(24), hostId: "g.test" } as const;

t.test("every code has a document with OSS's four elements", (t) => {
  for (const code of ERROR_CODES) {
    const xml = errorXml({ ...answer, code });
    t.equal(xmlText(xml, "Code"), ERRORS[code].ossCode);
    t.equal(xmlText(xml, "Message"), answer.message);
    t.equal(xmlText(xml, "RequestId"), answer.requestId);
    t.equal(xmlText(xml, "HostId"), answer.hostId);
  }
  t.end();
});

t.test("text cannot become markup or a header of its own", (t) => {
  const evil = 'a</Message><Code>x</Code>&lt;"\r\nSet-Cookie: a=b\0\x01\xe9';
  const xml = errorXml({ ...answer, message: evil, hostId: evil });
  t.equal(xml.match(/<Code>/g)?.length, 1);
  t.match(xmlText(xml, "HostId"), /^a&lt;\/Message&gt;&lt;Code&gt;x&lt;\/Code&gt;&amp;lt;"/);
  t.notOk([...xml].some((character) => character < " " && !"\r\n".includes(character)));
  for (const value of errorHeaders({ ...answer, message: evil })) t.notMatch(value, /[^\x20-\x7e]/);
  t.end();
});
