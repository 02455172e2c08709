import t from "tap";
import { connectionNamed, HOP_BY_HOP, headerValue, headerValues } from "../../../src/core/headers.js";

const headers = ["Host", "h", "X-A", "1", "x-b", "", "x-A", "2"];

t.test("headers are found by name in any case", (t) => {
  t.equal(headerValue(headers, "x-a"), "1");
  t.equal(headerValue(headers, "x-b"), "");
  t.equal(headerValue(headers, "1"), undefined, "a value is no name");
  t.equal(headerValue([], "x-a"), undefined);
  t.same(headerValues(headers, "x-a"), ["1", "2"]);
  t.same(headerValues(headers, "x-c"), []);
  t.end();
});

t.test("Connection names what ends with the connection", (t) => {
  for (const value of ["keep-alive", "Close", "", ",", "close, Keep-Alive", " , "])
    t.equal(connectionNamed(value), null, value);
  t.same([...(connectionNamed("X-A, keep-alive ,upgrade,,x-a") ?? [])], ["x-a", "upgrade"]);
  t.end();
});

t.test("Connection cannot name what frames, addresses or signs a message", (t) => {
  const named = "host, Content-Length, content-type, Content-MD5, DATE, Authorization, x-oss-date, X-OSS-Meta-A";
  t.equal(connectionNamed(named), null);
  t.same([...(connectionNamed(`${named}, x-a`) ?? [])], ["x-a"]);
  t.end();
});

t.test("hop-by-hop names are lower case and hold no end-to-end header", (t) => {
  for (const name of HOP_BY_HOP) t.equal(name, name.toLowerCase());
  for (const name of ["authorization", "content-length", "host", "date", "range", "expect"])
    t.notOk(HOP_BY_HOP.has(name), name);
  t.end();
});
