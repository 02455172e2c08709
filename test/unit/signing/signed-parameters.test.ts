import t from "tap";
import { filter, METHODS, parseAsked, RULES_NAMES, type RulesName, verdict } from "./asked.js";
import { PARAMETERS, SAMPLE_VALUES, V1_SIGNED } from "./known-names.js";

const overrides = V1_SIGNED.filter((name) => name.startsWith("response-"));
const each = (methods: string, target: string): string[] => methods.split(",").map((method) => `${method} ${target}`);
const reads = [...each("GET,HEAD", "k?x-oss-process"), ...overrides.flatMap((name) => each("GET,HEAD", `k?${name}`))];
const multipart = ["POST k?uploads", "POST k?uploadId", "DELETE k?uploadId", "GET k?uploadId"];
const lists = "prefix marker max-keys delimiter encoding-type uploads versions list-type".split(" ");
const named = [
  ..."acl symlink tagging".split(" ").flatMap((name) => each("GET,PUT", `k?${name}`)),
  ...each("GET,HEAD", "k?objectMeta"),
  ...each("GET,HEAD,DELETE", "k?versionId"),
  "DELETE k?tagging",
  "POST k?restore",
  ..."bucketInfo location stat".split(" ").map((name) => `GET ?${name}`),
  ...lists.map((name) => `GET ?${name}`),
  "POST ?delete",
];

/** What one parameter alone can ask for; everything else is refused, by name. */
const ALLOWED: Readonly<Record<RulesName, readonly string[]>> = {
  plain: [],
  reads,
  put: multipart,
  all: [...reads, ...multipart, ...named],
};

const withValue = (name: string): string => {
  const value = SAMPLE_VALUES.get(name);
  return value === undefined ? name : `${name}=${encodeURIComponent(value)}`;
};

t.test("the table of parameters has no name twice, and is not short of any section", async (t) => {
  t.equal(new Set(PARAMETERS).size, PARAMETERS.length);
  t.equal(V1_SIGNED.length, 91);
  t.equal(PARAMETERS.length, 138);
});

for (const rules of RULES_NAMES) {
  t.test(
    `rules "${rules}": of all parameters, alone, with every method, on object and bucket, these are allowed`,
    async (t) => {
      const allowed: string[] = [];
      const wronglyRefused: string[] = [];
      for (const name of PARAMETERS) {
        for (const method of METHODS) {
          for (const key of ["k", ""]) {
            const filtered = filter({ method, key, rawQuery: withValue(name) }, rules);
            if (filtered.ok) allowed.push(`${method} ${key}?${name}`);
            else if (
              filtered.denial.code !== "PARAMETER_NOT_ALLOWED" ||
              !filtered.denial.reason.includes(`"${name}"`)
            ) {
              wronglyRefused.push(`${method} ${key}?${name}: ${filtered.denial.code} ${filtered.denial.reason}`);
            }
          }
        }
      }
      t.strictSame([...allowed].sort(), [...ALLOWED[rules]].sort());
      t.strictSame(wronglyRefused, []);
    },
  );
}

t.test("what OSS does not know is dropped on GET and HEAD, and refused by name on all other methods", async (t) => {
  for (const name of ["utm_source", "", "ACL", "uploadid", "foo bar", "%zz", "acl%00", "%20acl"]) {
    const rawQuery = `${name}=1&${name}=2`;
    for (const method of ["GET", "HEAD"]) t.match(filter({ method, rawQuery }), { ok: true, query: [] }, name);
    for (const method of ["PUT", "POST", "DELETE"]) {
      t.match(filter({ method, rawQuery }, "all"), { ok: false, denial: { code: "PARAMETER_NOT_ALLOWED" } }, name);
    }
  }
});

t.test("names that begin as OSS's do are OSS's in any case, listed or not", async (t) => {
  for (const name of ["x-oss-new", "X-OSS-Process", "response-new", "Response-Content-Type", "X-Amz-Date"]) {
    for (const method of METHODS) t.equal(verdict({ method, rawQuery: name }, "all"), "PARAMETER_NOT_ALLOWED", name);
  }
});

t.test("a name is found however it is written", async (t) => {
  for (const name of ["%61cl", "ac%6C", "upload%49d"]) {
    t.equal(verdict({ rawQuery: name }), "PARAMETER_NOT_ALLOWED", name);
  }
});

