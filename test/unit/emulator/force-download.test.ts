import t from "tap";
import { type DefaultDomainDownload, forcedDownloadEc, packageProblem } from "../../../src/emulator/force-download.js";

const OLD_MS = Date.parse("2018-01-01T00:00:00Z");
const NEW_MS = Date.parse("2024-01-01T00:00:00Z");

const download = (contentType: string, more: Partial<DefaultDomainDownload> = {}): DefaultDomainDownload => ({
  key: "k",
  contentType,
  region: "cn-hangzhou",
  bucketCreatedAtMs: NEW_MS,
  isAccelerate: false,
  ...more,
});

const TABLE: readonly (readonly [claim: string, DefaultDomainDownload, ec: string | null])[] = [
  ["an image", download("image/jpeg"), "0048-00000101"],
  ["an image with a parameter in capitals", download("IMAGE/PNG; q=1"), "0048-00000101"],
  ["an image of an old bucket", download("image/jpeg", { bucketCreatedAtMs: OLD_MS }), null],
  [
    "an image of a bucket made a millisecond before the rule",
    download("image/jpeg", { bucketCreatedAtMs: Date.parse("2019-09-24T03:00:00Z") - 1 }),
    null,
  ],
  [
    "an image of a bucket made with the rule",
    download("image/jpeg", { bucketCreatedAtMs: Date.parse("2019-09-24T03:00:00Z") }),
    "0048-00000101",
  ],
  ["an image type that is not on the list", download("image/avif"), null],
  ["a page", download("text/html; charset=utf-8"), "0048-00000101"],
  ["a page of an old bucket", download("text/html", { bucketCreatedAtMs: OLD_MS }), null],
  ["plain text", download("text/plain"), null],
  [
    "an image of a new bucket in a region of the newer rule",
    download("image/png", { region: "cn-heyuan", bucketCreatedAtMs: Date.parse("2025-12-22T02:00:00Z") }),
    "0048-00000114",
  ],
];

for (const [claim, subject, ec] of TABLE) {
  t.test(`${claim} is ${ec === null ? "not forced" : `forced with ${ec}`}`, async (t) => {
    t.equal(forcedDownloadEc(subject), ec);
  });
}

t.test("application packages are refused, by type and by name", async (t) => {
  t.match(packageProblem(download("application/vnd.android.package-archive")), {
    code: "ApkDownloadForbidden",
    ec: null,
  });
  t.match(packageProblem(download("application/octet-stream", { key: "a/App.APK" })), { status: 400 });
  t.match(packageProblem(download("application/iphone", { isAccelerate: true })), { ec: "0048-00000203" });
  t.equal(packageProblem(download("application/zip", { key: "a.apk.zip" })), null);
});
