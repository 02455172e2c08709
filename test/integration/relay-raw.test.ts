import t from "tap";
import { startGateway } from "../support/gateway.js";
import { answerTo, head, RawConnection, valuesOf, xmlText } from "../support/raw-client.js";
import { BUCKET, DOMAIN, OSS_HOST, relay, startRelay } from "../support/relay-world.js";
import { startStrictOrigin } from "../support/strict-origin.js";

const METHODS = ["GET", "PUT", "POST"] as const;
const world = await startRelay(
  t,
  `
  - { name: plain, match: { hosts: [${DOMAIN}] }, bucket: one, methods: [GET, HEAD, PUT, POST, DELETE] }
  - { name: style, match: { hosts: [127.0.0.1] }, buckets: [one], methods: [GET, HEAD, PUT, POST, DELETE] }
`,
);

const SMILE = "%F0%9F%98%80";
const TARGETS: readonly string[] = [
  "/k",
  "/",
  "//k",
  "/k//",
  "///",
  "/a%2Fb%2fc",
  "/a+b",
  "/a%2Bb",
  "/a%20b",
  "/a%25b%2525",
  "/%E4%B8%AD%e6%96%87%20%E5%9B%BE.jpg",
  `/${SMILE}/%f0%9f%98%80`,
  "/a/./b/../c",
  "/../../k",
  "/a%3Fb%23c",
  "/k?",
  "/k??",
  "/k?a&&b",
  "/k?&",
  "/k?acl",
  "/k?a=",
  "/k?=a",
  "/k?a=b=c&a=%zz&a=+%20%2B",
  "/k?x-oss-process=image/resize,w_100",
  "/k?%E4%B8%AD=%E6%96%87",
  "/k?a=/../b//c",
  "/k?http://x/y",
  "/~!*'();:@&=$,-_.",
  '/"<>\\^`{|}[]',
  "/%7E%2a",
  "/k?q='()*!~[]{}|\\^`\"<>",
  `/${"long/".repeat(2_000)}k`,
  `/k?${"a=%2F&".repeat(2_000)}`,
];

for (const method of METHODS) {
  t.test(`a ${method}'s target arrives byte for byte`, async (t) => {
    const body = method === "GET" ? {} : { body: "hi" };
    for (const target of TARGETS) {
      const plain = await relay(world, { method, host: DOMAIN, target, ...body });
      t.equal(plain.capture?.rawTarget, target, target.slice(0, 60));
      t.equal(plain.capture?.method, method);
      const style = await relay(world, { method, host: "127.0.0.1", target: `/${BUCKET}${target}`, ...body });
      t.equal(style.capture?.rawTarget, target, `path style ${target.slice(0, 60)}`);
    }
  });
}

t.test("a key of any kind that was put is the key that is got", async (t) => {
  for (const path of ["/a%2Fb+c%25%20d", `/%E4%B8%AD/${SMILE}`, "/a/./b/../c", "/a%3Fb%23c", "/a//b"]) {
    const body = `body of ${path}`;
    t.equal((await relay(world, { method: "PUT", host: DOMAIN, target: path, body })).answer.status, 200);
    t.equal((await relay(world, { host: DOMAIN, target: path })).answer.body.toString(), body);
    t.equal(world.emulator.readObject(BUCKET, decodeURIComponent(path.slice(1))).toString(), body);
  }
});

t.test("raw non-ASCII, a raw # and a malformed % are 400 with the reason", async (t) => {
  const table: readonly (readonly [target: string, message: RegExp])[] = [
    ["/\xe4\xb8\xad", /[Pp]ercent-encode/],
    ["/k?\xe4\xb8\xad", /[Pp]ercent-encode/],
    ["/a#b", /%23/],
    ["/a%", /%25/],
    ["/a%2", /%25/],
    ["/a%zz", /%25/],
  ];
  for (const [target, message] of table) {
    world.emulator.clearCaptures();
    const answer = await answerTo(world.gateway.port, head("GET", target, ["Host", DOMAIN]));
    t.same([answer.status, xmlText(answer.body, "Code")], [400, "InvalidURI"], JSON.stringify(target));
    t.match(xmlText(answer.body, "Message"), message);
    t.same(world.emulator.captures, []);
  }
});

const origin = await startStrictOrigin(t);
const headers = await startGateway(
  t,
  `
listeners: [{ name: web, address: "127.0.0.1:0" }]
admin: { address: "127.0.0.1:0" }
buckets: { one: { bucket: ${BUCKET}, region: cn-beijing, endpoint: "http://127.0.0.1:${origin.port}" } }
routes:
  - name: plain
    match: { hosts: [g.test] }
    bucket: one
    methods: [GET, HEAD, PUT, POST, DELETE]
    requestHeaders: { remove: [cookie] }
`,
);