const OPERATIONS: Readonly<Record<string, string>> = {
  "PUT k?partNumber=10000&uploadId=A1": "ok",
  "PUT k?uploadId=A1&partNumber=1": "ok",
  "PUT k?partNumber=0&uploadId=A1": "the number of a part is 1 to 10000",
  "PUT k?partNumber=10001&uploadId=A1": "the number of a part is 1 to 10000",
  "PUT k?partNumber=01&uploadId=A1": "OSS might read 01 as another number",
  "PUT k?uploadId=A1": "a part without a number would replace the object",
  "PUT k?partNumber=1": "a part without an upload would replace the object",
  "PUT k?partNumber=1&uploadId=": "an upload without a name would replace the object",
  "POST k?uploads": "ok",
  "POST k?uploads=": "ok",
  "POST k?uploads=1": "OSS's flags have no value",
  "POST k?uploads&encoding-type=url": "ok",
  "POST k?uploads&encoding-type=base64": "OSS knows no other encoding",
  "POST k?uploads&uploadId=A1": "two operations",
  "POST k?uploadId=A1": "ok",
  "POST k?uploadId=A1&partNumber=1": "no such operation",
  "POST k?append&position=0": "ok",
  "POST k?append": "AppendObject needs its position",
  "POST k?position=0": "AppendObject needs its flag",
  "POST k?append&position=x": "a position is a number",
  "GET k?uploadId=A1&max-parts=10&part-number-marker=3&encoding-type=url": "ok",
  "GET k?uploadId=A1&prefix=a": "ListParts has no prefix",
  "GET k?uploads": "a list of uploads is the bucket's",
  "GET k?partNumber=1": "OSS has no parts to read",
  "HEAD k?uploadId=A1": "no such operation",
  "DELETE k?uploadId=A1": "ok",
  "DELETE k?uploadId": "without its value it would delete the object",
  "DELETE k?uploadId=": "without its value it would delete the object",
  "DELETE k?uploadId=a%20b": "what is no id might be taken for none",
  "DELETE k?uploadId=A1%00": "what is no id might be taken for none",
  "DELETE k?uploadId=A1&utm_source=1": "a DELETE drops nothing",
  "DELETE k?uploadId=A1&tagging": "two operations",
  "DELETE k?UploadId=A1": "another name, which OSS would not heed",
  "DELETE k?versionId=": "without its value it would delete the object",
  "DELETE k?acl": "no such operation",
  "DELETE ?cors": "the bucket's",
  "GET k?acl&versionId=A1": "two operations",
  "GET k?versionId=A1&response-content-type=text/plain": "ok",
  "GET k?acl&response-content-type=text/plain": "an ACL has no such answer",
  "GET k?tagging=1": "OSS's flags have no value",
  "GET ?prefix=a&marker=b&max-keys=10&delimiter=/&encoding-type=url": "ok",
  "GET ?prefix=a&prefix=b": "OSS might take either",
  "GET ?list-type=2&prefix=a&start-after=b&continuation-token=c&fetch-owner=true&max-keys=1": "ok",
  "GET ?list-type=1": "OSS has two lists",
  "GET ?list-type=2&marker=b": "of the other list",
  "GET ?continuation-token=c": "of the other list",
  "GET ?uploads&prefix=a&key-marker=b&upload-id-marker=c&max-uploads=1&delimiter=/&encoding-type=url": "ok",
  "GET ?versions&prefix=a&key-marker=b&version-id-marker=c&max-keys=1": "ok",
  "GET ?versions&uploads": "two operations",
  "GET ?acl": "the bucket's ACL",
  "POST ?delete&encoding-type=url": "ok",
  "POST ?delete&uploads": "two operations",
};

for (const [line, expected] of Object.entries(OPERATIONS)) {
  t.test(`${line}: ${expected}`, async (t) => {
    const wanted = expected === "ok" ? "ok" : "PARAMETER_NOT_ALLOWED";
    t.equal(verdict(parseAsked(line), "all"), wanted);
  });
}

t.test("what is no operation at all is refused as such", async (t) => {
  const lines = ["GET ", "HEAD ", "PUT ", "POST ", "DELETE ", "POST k", "OPTIONS k", "PATCH k", "TRACE k", "get k"];
  for (const line of lines) t.equal(verdict(parseAsked(line), "put"), "OPERATION_NOT_ALLOWED", line);
  t.equal(verdict({ method: "PUT" }), "OPERATION_NOT_ALLOWED", "an upload where the route takes none");
  t.equal(verdict({ method: "DELETE" }), "ok", "the route's methods had their say before");
});

