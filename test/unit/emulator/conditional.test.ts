import t from "tap";
import { type Conditions, evaluateConditions } from "../../../src/emulator/conditional.js";

const ETAG = '"5D41402ABC4B2A76B9719D911017C592"';
const OTHER = '"00000000000000000000000000000000"';
// The object's time has a fraction of a second that no header can say.
const OBJECT = { etag: ETAG, lastModifiedMs: Date.parse("2025-01-01T00:00:00.700Z") };
const BEFORE = "Tue, 31 Dec 2024 23:59:59 GMT";
const SAME = "Wed, 01 Jan 2025 00:00:00 GMT";
const AFTER = "Wed, 01 Jan 2025 00:00:01 GMT";

const NONE: Conditions = {
  ifMatch: undefined,
  ifNoneMatch: undefined,
  ifModifiedSince: undefined,
  ifUnmodifiedSince: undefined,
};

const TABLE: readonly (readonly [Partial<Conditions>, ReturnType<typeof evaluateConditions>])[] = [
  [{}, "proceed"],
  [{ ifMatch: ETAG }, "proceed"],
  [{ ifMatch: OTHER }, "failed"],
  [{ ifMatch: `${OTHER}, ${ETAG}` }, "proceed"],
  [{ ifMatch: "*" }, "proceed"],
  [{ ifMatch: ETAG.replaceAll('"', "") }, "proceed"],
  [{ ifNoneMatch: ETAG }, "not-modified"],
  [{ ifNoneMatch: OTHER }, "proceed"],
  [{ ifNoneMatch: "*" }, "not-modified"],
  [{ ifModifiedSince: BEFORE }, "proceed"],
  [{ ifModifiedSince: SAME }, "not-modified"],
  [{ ifModifiedSince: AFTER }, "not-modified"],
  [{ ifModifiedSince: "yesterday" }, "proceed"],
  [{ ifUnmodifiedSince: BEFORE }, "failed"],
  [{ ifUnmodifiedSince: SAME }, "proceed"],
  [{ ifUnmodifiedSince: AFTER }, "proceed"],
  [{ ifUnmodifiedSince: "yesterday" }, "proceed"],
  [{ ifMatch: ETAG, ifNoneMatch: ETAG }, "not-modified"],
  [{ ifMatch: OTHER, ifNoneMatch: ETAG }, "failed"],
  [{ ifMatch: ETAG, ifUnmodifiedSince: BEFORE }, "proceed"],
  [{ ifNoneMatch: OTHER, ifModifiedSince: AFTER }, "proceed"],
  [{ ifModifiedSince: AFTER, ifUnmodifiedSince: BEFORE }, "failed"],
  [{ ifModifiedSince: BEFORE, ifUnmodifiedSince: AFTER }, "proceed"],
];

for (const [conditions, expected] of TABLE) {
  t.test(`the conditions ${JSON.stringify(conditions)} end in ${expected}`, async (t) => {
    t.equal(evaluateConditions({ ...NONE, ...conditions }, OBJECT), expected);
  });
}
