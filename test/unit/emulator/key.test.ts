import t from "tap";
import { keyOfPath } from "../../../src/emulator/key.js";

const KEYS: readonly (readonly [rawPath: string, key: string])[] = [
  ["/", ""],
  ["/a/b.txt", "a/b.txt"],
  ["/a%2Fb", "a/b"],
  ["/a+b", "a+b"],
  ["/a%2Bb%20c", "a+b c"],
  ["/a//b", "a//b"],
  ["/a/../b/.", "a/../b/."],
  ["/%E5%9B%BE.png", "图.png"],
  ["/%2525", "%25"],
  ["/dir/", "dir/"],
  [`/${"a".repeat(1023)}`, "a".repeat(1023)],
];

for (const [rawPath, key] of KEYS) {
  t.test(`the path ${rawPath.slice(0, 40)} addresses the key "${key.slice(0, 40)}"`, async (t) => {
    t.equal(keyOfPath(rawPath), key);
  });
}

const REFUSED: readonly (readonly [rawPath: string, code: string, ec: string | null])[] = [
  ["//x", "InvalidObjectName", "0016-00000005"],
  ["/%2Fx", "InvalidObjectName", "0016-00000005"],
  ["/%5Cx", "InvalidObjectName", "0016-00000005"],
  [`/${"a".repeat(1024)}`, "InvalidObjectName", "0016-00000002"],
  [`/${"%E5%9B%BE".repeat(342)}`, "InvalidObjectName", "0016-00000002"],
  ["/%FF", "InvalidObjectName", "0016-00000004"],
  ["/100%", "InvalidURI", null],
];

for (const [rawPath, code, ec] of REFUSED) {
  t.test(`the path ${rawPath.slice(0, 40)} is refused with ${code} ${ec}`, async (t) => {
    t.match(keyOfPath(rawPath), { kind: "refusal", status: 400, code, ec });
  });
}
