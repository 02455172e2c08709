import type { Operation } from "../core/operations.js";

/** Which headers of the client mean something to an operation: see `request-headers.ts`. */
type HeaderUse = "read" | "none" | "document" | "upload";

/** What a request must look like to be one operation of OSS: what makes it that, and what it may have besides. */
export interface RequestShape {
  /** OSS's name of the operation, for messages. */
  readonly name: string;
  /** What the route's `operations` must name; `null` for plain reads and writes of one object. */
  readonly operation: Operation | null;
  /** A part of uploading: possible where the route's methods have PUT. */
  readonly needsPut: boolean;
  readonly methods: readonly string[];
  readonly level: "bucket" | "object";
  /** Query parameters that must all be there. */
  readonly marks: readonly string[];
  /** A header that must be there, lower case; `null` for none. */
  readonly markHeader: string | null;
  /** Query parameters that may be there besides the marks, once each. */
  readonly optional: ReadonlySet<string>;
  /** Whether `x-oss-process` and `response-*` may be there, as far as the route's lists allow them. */
  readonly hasReadOptions: boolean;
  readonly headerUse: HeaderUse;
  /** `x-oss-*` headers that may be there, lower case; `x-oss-meta-` stands for all names that begin so. */
  readonly ossHeaders: ReadonlySet<string>;
  /** The parameters whose values are keys or beginnings of keys: the key prefix is put before them. */
  readonly keyParameters: ReadonlySet<string>;
  /** A list of keys, which a key prefix narrows by the parameter `prefix`. */
  readonly isListing: boolean;
  /** An object's bytes pass in it, as fast as `x-oss-traffic-limit` lets them (oss-semantics §11.6). */
  readonly isTransfer: boolean;
  /** It reads or names keys of its own choice, which no key prefix could be put before. */
  readonly namesOtherKeys: boolean;
}

const NO_NAMES: ReadonlySet<string> = new Set();

/** Unless said otherwise: a named operation that reads an object by GET. */
const USUAL: Omit<RequestShape, "name"> = {
  operation: null,
  needsPut: false,
  methods: ["GET"],
  level: "object",
  marks: [],
  markHeader: null,
  optional: NO_NAMES,
  hasReadOptions: false,
  headerUse: "read",
  ossHeaders: NO_NAMES,
  keyParameters: NO_NAMES,
  isListing: false,
  isTransfer: false,
  namesOtherKeys: false,
};

type Differences = Partial<Omit<RequestShape, "name" | "operation">>;

const named = (operation: Operation, differences: Differences): RequestShape => ({
  ...USUAL,
  name: operation,
  operation,
  ...differences,
});

const plain = (name: string, differences: Differences): RequestShape => ({ ...USUAL, name, ...differences });

const READ = ["GET", "HEAD"];
const KEY_MARKERS = new Set(["marker", "start-after", "key-marker"]);
const UPLOAD_HEADERS = ["x-oss-meta-", "x-oss-forbid-overwrite", "x-oss-hash-crc64ecma", "x-oss-object-acl"];
const UPLOAD = {
  needsPut: true,
  headerUse: "upload",
  ossHeaders: new Set([...UPLOAD_HEADERS, "x-oss-tagging"]),
} as const;
const COPY_CONDITIONS = ["match", "none-match", "modified-since", "unmodified-since"].map(
  (condition) => `x-oss-copy-source-if-${condition}`,
);
const PART = ["partNumber", "uploadId"];
/** `also`: the parameters of this list besides those that all have. */
const listing = (marks: readonly string[], ...also: string[]): Differences => ({
  level: "bucket",
  marks,
  optional: new Set(["prefix", "delimiter", "encoding-type", ...also]),
  keyParameters: KEY_MARKERS,
  isListing: true,
});

export const GET_OBJECT = plain("GetObject", { methods: READ, hasReadOptions: true, isTransfer: true });

/**
 * Every operation that a client may cause on a route that the gateway signs (issue 3 §1). Of those that fit, the first
 * is taken, so what has more marks stands before what has fewer; a mark that is left over is then refused.
 */
