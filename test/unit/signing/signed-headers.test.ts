import t from "tap";
import { compileRules, filterSignedRequest } from "../../../src/signing/signed-request.js";
import { ask, filter, METHODS, RULES, RULES_NAMES, type RulesName, verdict } from "./asked.js";
import { OSS_HEADERS } from "./known-names.js";

/** A request of each method that is allowed where uploads are, and of each operation that has headers of its own. */
const TARGETS = {
  GET: "",
  HEAD: "",
  PUT: "",
  POST: "uploads",
  DELETE: "",
} as const;

const UPLOAD = ["x-oss-forbid-overwrite", "x-oss-hash-crc64ecma", "x-oss-meta-author", "x-oss-meta-magic"];
const both = (names: readonly string[]): string[] => names.flatMap((name) => [`PUT ${name}`, `POST ${name}`]);

const ALLOWED: Readonly<Record<RulesName, readonly string[]>> = {
  plain: [],
  reads: [],
  put: both(UPLOAD),
  all: [...both([...UPLOAD, "x-oss-object-acl", "x-oss-tagging"]), "PUT x-oss-copy-source"],
};

t.test("the table of headers has no name twice, and all begin as OSS's do", async (t) => {
  t.equal(new Set(OSS_HEADERS).size, OSS_HEADERS.length);
  t.ok(OSS_HEADERS.every((name) => name.startsWith("x-oss-")));
  t.equal(OSS_HEADERS.length, 69);
});

for (const rules of RULES_NAMES) {
  t.test(`rules "${rules}": of all x-oss-* headers, with every method, these are allowed`, async (t) => {
    const allowed: string[] = [];
    const wronglyRefused: string[] = [];
    for (const name of OSS_HEADERS) {
      for (const method of METHODS) {
        for (const spelled of [name, name.toUpperCase()]) {
          const value = name === "x-oss-copy-source" ? "/examplebucket/other" : "v";
          const headers = ["Range", "bytes=0-1", spelled, value].slice(method === "GET" || method === "HEAD" ? 0 : 2);
          const filtered = filter({ method, rawQuery: TARGETS[method], headers }, rules);
          if (filtered.ok) {
            t.strictSame(filtered.headers, headers);
            if (spelled === name) allowed.push(`${method} ${name}`);
          } else if (!isRefusedFor(filtered.denial, method, rules, spelled)) {
            wronglyRefused.push(`${method} ${spelled}: ${filtered.denial.reason}`);
          }
        }
      }
    }
    t.strictSame([...allowed].sort(), [...ALLOWED[rules]].sort());
    t.strictSame(wronglyRefused, []);
  });
}

/** By its name; or, where the route takes no uploads, because the request is one. */
function isRefusedFor(
  denial: { readonly code: string; readonly reason: string },
  method: string,
  rules: RulesName,
  name: string,
): boolean {
  const isUpload = (method === "PUT" || method === "POST") && !RULES[rules].allowsPut;
  if (isUpload && denial.reason.includes("takes no uploads")) return true;
  return denial.code === "HEADER_NOT_ALLOWED" && denial.reason.toLowerCase().includes(name.toLowerCase());
}

const OF_READS = [
  ["Range", "bytes=0-9"],
  ["If-Match", '"a"'],
  ["If-None-Match", '"a"'],
  ["If-Modified-Since", "Wed, 01 Jan 2025 00:00:00 GMT"],
  ["If-Unmodified-Since", "Wed, 01 Jan 2025 00:00:00 GMT"],
  ["If-Range", '"a"'],
].flat();
const OF_ALL = [
  ["Accept", "*/*"],
  ["accept-encoding", "gzip"],
  ["ACCEPT-LANGUAGE", "en"],
  ["User-Agent", "u"],
  ["Referer", "https://r.example/"],
  ["Origin", "https://o.example"],
  ["Access-Control-Request-Method", "GET"],
  ["Access-Control-Request-Headers", "range"],
].flat();
const OF_DOCUMENTS = ["Content-Type", "text/plain", "Content-MD5", "1B2M2Y8AsgTpgAmY7PhCfg=="];
const OF_UPLOADS = [
  ["Content-Encoding", "gzip"],
  ["content-disposition", "attachment"],
  ["Content-Language", "de"],
  ["Cache-Control", "max-age=1"],
  ["Expires", "Wed, 01 Jan 2025 00:00:00 GMT"],
].flat();
const NEVER = [
  ["Host", "h"],
  ["Cookie", "a=b"],
  ["Date", "Wed, 01 Jan 2025 00:00:00 GMT"],
  ["Authorization", "Basic dTpw"],
  ["Content-Length", "0"],
  ["Transfer-Encoding", "chunked"],
  ["Expect", "100-continue"],
  ["TE", "trailers"],
  ["X-Forwarded-For", "10.0.0.1"],
  ["x_oss_object_acl", "public-read"],
  ["X-Anything", "1"],
].flat();

