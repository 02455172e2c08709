import { createHash } from "node:crypto";
import t from "tap";
import { isRefusal } from "../../../src/emulator/answer.js";
import { bytesSource, readAll } from "../../../src/emulator/body.js";
import { crc64 } from "../../../src/emulator/crc64.js";
import { assembleObject, choosePartList, parsePartList } from "../../../src/emulator/multipart.js";
import type { StoredPart, Upload } from "../../../src/emulator/store.js";

const MIN = 100 * 1024;
const md5 = (bytes: Buffer): Buffer => createHash("md5").update(bytes).digest();

function makePart(number: number, size: number): StoredPart {
  const bytes = Buffer.alloc(size, number);
  return { number, body: bytesSource(bytes), size, md5: md5(bytes), crc64: crc64(bytes), lastModifiedMs: 0 };
}

function makeUpload(...parts: readonly StoredPart[]): Upload {
  const rest = { initiatedMs: 0, metadata: [], acl: "default", storageClass: "Standard", mayOverwrite: true } as const;
  return { id: "U", key: "k", ...rest, parts: new Map(parts.map((part) => [part.number, part])) };
}

const etag = (part: StoredPart): string => part.md5.toString("hex").toUpperCase();
const listed = (...parts: readonly StoredPart[]) => parts.map((part) => ({ number: part.number, etag: etag(part) }));
const [one, two, three] = [makePart(1, MIN), makePart(2, MIN), makePart(7, 5)];
const upload = makeUpload(one, two, three);

t.test("a part list is read with quoted and lower-case ETags", async (t) => {
  const xml = `<CompleteMultipartUpload>
    <Part><PartNumber>1</PartNumber><ETag>"abc0"</ETag></Part><Part><PartNumber>2</PartNumber><ETag>DEF</ETag></Part>
  </CompleteMultipartUpload>`;
  t.same(parsePartList(xml), [
    { number: 1, etag: "ABC0" },
    { number: 2, etag: "DEF" },
  ]);
});

for (const xml of [
  "",
  "<CompleteMultipartUpload></CompleteMultipartUpload>",
  "<A><Part/></A>",
  "<CompleteMultipartUpload><Part/></CompleteMultipartUpload>",
]) {
  t.test(`the part list "${xml}" is malformed`, async (t) => {
    t.match(parsePartList(xml), { code: "MalformedXML" });
  });
}

t.test("parts in ascending order with their ETags are chosen, the last may be small", async (t) => {
  t.same(choosePartList(upload, listed(one, two, three)), [one, two, three]);
});

t.test("parts out of order, twice, unknown, with another ETag or too small are refused", async (t) => {
  t.match(choosePartList(upload, listed(two, one)), { code: "InvalidPartOrder" });
  t.match(choosePartList(upload, listed(one, one)), { code: "InvalidPartOrder" });
  t.match(choosePartList(upload, [{ number: 3, etag: etag(one) }]), { code: "InvalidPart" });
  t.match(choosePartList(upload, [{ number: 1, etag: etag(two) }]), { code: "InvalidPart" });
  const small = makeUpload(makePart(1, MIN - 1), two);
  const parts = [...small.parts.values()];
  t.match(choosePartList(small, listed(...parts)), { code: "EntityTooSmall" });
});

t.test(
  "the object of an upload is its parts joined, with the CRC of the whole and an ETag that counts them",
  async (t) => {
    const chosen = choosePartList(upload, listed(one, three));
    if (isRefusal(chosen)) throw new Error(chosen.code);
    const object = assembleObject(upload, chosen, 5);
    const whole = Buffer.concat([Buffer.alloc(MIN, 1), Buffer.alloc(5, 7)]);
    t.equal(object.size, MIN + 5);
    t.equal(object.crc64, crc64(whole));
    t.ok(object.body !== null && readAll(object.body).equals(whole));
    t.equal(
      object.etag,
      `"${md5(Buffer.concat([one.md5, three.md5]))
        .toString("hex")
        .toUpperCase()}-2"`,
    );
    t.match(object, { type: "Multipart", lastModifiedMs: 5, key: "k" });
  },
);
