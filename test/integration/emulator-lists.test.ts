import { createHash } from "node:crypto";
import t from "tap";
import { createEmulator, type Emulator } from "../../src/emulator/index.js";
import { BUCKET, DOMAIN, NOW_MS, OWNER, send, signed } from "../unit/emulator/wire.js";

async function start(t: Pick<typeof import("tap").t, "teardown">): Promise<Emulator> {
  const emulator = createEmulator();
  t.teardown(() => emulator.close());
  await emulator.listen();
  emulator.setNowMs(NOW_MS);
  emulator.addCredentials(OWNER);
  emulator.addBucket({ name: BUCKET, acl: "public-read-write", domains: [DOMAIN] });
  for (const key of ["b&c", "a/1", "a/2", "中"]) emulator.putObject(BUCKET, key, key);
  return emulator;
}

const tags = (text: string, name: string): string[] =>
  [...text.matchAll(new RegExp(`<${name}>([^<]*)</${name}>`, "g"))].map((match) => match[1] ?? "");

t.test("the first version lists with a marker", async (t) => {
  const emulator = await start(t);
  const first = await send(emulator, { target: "/?delimiter=/&max-keys=2" });
  t.same(tags(first.text, "Prefix"), ["", "a/"]);
  t.same(tags(first.text, "Key"), ["b&amp;c"]);
  t.same([tags(first.text, "IsTruncated"), tags(first.text, "NextMarker")], [["true"], ["b&amp;c"]]);
  t.match(first.text, "<Size>3</Size><StorageClass>Standard</StorageClass><Owner><ID>");
  const second = await send(emulator, { target: "/?delimiter=/&max-keys=2&marker=b%26c" });
  t.same([tags(second.text, "Key"), tags(second.text, "IsTruncated")], [["中"], ["false"]]);
  t.same(tags(second.text, "NextMarker"), []);
});

t.test("the second version lists with an opaque token and counts keys and prefixes", async (t) => {
  const emulator = await start(t);
  const first = await send(emulator, { target: "/?list-type=2&delimiter=/&max-keys=2&encoding-type=url" });
  t.same([tags(first.text, "Key"), tags(first.text, "KeyCount")], [["b%26c"], ["2"]]);
  t.notMatch(first.text, "<Owner>");
  const token = encodeURIComponent(tags(first.text, "NextContinuationToken")[0] ?? "");
  const second = await send(emulator, {
    target: `/?list-type=2&delimiter=/&max-keys=2&fetch-owner=true&continuation-token=${token}`,
  });
  t.same(tags(second.text, "Key"), ["中"]);
  t.match(second.text, "<Owner>");
  const after = await send(emulator, { target: "/?list-type=2&start-after=a/1" });
  t.same(tags(after.text, "Key"), ["a/2", "b&amp;c", "中"]);
});

for (const query of [
  "list-type=3",
  "list-type=2&continuation-token=%21",
  "max-keys=0",
  "max-keys=1001",
  "encoding-type=x",
]) {
  t.test(`the list ?${query} is refused`, async (t) => {
    const emulator = await start(t);
    t.match(await send(emulator, { target: `/?${query}` }), { status: 400, code: "InvalidArgument" });
  });
}

function deletion(keys: readonly string[], quiet = false) {
  const body = `<Delete><Quiet>${quiet}</Quiet>${keys.map((key) => `<Object><Key>${key}</Key></Object>`).join("")}</Delete>`;
  const headers = ["Content-MD5", createHash("md5").update(body).digest("base64")];
  return { method: "POST", target: "/?delete", headers, body };
}

t.test("several keys are deleted at once and named, those that were not there included", async (t) => {
  const emulator = await start(t);
  const answer = await send(emulator, deletion(["b&amp;c", "none", "中"]));
  t.same(tags(answer.text, "Key"), ["b&amp;c", "none", "中"]);
  t.same(emulator.keys(BUCKET), ["a/1", "a/2"]);
  const quiet = await send(emulator, deletion(["a/1"], true));
  t.match([quiet.status, quiet.text], [200, ""]);
  t.same(emulator.keys(BUCKET), ["a/2"]);
});

