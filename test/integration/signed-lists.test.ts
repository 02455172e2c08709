import t, { type Test } from "tap";
import { xmlText } from "../support/raw-client.js";
import {
  ask,
  BUCKET,
  EVERY_METHOD,
  outcome,
  queryOf,
  type SignWorld,
  signingRoute,
  startSigning,
} from "../support/sign-world.js";

const LISTING =
  "operations: [ListObjects, ListObjectsV2, ListObjectVersions, ListMultipartUploads], allow: { anyone: true }";
const ROUTES =
  signingRoute("whole", `${EVERY_METHOD}, ${LISTING}`) +
  signingRoute("bound", `${EVERY_METHOD}, keyPrefix: tenant a/, ${LISTING}`) +
  signingRoute("second", "keyPrefix: tenant a/, operations: [ListObjectsV2], allow: { anyone: true }") +
  signingRoute("closed", `${EVERY_METHOD}, allow: { anyone: true }`) +
  `  - { name: stripped, match: { hosts: [stripped.test], pathPrefix: /in }, stripPrefix: true, keyPrefix: tenant a/, bucket: one, auth: sign, sign: { credentials: reader }, ${LISTING} }\n` +
  `  - { name: chosen, match: { hosts: [chosen.test] }, buckets: [one], auth: sign, sign: { credentials: reader }, ${LISTING} }\n`;

const OWN_KEYS = ["a.txt", "b&c.txt", "dir/x+y.txt", "dir/图.txt", "e<f>.txt", "z/1", "z/2"];
const FOREIGN = ["tenant", "tenant a", "tenant aa/x", "tenant b/secret", "other", "\u0000first", "zzz"];

async function listWorld(t: Test): Promise<SignWorld> {
  const world = await startSigning(t, ROUTES);
  for (const key of OWN_KEYS) world.emulator.putObject(BUCKET, `tenant a/${key}`, key);
  for (const key of FOREIGN) world.emulator.putObject(BUCKET, key, key);
  return world;
}

const unescaped = (text: string): string =>
  text.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");
const all = (text: string, element: string): string[] =>
  [...text.matchAll(new RegExp(`<${element}>([^<]*)</${element}>`, "g"))].map(([, value = ""]) => unescaped(value));
const keysOf = (text: string): string[] => all(text.replace(/<CommonPrefixes>.*?<\/CommonPrefixes>/gs, ""), "Key");
const prefixesOf = (text: string): string[] =>
  [...text.matchAll(/<CommonPrefixes>(.*?)<\/CommonPrefixes>/gs)].flatMap(([, inner = ""]) => all(inner, "Prefix"));

/** What a list may never hold: a foreign key, or the prefix itself. */
function mustStayInside(t: Test, text: string, name: string): void {
  t.notMatch(text, /tenant|secret|other|first|zzz/, name);
}