const SHAPES: readonly RequestShape[] = [
  named("GetBucketInfo", { level: "bucket", marks: ["bucketInfo"] }),
  named("GetBucketLocation", { level: "bucket", marks: ["location"] }),
  named("GetBucketStat", { level: "bucket", marks: ["stat"] }),
  named("ListMultipartUploads", listing(["uploads"], "max-uploads", "key-marker", "upload-id-marker")),
  named("ListObjectVersions", listing(["versions"], "max-keys", "key-marker", "version-id-marker")),
  named("ListObjectsV2", listing(["list-type"], "max-keys", "start-after", "continuation-token", "fetch-owner")),
  named("ListObjects", listing([], "max-keys", "marker")),
  named("DeleteMultipleObjects", {
    methods: ["POST"],
    level: "bucket",
    marks: ["delete"],
    optional: new Set(["encoding-type"]),
    headerUse: "document",
    namesOtherKeys: true,
  }),

  named("GetObjectMeta", { methods: READ, marks: ["objectMeta"] }),
  named("GetObjectACL", { marks: ["acl"] }),
  named("GetSymlink", { marks: ["symlink"] }),
  named("GetObjectTagging", { marks: ["tagging"] }),
  plain("ListParts", {
    needsPut: true,
    marks: ["uploadId"],
    optional: new Set(["max-parts", "part-number-marker", "encoding-type"]),
  }),
  named("GetObjectVersion", { methods: READ, marks: ["versionId"], hasReadOptions: true, isTransfer: true }),
  GET_OBJECT,

  named("UploadPartCopy", {
    methods: ["PUT"],
    marks: PART,
    markHeader: "x-oss-copy-source",
    headerUse: "none",
    ossHeaders: new Set(["x-oss-copy-source", "x-oss-copy-source-range", ...COPY_CONDITIONS]),
    namesOtherKeys: true,
  }),
  plain("UploadPart", { ...UPLOAD, methods: ["PUT"], marks: PART, isTransfer: true }),
  named("PutObjectACL", {
    methods: ["PUT"],
    marks: ["acl"],
    headerUse: "document",
    ossHeaders: new Set(["x-oss-object-acl"]),
  }),
  named("PutObjectTagging", { methods: ["PUT"], marks: ["tagging"], headerUse: "document" }),
  named("PutSymlink", {
    ...UPLOAD,
    needsPut: false,
    methods: ["PUT"],
    marks: ["symlink"],
    ossHeaders: new Set([...UPLOAD.ossHeaders, "x-oss-symlink-target"]),
    namesOtherKeys: true,
  }),
  named("CopyObject", {
    methods: ["PUT"],
    markHeader: "x-oss-copy-source",
    headerUse: "upload",
    ossHeaders: new Set([
      ...UPLOAD.ossHeaders,
      "x-oss-copy-source",
      "x-oss-metadata-directive",
      "x-oss-tagging-directive",
      ...COPY_CONDITIONS,
    ]),
    namesOtherKeys: true,
  }),
  plain("PutObject", { ...UPLOAD, methods: ["PUT"], isTransfer: true }),

  named("AppendObject", {
    ...UPLOAD,
    needsPut: false,
    methods: ["POST"],
    marks: ["append", "position"],
    isTransfer: true,
  }),
  named("RestoreObject", { methods: ["POST"], marks: ["restore"], headerUse: "document" }),
  plain("InitiateMultipartUpload", {
    ...UPLOAD,
    methods: ["POST"],
    marks: ["uploads"],
    optional: new Set(["encoding-type"]),
  }),
  plain("CompleteMultipartUpload", {
    ...UPLOAD,
    methods: ["POST"],
    marks: ["uploadId"],
    optional: new Set(["encoding-type"]),
  }),

  plain("AbortMultipartUpload", { needsPut: true, methods: ["DELETE"], marks: ["uploadId"], headerUse: "none" }),
  named("DeleteObjectTagging", { methods: ["DELETE"], marks: ["tagging"], headerUse: "none" }),
  named("DeleteObjectVersion", { methods: ["DELETE"], marks: ["versionId"], headerUse: "none" }),
  plain("DeleteObject", { methods: ["DELETE"], headerUse: "none" }),
];

function byMethodAndLevel(): ReadonlyMap<string, readonly RequestShape[]> {
  const index = new Map<string, RequestShape[]>();
  for (const shape of SHAPES) {
    for (const method of shape.methods) {
      const place = `${method} ${shape.level}`;
      index.set(place, [...(index.get(place) ?? []), shape]);
    }
  }
  return index;
}

const INDEX = byMethodAndLevel();

/** Whether any operation of the method is like this. */
export function someShape(method: string, isLike: (shape: RequestShape) => boolean): boolean {
  return SHAPES.some((shape) => shape.methods.includes(method) && isLike(shape));
}

/** The operation that a request is, by its marks alone; `null` when OSS may have one, but none that is on the list. */
export function findShape(
  method: string,
  level: "bucket" | "object",
  parameters: ReadonlyMap<string, string>,
  hasCopySource: boolean,
): RequestShape | null {
  const candidates = INDEX.get(`${method} ${level}`) ?? [];
  const found = candidates.find(
    ({ marks, markHeader }) => (markHeader === null || hasCopySource) && marks.every((mark) => parameters.has(mark)),
  );
  return found ?? null;
}
