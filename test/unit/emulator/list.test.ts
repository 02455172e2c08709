import fc from "fast-check";
import t from "tap";
import {
  compareKeys,
  encodeForList,
  type ListRequest,
  listPage,
  makeToken,
  readEncodingType,
  readMaxKeys,
  readToken,
} from "../../../src/emulator/list.js";

const ALL: ListRequest = { prefix: "", delimiter: "", after: "", maxKeys: 1000 };
const KEYS = ["b", "a/2", "a/1", "a/sub/3", "a/", "c/x", "中", "😀", "\uff5e", "A"];

t.test("keys are listed in the order of their UTF-8 bytes, which is not that of UTF-16", async (t) => {
  t.same(listPage(KEYS, ALL).keys, ["A", "a/", "a/1", "a/2", "a/sub/3", "b", "c/x", "中", "\uff5e", "😀"]);
});

t.test("a delimiter folds what it divides into common prefixes", async (t) => {
  const page = listPage(KEYS, { ...ALL, delimiter: "/" });
  t.same(page.keys, ["A", "b", "中", "\uff5e", "😀"]);
  t.same(page.commonPrefixes, ["a/", "c/"]);
});

t.test("under a prefix, the key that is the prefix is an object and what lies deeper is folded", async (t) => {
  const page = listPage(KEYS, { ...ALL, prefix: "a/", delimiter: "/" });
  t.same(page.keys, ["a/", "a/1", "a/2"]);
  t.same(page.commonPrefixes, ["a/sub/"]);
});

t.test("keys and common prefixes count against max-keys together", async (t) => {
  const page = listPage(KEYS, { ...ALL, delimiter: "/", maxKeys: 2 });
  t.same([page.keys, page.commonPrefixes, page.isTruncated, page.last], [["A"], ["a/"], true, "a/"]);
});

t.test("a page that ends with the last key is not truncated", async (t) => {
  t.notOk(listPage(KEYS, { ...ALL, maxKeys: KEYS.length }).isTruncated);
  t.ok(listPage(KEYS, { ...ALL, maxKeys: KEYS.length - 1 }).isTruncated);
});

t.test("the pages of a listing are its entries, each once and in order", async (t) => {
  const keys = fc.uniqueArray(fc.string({ unit: fc.constantFrom("a", "b", "/", "é"), minLength: 1, maxLength: 6 }));
  fc.assert(
    fc.property(keys, fc.constantFrom("", "/"), fc.integer({ min: 1, max: 4 }), (all, delimiter, maxKeys) => {
      const whole = listPage(all, { ...ALL, delimiter });
      const paged: string[] = [];
      for (let after = "", more = true; more; ) {
        const page = listPage(all, { ...ALL, delimiter, after, maxKeys });
        paged.push(...[...page.keys, ...page.commonPrefixes].sort(compareKeys));
        after = page.last;
        more = page.isTruncated;
      }
      t.same(paged, [...whole.keys, ...whole.commonPrefixes].sort(compareKeys));
    }),
  );
});

t.test("a token comes back as the entry that it stands for, and other text does not", async (t) => {
  for (const entry of ["a", "dir/", "中/😀"]) t.equal(readToken(makeToken(entry)), entry);
  for (const bad of ["", "?", "a", "YQ"]) t.equal(readToken(bad), null, bad);
});

t.test("max-keys is 100 unless said otherwise, and from 1 to 1000", async (t) => {
  t.equal(readMaxKeys(new Map()), 100);
  t.equal(readMaxKeys(new Map([["max-keys", "1000"]])), 1000);
  for (const bad of ["0", "1001", "-1", "x"])
    t.match(readMaxKeys(new Map([["max-keys", bad]])), { code: "InvalidArgument" });
});

t.test("names are percent-encoded when encoding-type=url asks for it", async (t) => {
  const encoding = readEncodingType(new Map([["encoding-type", "url"]]));
  t.match(encoding, { isUrl: true, elements: ["<EncodingType>url</EncodingType>"] });
  t.equal(encodeForList("a b/中", { isUrl: true, elements: [] }), "a%20b%2F%E4%B8%AD");
  t.match(readEncodingType(new Map([["encoding-type", "base64"]])), { code: "InvalidArgument" });
});