t.test("reads: conditions and ranges go to OSS in their order and case, what describes a body does not", async (t) => {
  const headers = [...NEVER, ...OF_ALL, ...OF_DOCUMENTS, ...OF_READS, ...OF_UPLOADS];
  for (const method of ["GET", "HEAD"]) {
    t.match(filter({ method, headers }), { ok: true, headers: [...OF_ALL, ...OF_READS] });
    const filtered = filter({ method, headers });
    t.strictSame(filtered.ok && filtered.headers, [...OF_ALL, ...OF_READS]);
  }
});

t.test("uploads: what describes the body goes to OSS", async (t) => {
  const headers = [...NEVER, ...OF_ALL, ...OF_DOCUMENTS, ...OF_UPLOADS];
  const wanted = [...OF_ALL, ...OF_DOCUMENTS, ...OF_UPLOADS];
  const uploads = ["PUT ", "PUT partNumber=1&uploadId=A", "POST uploads", "POST uploadId=A", "POST append&position=0"];
  for (const upload of uploads) {
    const [method = "", rawQuery = ""] = upload.split(" ");
    const filtered = filter({ method, rawQuery, headers }, "all");
    t.strictSame(filtered.ok && filtered.headers, wanted, upload);
  }
});

t.test("bodies that OSS interprets: type and digest go to OSS, what would be stored does not", async (t) => {
  const headers = [...OF_DOCUMENTS, ...OF_UPLOADS];
  for (const rawQuery of ["acl", "tagging"]) {
    const filtered = filter({ method: "PUT", rawQuery, headers }, "all");
    t.strictSame(filtered.ok && filtered.headers, OF_DOCUMENTS, rawQuery);
  }
  const deletion = filter({ method: "DELETE", headers }, "all");
  t.strictSame(deletion.ok && deletion.headers, []);
});

t.test("a condition or a range of a write, which OSS would not heed, is refused and not dropped", async (t) => {
  for (let i = 0; i < OF_READS.length; i += 2) {
    const headers = OF_READS.slice(i, i + 2);
    for (const [method, rawQuery] of [["PUT", ""] as const, ["POST", "uploads"] as const, ["DELETE", ""] as const]) {
      t.equal(verdict({ method, rawQuery, headers }, "all"), "HEADER_NOT_ALLOWED", `${method} ${headers[0]}`);
    }
  }
  for (const name of ["Content-Range", "x-amz-copy-source"]) {
    t.equal(verdict({ method: "PUT", headers: [name, "v"] }, "all"), "HEADER_NOT_ALLOWED", name);
    t.equal(verdict({ headers: [name, "v"] }, "all"), "ok", `${name} of a GET says nothing`);
  }
});

t.test("a header that a signature covers may be there only once, in any case", async (t) => {
  for (const name of ["Content-Type", "x-oss-meta-a", "x-oss-forbid-overwrite", "Content-Disposition"]) {
    const headers = [name, "a", name.toLowerCase(), "b"];
    t.equal(verdict({ method: "PUT", headers }, "all"), "HEADER_NOT_ALLOWED", name);
  }
  t.equal(verdict({ method: "PUT", headers: ["Accept", "a", "Accept", "b"] }, "all"), "ok");
});