t.test("a deletion without MD5, with another, malformed, with versions or of too many keys is refused", async (t) => {
  const emulator = await start(t);
  const wire = deletion(["a/1"]);
  t.equal((await send(emulator, { ...wire, headers: [] })).code, "InvalidArgument");
  t.equal((await send(emulator, { ...wire, body: `${wire.body} ` })).code, "InvalidDigest");
  t.equal((await send(emulator, deletion([]))).code, "MalformedXML");
  t.equal((await send(emulator, deletion(Array.from({ length: 1001 }, (_, i) => `k${i}`)))).code, "MalformedXML");
  t.equal((await send(emulator, deletion(["a/1</Key><VersionId>1</VersionId><Key>x"]))).code, "NotImplemented");
  t.equal(emulator.keys(BUCKET).length, 4);
});

t.test("a deletion that includes a protected object deletes nothing for strangers", async (t) => {
  const emulator = await start(t);
  emulator.putObject(BUCKET, "mine", "x", { "x-oss-object-acl": "private" });
  t.equal((await send(emulator, deletion(["a/1", "mine"]))).code, "AccessDenied");
  t.equal(emulator.keys(BUCKET).length, 5);
});

t.test("the owner sees uploads and parts page by page", async (t) => {
  const emulator = await start(t);
  const ids: string[] = [];
  for (const key of ["u1", "u2"]) {
    const answer = await send(emulator, { method: "POST", target: `/${key}?uploads`, body: "" });
    ids.push(tags(answer.text, "UploadId")[0] ?? "");
  }
  for (const number of [3, 1, 2]) {
    await send(emulator, { method: "PUT", target: `/u1?partNumber=${number}&uploadId=${ids[0]}`, body: "x" });
  }
  const uploads = await send(emulator, signed({ target: "/?uploads&max-uploads=1", key: "" }, "v4-header"));
  t.same([tags(uploads.text, "Key"), tags(uploads.text, "IsTruncated")], [["u1"], ["true"]]);
  const rest = await send(emulator, signed({ target: "/?uploads&key-marker=u1", key: "" }, "v4-header"));
  t.same([tags(rest.text, "Key"), tags(rest.text, "IsTruncated")], [["u2"], ["false"]]);
  const parts = await send(emulator, signed({ target: `/u1?uploadId=${ids[0]}&max-parts=2`, key: "u1" }, "v4-header"));
  t.same([tags(parts.text, "PartNumber"), tags(parts.text, "NextPartNumberMarker")], [["1", "2"], ["2"]]);
  const last = await send(
    emulator,
    signed({ target: `/u1?uploadId=${ids[0]}&part-number-marker=2`, key: "u1" }, "v4-header"),
  );
  t.same([tags(last.text, "PartNumber"), tags(last.text, "IsTruncated")], [["3"], ["false"]]);
});

t.test("documents about a bucket say what it is", async (t) => {
  const emulator = await start(t);
  const get = async (target: string) => (await send(emulator, signed({ target, key: "" }, "v1-header"))).text;
  t.match(await get("/?location"), "<LocationConstraint>oss-cn-hangzhou</LocationConstraint>");
  const info = await get("/?bucketInfo");
  t.match(info, "<IntranetEndpoint>oss-cn-hangzhou-internal.aliyuncs.com</IntranetEndpoint>");
  t.match(info, "<CreationDate>2025-01-01T00:00:00.000Z</CreationDate>");
  t.match(info, "<Grant>public-read-write</Grant>");
  t.match(await get("/?cors"), "<Code>NoSuchCORSConfiguration</Code>");
  t.match(await get("/?website"), "<Code>NoSuchWebsiteConfiguration</Code>");
  t.match(await get("/?lifecycle"), "<Code>NotImplemented</Code>");
});
