import t from "tap";
import { OPERATIONS } from "../../../src/core/operations.js";
import type { AskedRequest } from "../../../src/signing/signed-request.js";
import { compileRules, filterSignedRequest } from "../../../src/signing/signed-request.js";
import { ask, filter, parseAsked } from "./asked.js";

const EVERYTHING = {
  allowsPut: true,
  operations: new Set(OPERATIONS),
  process: ["style/thumb"],
  responseOverrides: new Set(["response-content-type"]),
  keyPrefix: "",
};
const LIMITED = compileRules({ ...EVERYTHING, trafficLimitBitsPerSecond: 8_388_608 });

function limited(line: string, more: Partial<AskedRequest> = {}) {
  return filterSignedRequest(ask({ ...parseAsked(line), ...more }), LIMITED);
}

/** The value that is sent; `null` for none; the code of a refusal. */
function sent(line: string, more: Partial<AskedRequest> = {}): string | null {
  const filtered = limited(line, more);
  return filtered.ok ? filtered.trafficLimit : filtered.denial.code;
}

t.test("the route's limit goes with what moves an object's bytes, and with nothing else", async (t) => {
  for (const line of [
    "GET k",
    "GET k?utm_source=x",
    "GET k?x-oss-process=style/thumb",
    "GET k?response-content-type=text/plain",
    "GET k?versionId=v1",
    "PUT k",
    "PUT k?partNumber=1&uploadId=u",
    "POST k?append&position=0",
  ]) {
    t.equal(sent(line), "8388608", line);
  }
  for (const line of [
    "HEAD k",
    "HEAD k?versionId=v1",
    "GET k?acl",
    "GET k?objectMeta",
    "GET k?uploadId=u",
    "GET ?list-type=2",
    "PUT k?acl",
    "PUT k?tagging",
    "POST k?uploads",
    "POST k?uploadId=u",
    "POST ?delete",
    "DELETE k",
    "DELETE k?uploadId=u",
  ]) {
    t.equal(sent(line), null, line);
  }
  const copied = { headers: ["x-oss-copy-source", "/examplebucket/other"] };
  t.equal(sent("PUT k", copied), null, "OSS copies inside itself");
});

t.test("a route without a limit sends none", async (t) => {
  for (const method of ["GET", "PUT"]) {
    const filtered = filter({ method }, "all");
    t.equal(filtered.ok && filtered.trafficLimit, null);
  }
});

t.test("a client's own limit gives way to the route's, wherever it stands", async (t) => {
  for (const line of ["GET k", "HEAD k", "PUT k", "PUT k?partNumber=1&uploadId=u", "POST k?append&position=0"]) {
    const plain = limited(line);
    const inHeader = limited(line, { headers: ["X-Oss-Traffic-Limit", "838860800"] });
    t.same(inHeader, plain, `${line}, header`);
    const mark = line.includes("?") ? "&" : "?";
    t.same(limited(`${line}${mark}x-oss-traffic-limit=838860800`), plain, `${line}, parameter`);
  }
});

t.test("what only looks like the limit is refused as before, and so is one that is there twice", async (t) => {
  for (const query of [
    "X-Oss-Traffic-Limit=1",
    "x-oss-traffic-limits=1",
    "x-oss-traffic-limit=1&x-oss-traffic-limit=2",
    "x-oss-traffic-limit=1&acl&uploads",
  ]) {
    t.equal(sent(`GET k?${query}`), "PARAMETER_NOT_ALLOWED", query);
  }
  t.equal(sent("GET k", { headers: ["x-oss-traffic-limits", "1"] }), "HEADER_NOT_ALLOWED");
});

t.test("where the gateway sets no limit, a client's own is refused and not dropped", async (t) => {
  t.equal(sent("DELETE k?x-oss-traffic-limit=819200"), "PARAMETER_NOT_ALLOWED");
  t.equal(sent("DELETE k", { headers: ["x-oss-traffic-limit", "819200"] }), "HEADER_NOT_ALLOWED");
  for (const asked of [{ rawQuery: "x-oss-traffic-limit=819200" }, { headers: ["x-oss-traffic-limit", "819200"] }]) {
    const filtered = filter(asked, "all");
    t.equal(filtered.ok, false, JSON.stringify(asked));
  }
});