t.test("what Connection names stays behind, except what OSS signs", async (t) => {
  const headers = ["Range", "bytes=0-1", "Accept", "*/*", "Connection", "keep-alive, range", "connection", "Accept"];
  const filtered = filter({ headers });
  t.strictSame(filtered.ok && filtered.headers, []);
  const upload = ["Connection", "x-oss-meta-a, content-type", "x-oss-meta-a", "1", "Content-Type", "t"];
  const kept = filter({ method: "PUT", headers: upload }, "put");
  t.strictSame(kept.ok && kept.headers, upload.slice(2));
  t.equal(verdict({ headers: ["Connection", "x-oss-process", "x-oss-process", "v"] }), "HEADER_NOT_ALLOWED");
});

const NEEDS: Readonly<Record<string, string>> = {
  "x-oss-object-acl": "PutObjectACL",
  "x-oss-tagging": "PutObjectTagging",
  "x-oss-copy-source": "CopyObject",
};

t.test("a header that does what an operation does needs that operation", async (t) => {
  for (const [name, operation] of Object.entries(NEEDS)) {
    const headers = [name, "/examplebucket/other"];
    const refused = filter({ method: "PUT", headers }, "put");
    t.match(refused, { ok: false, denial: { code: "HEADER_NOT_ALLOWED" } });
    t.ok(!refused.ok && refused.denial.reason.includes(name) && refused.denial.reason.includes(operation), name);
    t.equal(verdict({ method: "PUT", headers }, "all"), "ok", name);
  }
});

t.test("headers of an operation belong to it alone", async (t) => {
  const source = ["x-oss-copy-source", "/examplebucket/other"];
  const cases: readonly (readonly [query: string, headers: readonly string[], verdict: string])[] = [
    ["", [...source, "x-oss-copy-source-if-match", "a", "x-oss-metadata-directive", "REPLACE"], "ok"],
    ["", ["x-oss-copy-source-if-match", "a"], "HEADER_NOT_ALLOWED"],
    ["", ["x-oss-metadata-directive", "REPLACE"], "HEADER_NOT_ALLOWED"],
    ["", [...source, "x-oss-copy-source-range", "bytes=0-1"], "HEADER_NOT_ALLOWED"],
    ["partNumber=1&uploadId=A", [...source, "x-oss-copy-source-range", "bytes=0-1"], "ok"],
    ["partNumber=1&uploadId=A", [...source, "x-oss-meta-a", "1"], "HEADER_NOT_ALLOWED"],
    ["acl", ["x-oss-object-acl", "private"], "ok"],
    ["acl", [...source, "x-oss-object-acl", "private"], "HEADER_NOT_ALLOWED"],
    ["symlink", ["x-oss-symlink-target", "other", "x-oss-forbid-overwrite", "true"], "ok"],
    ["", ["x-oss-symlink-target", "other"], "HEADER_NOT_ALLOWED"],
    ["", ["x-oss-meta-a", "1", "x-oss-storage-class", "IA"], "HEADER_NOT_ALLOWED"],
  ];
  for (const [rawQuery, headers, expected] of cases) {
    t.equal(verdict({ method: "PUT", rawQuery, headers }, "all"), expected, `?${rawQuery} ${headers}`);
  }
});

t.test("a copy reads the same bucket alone, and no version unless versions may be read", async (t) => {
  const without = compileRules({ ...RULES.all, process: [], operations: new Set(["CopyObject"] as const) });
  const verdictOf = (source: string, rules = RULES.all): boolean =>
    filterSignedRequest(ask({ method: "PUT", headers: ["x-oss-copy-source", source] }), rules).ok;
  t.equal(verdictOf("/examplebucket/a%20b"), true);
  for (const source of ["/other/a", "/examplebucket", "examplebucket/a", "/examplebucketx/a", "", "%2Fother%2Fa"]) {
    t.equal(verdictOf(source), false, source);
  }
  t.equal(verdictOf("/examplebucket/a?versionId=A1"), true);
  t.equal(verdictOf("/examplebucket/a?versionId=A1", without), false);
  const { bucket: _, ...unknown } = ask({ method: "PUT", headers: ["x-oss-copy-source", "/examplebucket/a"] });
  t.equal(filterSignedRequest(unknown, RULES.all).ok, false, "without the bucket's name nothing is copied");
});