const SENT: readonly (readonly [name: string, value: string])[] = [
  ["aCCept-Encoding", "gzip;q=0.5, identity"],
  ["content-type", "image/x-Odd; Charset=UTF-8"],
  ["Content-MD5", "eB5eJF1ptWaXm4bijSPyxw=="],
  ["Date", "Sun, 22 Nov 2026 12:00:00 GMT"],
  ["X-OSS-Meta-Name", "cafe"],
  ["x-oss-date", "20261122T120000Z"],
  ["x-oss-meta-empty", ""],
  ["Authorization", "OSS test-ak:sig="],
  ["Range", "bytes=0-1"],
  ["If-None-Match", '"abc"'],
  ["Cache-Control", "no-cache"],
  ["Origin", "https://www.example.com"],
  ["Referer", "https://www.example.com/a?b"],
  ["Via", "1.1 before"],
  ["X-Forwarded-For", "203.0.113.9"],
  ["x-b", "2"],
  ["content-encoding", "identity"],
];

const flatPairs = (pairs: readonly (readonly string[])[]): string[] => pairs.flat();

/** Without what belongs to the gateway's own connection and framing. */
function ofClient(rawHeaders: readonly string[]): string[] {
  const own = new Set(["host", "connection", "content-length", "transfer-encoding"]);
  return rawHeaders.filter((_, i) => !own.has((rawHeaders[i - (i % 2)] as string).toLowerCase()));
}

for (const method of METHODS) {
  const body = method === "GET" ? "" : "hi";
  const length = method === "GET" ? [] : ["Content-Length", "2"];

  t.test(`a ${method}'s headers arrive in their order, case and bytes, and none is added`, async (t) => {
    origin.clear();
    const bytes = head(method, "/k", ["Host", "g.test", ...flatPairs(SENT), ...length]) + body;
    t.equal((await answerTo(headers.port, bytes)).status, 200);
    const { rawHeaders = [] } = origin.requests[0] ?? {};
    t.same(ofClient(rawHeaders), flatPairs(SENT));
    t.same(valuesOf(rawHeaders, "host"), [OSS_HOST]);
    t.same(origin.violations, []);
  });

  t.test(`a ${method} without any headers gets none`, async (t) => {
    origin.clear();
    t.equal((await answerTo(headers.port, head(method, "/k", ["Host", "g.test", ...length]) + body)).status, 200);
    t.same(ofClient(origin.requests[0]?.rawHeaders ?? []), []);
  });

  t.test(`a ${method}'s repeated headers stay apart`, async (t) => {
    origin.clear();
    const repeated = [
      "X-A",
      "1",
      "x-oss-meta-a",
      "1",
      "X-A",
      "2",
      "x-a",
      "3",
      "x-oss-meta-a",
      "2",
      "If-Match",
      "a",
      "If-Match",
      "b",
    ];
    const bytes = head(method, "/k", ["Host", "g.test", ...repeated, ...length]) + body;
    t.equal((await answerTo(headers.port, bytes)).status, 200);
    const { rawHeaders = [] } = origin.requests[0] ?? {};
    t.same(valuesOf(rawHeaders, "x-a"), ["1", "2", "3"]);
    t.same(valuesOf(rawHeaders, "x-oss-meta-a"), ["1", "2"]);
    t.same(valuesOf(rawHeaders, "if-match"), ["a", "b"]);
  });

  t.test(`a ${method}'s hop-by-hop headers, and those that Connection names, end at the gateway`, async (t) => {
    origin.clear();
    const hop = [
      ...[
        "Connection",
        "keep-alive, X-Named",
        "CONNECTION",
        "x-also",
        "Keep-Alive",
        "timeout=5",
        "Proxy-Connection",
        "keep-alive",
      ],
      ...[
        "Proxy-Authorization",
        "Basic eDp5",
        "TE",
        "trailers",
        "Trailer",
        "X-T",
        "X-Named",
        "1",
        "X-Also",
        "2",
        "X-Stays",
        "3",
      ],
      ...["Cookie", "a=b"],
    ];
    const bytes = head(method, "/k", ["Host", "g.test", ...hop, ...length]) + body;
    t.equal((await answerTo(headers.port, bytes)).status, 200);
    t.same(ofClient(origin.requests[0]?.rawHeaders ?? []), ["X-Stays", "3"]);
  });

  t.test(`headers of an answer to a ${method} come in their order, case and bytes`, async (t) => {
    const answered = [
      ...[
        "Server",
        "AliyunOSS",
        "Date",
        "Sun, 22 Nov 2026 12:00:00 GMT",
        "Content-Type",
        "image/x-Odd",
        "Content-Length",
        "3",
      ],
      ...[
        "ETag",
        '"5D41402ABC4B2A76B9719D911017C592"',
        "x-oss-request-id",
        "0123456789ABCDEF01234567",
        "X-OSS-Meta-A",
        "caf\xe9",
      ],
      ...[
        "x-oss-meta-empty",
        "",
        "x-oss-hash-crc64ecma",
        "9223372036854775807",
        "Vary",
        "Origin",
        "vary",
        "Accept-Encoding",
      ],
      ...[
        "Set-Cookie",
        "a=1",
        "Set-Cookie",
        "b=2",
        "Content-Encoding",
        "gzip",
        "x-oss-server-time",
        "3",
        "Via",
        "1.1 oss",
      ],
    ];
    const hop = [
      "Connection",
      "keep-alive, X-Named",
      "Keep-Alive",
      "timeout=60",
      "X-Named",
      "1",
      "Proxy-Authenticate",
      "Basic",
    ];
    const text = [...answered, ...hop].map((part, i) => (i % 2 === 0 ? `${part}: ` : `${part}\r\n`)).join("");
    origin.clear();
    origin.reply(() => `HTTP/1.1 200 Fine Indeed\r\n${text}\r\n\xff\x00\x1f`);
    const answer = await answerTo(headers.port, head(method, "/k", ["Host", "g.test", ...length]) + body);
    t.equal(answer.reason, "Fine Indeed");
    t.same(answer.rawHeaders.slice(0, answered.length), answered);
    const added = answer.rawHeaders.slice(answered.length).filter((_, i) => i % 2 === 0);
    t.ok(
      added.every((name) => ["Connection", "Keep-Alive"].includes(name)),
      `added: ${added}`,
    );
    t.same(valuesOf(answer.rawHeaders, "x-named"), []);
    t.same([...answer.body], [0xff, 0x00, 0x1f]);
  });
}

