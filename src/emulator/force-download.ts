import { type Refusal, refuse } from "./errors.js";

const IMAGES_SINCE_MS = Date.parse("2019-09-24T11:00:00+08:00");
const HTML_SINCE_MS = Date.parse("2018-08-13T00:00:00+08:00");
const NEW_REGIONS_SINCE_MS = Date.parse("2025-12-22T10:00:00+08:00");
const NEW_REGIONS: ReadonlySet<string> = new Set(["cn-wulanchabu", "cn-heyuan", "cn-guangzhou", "cn-nanjing"]);

const IMAGE_TYPES: ReadonlySet<string> = new Set(
  ["jpeg", "gif", "tiff", "png", "webp", "svg+xml", "bmp", "x-ms-bmp", "x-cmu-raster", "exr", "x-icon", "heic"].map(
    (subtype) => `image/${subtype}`,
  ),
);
const PACKAGE_TYPES: ReadonlySet<string> = new Set(["application/vnd.android.package-archive", "application/iphone"]);

/** The download of an object through one of OSS's own domain names. */
export interface DefaultDomainDownload {
  readonly key: string;
  /** As it will stand in the answer. */
  readonly contentType: string;
  readonly region: string;
  readonly bucketCreatedAtMs: number;
  readonly isAccelerate: boolean;
}

/** The `x-oss-ec` of a download that OSS's own domain names force (oss-semantics §1.4); `null` when it is not forced. */
export function forcedDownloadEc(download: DefaultDomainDownload): string | null {
  const mime = mimeType(download.contentType);
  if (IMAGE_TYPES.has(mime) && download.bucketCreatedAtMs >= IMAGES_SINCE_MS) {
    const isNewRule = NEW_REGIONS.has(download.region) && download.bucketCreatedAtMs >= NEW_REGIONS_SINCE_MS;
    return isNewRule ? "0048-00000114" : "0048-00000101";
  }
  return mime === "text/html" && download.bucketCreatedAtMs >= HTML_SINCE_MS ? "0048-00000101" : null;
}

/** The refusal of application packages on OSS's own domain names (oss-semantics §1.4), or `null`. */
export function packageProblem(download: DefaultDomainDownload): Refusal | null {
  const isPackage = PACKAGE_TYPES.has(mimeType(download.contentType)) || /\.(?:apk|ipa)$/i.test(download.key);
  if (!isPackage) return null;
  return refuse("ApkDownloadForbidden", { ec: download.isAccelerate ? "0048-00000203" : null });
}

function mimeType(contentType: string): string {
  return (contentType.split(";")[0] as string).trim().toLowerCase();
}