const V1_URL = "OSSAccessKeyId=a&Expires=1&Signature=s&security-token=t";
const V4_URL =
  "x-oss-signature-version=OSS4-HMAC-SHA256&x-oss-credential=c&x-oss-date=d&x-oss-expires=1&x-oss-additional-headers=host&x-oss-security-token=t&x-oss-signature=s";
const V2_URL = "x-oss-signature-version=OSS2&x-oss-expires=1&x-oss-access-key-id=a&x-oss-signature=s";
const SIGNED_HEADERS = [
  ["Authorization", "OSS4-HMAC-SHA256 Credential=c,Signature=s"],
  ["Date", "Wed, 01 Jan 2025 00:00:00 GMT"],
  ["x-oss-date", "20250101T000000Z"],
  ["X-Oss-Content-Sha256", "UNSIGNED-PAYLOAD"],
  ["x-oss-security-token", "t"],
].flat();

t.test("a verified signature is taken off, parameters and headers, and the rest is judged as ever", async (t) => {
  for (const url of [V1_URL, V4_URL, V2_URL]) {
    const carriesVerifiedSignature = true;
    const rawQuery = `${url}&x-oss-process=style/thumb`;
    const filtered = filter({ rawQuery, headers: ["Accept", "a"], carriesVerifiedSignature }, "reads");
    t.strictSame(filtered.ok && filtered.query, [["x-oss-process", "style/thumb"]], url);
    t.equal(verdict({ rawQuery: `${url}&acl`, carriesVerifiedSignature }), "PARAMETER_NOT_ALLOWED");
    t.equal(verdict({ method: "DELETE", rawQuery: `${url}&x=1`, carriesVerifiedSignature }), "PARAMETER_NOT_ALLOWED");
  }
  const filtered = filter({ headers: [...SIGNED_HEADERS, "Range", "bytes=0-1"], carriesVerifiedSignature: true });
  t.strictSame(filtered.ok && filtered.headers, ["Range", "bytes=0-1"]);
  const more = ["x-oss-request-payer", "requester"];
  t.equal(verdict({ headers: [...SIGNED_HEADERS, ...more], carriesVerifiedSignature: true }), "HEADER_NOT_ALLOWED");
});

t.test("a signature that nobody verified is refused, each of its parts", async (t) => {
  for (const part of [V1_URL, V4_URL, V2_URL].join("&").split("&")) {
    for (const method of METHODS) {
      t.equal(verdict({ method, rawQuery: part }, "all"), "PARAMETER_NOT_ALLOWED", `${method} ${part}`);
    }
  }
  for (let i = 0; i < SIGNED_HEADERS.length; i += 2) {
    const [name, value] = SIGNED_HEADERS.slice(i, i + 2) as [string, string];
    t.equal(verdict({ headers: [name, value] }), name === "Date" ? "ok" : "HEADER_NOT_ALLOWED", name);
  }
  for (const scheme of ["OSS a:b", "oss a:b", "OSS2 x", "AWS a:b", "AWS4-HMAC-SHA256 Credential=c"]) {
    t.equal(verdict({ headers: ["authorization", scheme] }), "HEADER_NOT_ALLOWED", scheme);
  }
  for (const scheme of ["Basic a", "Bearer OSS", ""]) t.equal(verdict({ headers: ["authorization", scheme] }), "ok");
});

t.test("the refusal of an x-oss-* header says which there may be", async (t) => {
  const said = (method: string) => {
    const filtered = filter({ method, headers: ["x-oss-new", "1"] }, "all");
    return filtered.ok ? "signed" : filtered.denial.reason;
  };
  t.match(said("GET"), /^The gateway signs no GetObject with the header "x-oss-new"; of x-oss-\* it takes none\.$/);
  t.match(said("PUT"), /"x-oss-new"; of x-oss-\* it takes x-oss-meta-\*, .*x-oss-tagging\.$/);
  const needed = filter({ method: "PUT", headers: ["x-oss-tagging", "a=b"] }, "put");
  t.match(
    needed.ok ? "signed" : needed.denial.reason,
    /PutObjectTagging, which this route does not allow \(operations\)/,
  );
});