t.test("only allowed styles of x-oss-process are signed, and nothing can be chained to one", async (t) => {
  const values: Readonly<Record<string, boolean>> = {
    "image/resize,w_100": true,
    "image/resize,": true,
    "image/resize": false,
    "image/resize,w_100/watermark,text_x": false,
    "image/resize,w 100": false,
    "image/resize,w_100|sys/saveas,o_aaaa": false,
    "style/thumb": true,
    "style/thumb2": false,
    "STYLE/thumb": false,
    "": false,
  };
  for (const [value, isAllowed] of Object.entries(values)) {
    const filtered = filter({ rawQuery: `x-oss-process=${encodeURIComponent(value)}` }, "reads");
    t.equal(filtered.ok, isAllowed, value);
    if (filtered.ok) t.strictSame(filtered.query, [["x-oss-process", value]]);
  }
  t.equal(
    verdict({ rawQuery: "x-oss-process=style/thumb&x-oss-process=style/thumb" }, "reads"),
    "PARAMETER_NOT_ALLOWED",
  );
  t.equal(verdict({ rawQuery: "x-oss-process=style/thumb" }), "PARAMETER_NOT_ALLOWED", "the route has no list");
});

t.test("a value that OSS would read otherwise than it was written is refused", async (t) => {
  const name = "response-content-disposition";
  t.strictSame(filter({ rawQuery: `${name}=a%E5%9B%BE+b` }, "reads").ok, true);
  for (const value of ["%C4%E3", "a%0d%0ab", "%", "%00"]) {
    t.equal(verdict({ rawQuery: `${name}=${value}` }, "reads"), "PARAMETER_NOT_ALLOWED", value);
  }
  t.equal(verdict({ rawQuery: `utm=%C4&${name}=a` }, "reads"), "ok", "what is dropped may be anything");
});

t.test("what is sent is decoded once, in the client's order, and has no trace of what was dropped", async (t) => {
  const rawQuery = "utm=1&response-content-type=text%2Fplain%3B%20a%3D%2525&x-oss-process=style%2Fthumb&&b";
  const filtered = filter({ rawQuery }, "reads");
  t.match(filtered, { ok: true, key: "k", operation: null });
  t.strictSame(filtered.ok && filtered.query, [
    ["response-content-type", "text/plain; a=%25"],
    ["x-oss-process", "style/thumb"],
  ]);
});

t.test("a refusal shows a client's name cut and quoted", async (t) => {
  const filtered = filter({ method: "DELETE", rawQuery: `x-oss-%0a${"a".repeat(5_000)}` });
  t.notOk(filtered.ok);
  if (!filtered.ok) {
    t.ok(filtered.denial.reason.length < 300);
    t.notMatch(filtered.denial.reason, "\n");
  }
});

const SAID: readonly (readonly [line: string, rules: RulesName, words: RegExp])[] = [
  ["GET ?cors", "plain", /^The gateway signs no request of this method with the parameter "cors"\.$/],
  ["GET ?cors", "all", /^The gateway signs no request of this method with the parameter "cors"\.$/],
  ["GET ?prefix=a&cors", "plain", /"cors"/],
  ["PUT k?acl&cors", "plain", /"cors"/],
  ["PUT k?uploadId=A1", "all", /^The gateway signs no PutObject with the parameter "uploadId"\.$/],
  ["GET k?response-new=1", "all", /^The gateway signs no request of this method with the parameter "response-new"\.$/],
  ["GET ?prefix=a", "plain", /"prefix" asks for ListObjects, which this route does not allow \(operations\)\.$/],
  ["GET k?versionId=A1&response-expires=1", "plain", /"versionId" asks for GetObjectVersion, .*\(operations\)\.$/],
  [
    "POST k?uploads",
    "plain",
    /"uploads" asks for InitiateMultipartUpload, and this route takes no uploads \(methods\)\.$/,
  ],
  [
    "GET k?response-expires=1",
    "plain",
    /^This route does not allow .*"response-expires" \(sign\.responseOverrides\)\.$/,
  ],
  [
    "GET k?x-oss-process=style/b",
    "reads",
    /^This route does not allow this value .*"x-oss-process" \(sign\.process\)\.$/,
  ],
];

for (const [line, rules, words] of SAID) {
  t.test(`rules "${rules}", ${line}: the refusal says what would have to be otherwise`, async (t) => {
    const filtered = filter(parseAsked(line), rules);
    t.match(filtered.ok ? "signed" : filtered.denial.reason, words);
  });
}