for (const [version, query] of Object.entries({ V1: "", V2: "list-type=2" })) {
  const and = query === "" ? "" : "&";

  t.test(`${version}: below a prefix only its keys are listed, without it`, async (t) => {
    const world = await listWorld(t);
    for (const [host, path] of [
      ["bound.test", "/"],
      ["stripped.test", "/in/"],
      ["stripped.test", "/in"],
    ] as const) {
      const answer = await ask(world, { host, target: `${path}${query === "" ? "" : "?"}${query}` });
      t.equal(answer.status, 200, path);
      t.strictSame(
        keysOf(answer.text),
        [...OWN_KEYS].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))),
      );
      t.equal(xmlText(answer.text, "Prefix"), "");
      mustStayInside(t, answer.text, path);
      t.equal(answer.header("content-length"), String(answer.body.length));
      t.match(answer.header("content-type"), /xml/);
    }
  });

  t.test(`${version}: prefixes, delimiters and pages are the client's own terms`, async (t) => {
    const world = await listWorld(t);
    const list = async (more: string) => ask(world, { host: "bound.test", target: `/?${query}${and}${more}` });
    t.strictSame(keysOf((await list("prefix=dir/")).text), ["dir/x+y.txt", "dir/图.txt"]);
    const shallow = await list("delimiter=%2F");
    t.strictSame(keysOf(shallow.text), ["a.txt", "b&c.txt", "e<f>.txt"]);
    t.strictSame(prefixesOf(shallow.text), ["dir/", "z/"]);
    t.strictSame(keysOf((await list("prefix=z&delimiter=1")).text), ["z/2"]);
    const after = version === "V1" ? "marker" : "start-after";
    t.strictSame(keysOf((await list(`${after}=z/1`)).text), ["z/2"]);
    const seen: string[] = [];
    let next = "";
    for (let page = 0; page < 10; page += 1) {
      const answer = await list(`max-keys=2${next}`);
      mustStayInside(t, answer.text.replace(/<(?:Next)?ContinuationToken>[^<]*/g, ""), "page");
      seen.push(...keysOf(answer.text));
      if (xmlText(answer.text, "IsTruncated") !== "true") break;
      const marker = xmlText(answer.text, version === "V1" ? "NextMarker" : "NextContinuationToken") ?? "";
      next = `&${version === "V1" ? "marker" : "continuation-token"}=${encodeURIComponent(unescaped(marker))}`;
    }
    t.strictSame([...seen].sort(), [...OWN_KEYS].sort());
  });

  t.test(`${version}: no spelling of a prefix or a marker leads outside`, async (t) => {
    const world = await listWorld(t);
    const after = version === "V1" ? "marker" : "start-after";
    const tricks = [
      ...["prefix=../", "prefix=..%2Ftenant%20b/", "prefix=/", "prefix=%00", "prefix=", "prefix", "prefix=tenant%20b/"],
      ...[
        "%70refix=",
        `${after}=`,
        `${after}=%EF%BF%BF`,
        `${after}=tenant%20b/`,
        "delimiter=t",
        "delimiter=tenant",
        "max-keys=1000",
      ],
      ...["prefix=tenant", `${after}=zzz`, "encoding-type=url&prefix=", "encoding-type=url&delimiter=a"],
    ];
    for (const trick of tricks) {
      const answer = await ask(world, { host: "bound.test", target: `/?${query}${and}${trick}` });
      t.equal(answer.status, 200, trick);
      for (const key of [...keysOf(answer.text), ...prefixesOf(answer.text)]) {
        const plain = trick.includes("url") ? decodeURIComponent(key) : key;
        t.ok(
          OWN_KEYS.some((own) => own.startsWith(plain)),
          `${trick}: ${key}`,
        );
      }
      const sent = queryOf(answer.captures[0] as (typeof answer.captures)[0]).filter(([name]) => name === "prefix");
      t.equal(sent.length, 1, trick);
      t.ok(sent[0]?.[1]?.startsWith("tenant a/"), trick);
    }
    for (const twice of ["prefix=a&prefix=b", "prefix=a&%70refix=b", "Prefix=a&prefix=b&prefix"]) {
      const answer = await ask(world, { host: "bound.test", target: `/?${query}${and}${twice}` });
      t.equal(outcome(answer), "PARAMETER_NOT_ALLOWED", twice);
      t.strictSame(answer.captures, []);
    }
  });

  t.test(`${version}: encoding-type=url, the answer is encoded and without the prefix`, async (t) => {
    const world = await listWorld(t);
    const answer = await ask(world, {
      host: "bound.test",
      target: `/?${query}${and}encoding-type=url&delimiter=%2F&prefix=dir/`,
    });
    t.equal(xmlText(answer.text, "EncodingType"), "url");
    t.strictSame(
      keysOf(answer.text).map((key) => decodeURIComponent(key)),
      ["dir/x+y.txt", "dir/图.txt"],
    );
    for (const key of keysOf(answer.text)) t.match(key, /^[\x21-\x7e]+$/);
    t.equal(decodeURIComponent(xmlText(answer.text, "Prefix") ?? ""), "dir/");
    mustStayInside(t, answer.text, "url");
  });

  t.test(`${version}: without a prefix the whole bucket is listed, as OSS lists it`, async (t) => {
    const world = await listWorld(t);
    for (const [host, path] of [
      ["whole.test", "/"],
      ["chosen.test", `/${BUCKET}/`],
      ["chosen.test", `/${BUCKET}`],
    ] as const) {
      const answer = await ask(world, { host, target: `${path}?${query}${and}encoding-type=url&prefix=tenant%20b` });
      t.strictSame(
        keysOf(answer.text).map((key) => decodeURIComponent(key)),
        ["tenant b/secret"],
        path,
      );
    }
  });
}

t.test("a list is asked for uncompressed, since it is read here", async (t) => {
  const world = await listWorld(t);
  const answer = await ask(world, {
    host: "bound.test",
    target: "/?list-type=2",
    headers: ["Accept-Encoding", "gzip"],
  });
  const names = answer.captures[0]?.rawHeaders.filter((_, i) => i % 2 === 0).map((name) => name.toLowerCase());
  t.notOk(names?.includes("accept-encoding"));
});

t.test("lists that the route does not name are refused, each of them", async (t) => {
  const world = await listWorld(t);
  const lists = [
    "/",
    "/?",
    "/?prefix=a",
    "/?list-type=2",
    "/?versions",
    "/?uploads",
    "/?list-type=2&prefix=a",
    "/?max-keys=1",
  ];
  for (const target of lists) {
    for (const method of ["GET", "HEAD"]) {
      const answer = await ask(world, { method, host: "closed.test", target });
      t.match(outcome(answer), /^(OPERATION|PARAMETER)_NOT_ALLOWED$/, `${method} ${target}`);
      t.strictSame(answer.captures, []);
    }
  }
  for (const target of ["/", "/?prefix=a", "/?versions", "/?uploads"]) {
    t.match(outcome(await ask(world, { host: "second.test", target })), /^(OPERATION|PARAMETER)_NOT_ALLOWED$/, target);
  }
  t.equal((await ask(world, { host: "second.test", target: "/?list-type=2" })).status, 200);
  for (const query of ["acl", "cors", "policy", "website", "bucketInfo", "delete", "lifecycle", "logging", "referer"]) {
    for (const method of ["GET", "PUT", "DELETE", "POST"]) {
      const answer = await ask(world, { method, host: "bound.test", target: `/?${query}` });
      t.equal(outcome(answer), "PARAMETER_NOT_ALLOWED", `${method} ?${query}`);
      t.strictSame(answer.captures, []);
    }
  }
});

t.test("uploads under way are listed below the prefix alone, and so are the parts of one", async (t) => {
  const world = await listWorld(t);
  const begin = async (host: string, key: string) =>
    xmlText((await ask(world, { method: "POST", host, target: `/${key}?uploads` })).text, "UploadId") ?? "";
  const own = await begin("bound.test", "big%20file");
  await begin("whole.test", "tenant%20b/secret-upload");
  const uploads = await ask(world, { host: "bound.test", target: "/?uploads" });
  t.strictSame(all(uploads.text, "Key"), ["big file"]);
  mustStayInside(t, uploads.text, "uploads");
  const parts = await ask(world, { host: "bound.test", target: `/big%20file?uploadId=${own}` });
  t.equal(xmlText(parts.text, "Key"), "big file");
  mustStayInside(t, parts.text, "parts");
});