const BYTES = "caf\xe9 \xe4\xb8\xad\xe6\x96\x87 \x80\xff";

for (const method of METHODS) {
  const body = method === "GET" ? "" : "hi";
  const length = method === "GET" ? [] : ["Content-Length", "2"];
  t.test(`bytes above 0x7f in a ${method}'s headers arrive as they are`, async (t) => {
    origin.clear();
    const bytes = head(method, "/k", ["Host", "g.test", "x-oss-meta-a", BYTES, ...length]) + body;
    t.equal((await answerTo(headers.port, bytes)).status, 200);
    t.same(valuesOf(origin.requests[0]?.rawHeaders ?? [], "x-oss-meta-a"), [BYTES]);
  });

  t.test(`bytes above 0x7f in the headers of an answer to a ${method} come as they are`, async (t) => {
    origin.clear();
    origin.reply(() => `HTTP/1.1 200 OK\r\nx-oss-meta-a: ${BYTES}\r\nContent-Length: 2\r\n\r\nhi`);
    const answer = await answerTo(headers.port, head(method, "/k", ["Host", "g.test", ...length]) + body);
    t.same(valuesOf(answer.rawHeaders, "x-oss-meta-a"), [BYTES]);
  });
}

t.test("a file name in raw UTF-8 comes as it is, also behind the length", async (t) => {
  const disposition = `attachment; filename="${BYTES}.jpg"`;
  for (const method of ["GET", "HEAD"]) {
    origin.clear();
    const lines = `Content-Length: 2\r\nContent-Disposition: ${disposition}\r\nETag: "e"`;
    origin.reply(() => `HTTP/1.1 200 OK\r\n${lines}\r\n\r\n${method === "GET" ? "hi" : ""}`);
    const connection = await RawConnection.open(headers.port);
    connection.send(head(method, "/k", ["Host", "g.test"]));
    const { status, rawHeaders } = await connection.answer(method);
    t.equal(status, 200, method);
    t.same(valuesOf(rawHeaders, "content-disposition"), [disposition]);
    t.same(valuesOf(rawHeaders, "content-length"), ["2"]);
    connection.close();
  }
});

t.test("bytes above 0x7f in a head whose body is slow to come are as they are", async (t) => {
  const connection = await RawConnection.open(headers.port);
  origin.clear();
  origin.reply(() => `HTTP/1.1 200 OK\r\nx-oss-meta-a: ${BYTES}\r\nContent-Length: 2\r\n\r\n`);
  connection.send(head("GET", "/k", ["Host", "g.test"]));
  const { rawHeaders } = await connection.head();
  t.same(valuesOf(rawHeaders, "x-oss-meta-a"), [BYTES]);
  connection.close();
});

t.test("an answer without a length is streamed to its end", async (t) => {
  const chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
  for (const method of METHODS) {
    origin.clear();
    origin.reply(() => chunked);
    const connection = await RawConnection.open(headers.port);
    connection.send(`${head(method, "/k", ["Host", "g.test", ...(method === "GET" ? [] : ["Content-Length", "0"])])}`);
    const answer = await connection.answer(method);
    t.equal(answer.body.toString(), "abcde");
    t.same(valuesOf(answer.rawHeaders, "content-length"), []);
    connection.close();
  }
});
