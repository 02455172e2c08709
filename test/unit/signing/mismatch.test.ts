import t, { type Test } from "tap";
import { type OssCredentials, Secret } from "../../../src/core/secret.js";
import { encodePath } from "../../../src/core/target.js";
import { parseQuery } from "../../../src/signing/canonical.js";
import { classify } from "../../../src/signing/classify.js";
import { explainMismatch, flawedSignature, type OssText } from "../../../src/signing/mismatch.js";
import { MISMATCH_CAUSES, type Mismatch, type MismatchCause } from "../../../src/signing/mismatch-causes.js";
import { signedParts } from "../../../src/signing/mismatch-suspects.js";
import { type Reading, type StatedSignature, statedSignature, withHeaders } from "../../../src/signing/signed-text.js";
import type { SignatureClass } from "../../../src/signing/types.js";
import { verifyRequest } from "../../../src/signing/verify.js";
import { contextOf, readVectors, requestOf, type Vector } from "./vectors.js";

const OSS_HOST = "examplebucket.oss-cn-hangzhou.aliyuncs.com";

/** A request of a vector as one reads it; the query is kept raw beside it for who verifies it. */
interface Sample {
  readonly vector: Vector;
  readonly reading: Reading;
}

const samples: readonly Sample[] = [...readVectors("signatures"), ...readVectors("extra")]
  .filter(
    ({ version, location, expires, date }) => version !== undefined && location !== undefined && (expires ?? date),
  )
  .map((vector) => ({ vector, reading: readingOf(vector) }))
  .filter(({ vector, reading }) => verdictOf(vector, reading, vector.accessKeySecret).ok);

function readingOf(vector: Vector): Reading {
  const { method, bucket, key, rawQuery, headers } = requestOf(vector);
  return { method, bucket, key, query: parseQuery(rawQuery), headers };
}

function rawQueryOf({ query }: Reading): string {
  return query
    .map(([name, value]) =>
      value === null ? encodeURIComponent(name) : `${encodeURIComponent(name)}=${encodeURIComponent(value)}`,
    )
    .join("&");
}

function classOf(reading: Reading): SignatureClass {
  return classify(reading.method, rawQueryOf(reading), reading.headers);
}

/** What OSS would say to a request, with this secret for the vector's key. */
function verdictOf(vector: Vector, reading: Reading, secret: string) {
  const context = contextOf(vector);
  const known = { ...context.findCredentials(vector.accessKeyId), accessKeySecret: new Secret(secret) };
  return verifyRequest({ ...reading, rawQuery: rawQueryOf(reading) }, classOf(reading), {
    ...context,
    findCredentials: () => known as NonNullable<ReturnType<typeof context.findCredentials>>,
  });
}

/** OSS's own text of a request that it refuses, as it stands in the error document; `null`: it refused something else. */
function ossText(vector: Vector, reading: Reading, secret = vector.accessKeySecret): OssText | null {
  const verdict = verdictOf(vector, reading, secret);
  if (verdict.ok || verdict.code !== "SignatureDoesNotMatch") return null;
  const extra = new Map(verdict.extra);
  return { stringToSign: extra.get("StringToSign") ?? "", canonicalRequest: extra.get("CanonicalRequest") ?? null };
}

interface Journey {
  readonly vector: Vector;
  readonly oss: OssText;
  readonly received: Reading;
  readonly sent: Reading;
  readonly secret?: string | null;
  readonly rawPath?: string;
}

function explain({ vector, oss, received, sent, secret = null, rawPath }: Journey): Mismatch {
  const stated = statedSignature(sent, classOf(sent));
  if (stated === null) throw new Error(`the signature of ${vector.name} cannot be read`);
  const credentials: OssCredentials | null =
    secret === null ? null : { accessKeyId: vector.accessKeyId, accessKeySecret: new Secret(secret) };
  const hosts = [OSS_HOST, "img.example.com"];
  return explainMismatch({
    oss,
    stated,
    received,
    sent,
    rawPath: rawPath ?? `/${encodePath(sent.key)}`,
    hosts,
    credentials,
  });
}

const has = ({ headers }: Reading, name: string): boolean =>
  headers.some((text, i) => i % 2 === 0 && text.toLowerCase() === name);

const header = ({ headers }: Reading, name: string): string =>
  headers.find((_, i) => i % 2 === 1 && headers[i - 1]?.toLowerCase() === name) ?? "";

/** What a hop does to a request; `null`: it has nothing to do it to. */
interface Hop {
  readonly title: string;
  readonly cause: MismatchCause;
  readonly name?: string;
  readonly change: (reading: Reading, vector: Vector) => Reading | null;
  /** Only the difference tells it; from the request alone nobody could undo it. */
  readonly isLossy?: boolean;
}

const additional = (vector: Vector): readonly string[] =>
  (vector.additionalHeaders ?? []).map((name) => name.toLowerCase());

const HOPS: readonly Hop[] = [
  {
    title: "adds a Content-Type",
    cause: "content-type-added",
    name: "content-type",
    change: (reading) =>
      has(reading, "content-type") ? null : withHeaders(reading, { "content-type": "application/octet-stream" }),
  },
  {
    title: "adds a charset to Content-Type",
    cause: "header-changed",
    name: "content-type",
    change: (reading) => {
      const type = header(reading, "content-type");
      return type === "" || type.includes(";")
        ? null
        : withHeaders(reading, { "content-type": `${type}; charset=latin1` });
    },
  },
  {
    title: "takes Content-Type away",
    cause: "header-removed",
    name: "content-type",
    isLossy: true,
    change: (reading) => (has(reading, "content-type") ? withHeaders(reading, { "content-type": null }) : null),
  },
  {
    title: "adds x-oss-range-behavior",
    cause: "header-added-by-hop",
    name: "x-oss-range-behavior",
    change: (reading) => withHeaders(reading, { "x-oss-range-behavior": "standard" }),
  },
  {
    title: "takes x-oss-meta-author away",
    cause: "header-removed",
    name: "x-oss-meta-author",
    isLossy: true,
    change: (reading) =>
      has(reading, "x-oss-meta-author") ? withHeaders(reading, { "x-oss-meta-author": null }) : null,
  },
  {
    title: "makes GET of HEAD, and the other way round",
    cause: "method-changed",
    change: (reading) => {
      if (reading.method !== "GET" && reading.method !== "HEAD") return null;
      return { ...reading, method: reading.method === "GET" ? "HEAD" : "GET" };
    },
  },
  {
    title: "encodes the key a second time",
    cause: "key-encoded-twice",
    change: (reading) => {
      const key = encodePath(reading.key);
      return key === reading.key ? null : { ...reading, key };
    },
  },
  {
    title: "takes blanks of the key for plus signs",
    cause: "plus-as-space",
    change: (reading) =>
      reading.key.includes(" ") && !reading.key.includes("+")
        ? { ...reading, key: reading.key.replaceAll(" ", "+") }
        : null,
  },
  {
    title: "rewrites the key",
    cause: "key-changed",
    isLossy: true,
    change: (reading) => (reading.key === "" ? null : { ...reading, key: `elsewhere/${reading.key}` }),
  },
  {
    title: "adds a parameter",
    cause: "query-changed",
    name: "utm_source",
    change: (reading, { version }) =>
      version === "V1" ? null : { ...reading, query: [...reading.query, ["utm_source", "mail"]] },
  },
  {
    title: "adds a sub-resource",
    cause: "query-changed",
    name: "x-oss-process",
    change: (reading, { version }) =>
      version !== "V1" || reading.query.some(([name]) => name === "x-oss-process")
        ? null
        : { ...reading, query: [...reading.query, ["x-oss-process", "image/info"]] },
  },
  {
    title: "changes a Host that is signed",
    cause: "host-signed",
    name: "host",
    change: (reading, vector) =>
      additional(vector).includes("host") ? withHeaders(reading, { host: "47.0.2.74" }) : null,
  },
];

interface Trial {
  readonly vector: Vector;
  readonly original: Reading;
  readonly changed: Reading;
  readonly oss: OssText;
}

function trials(hop: Hop): readonly Trial[] {
  return samples.flatMap(({ vector, reading }): Trial[] => {
    const changed = hop.change(reading, vector);
    const oss = changed === null ? null : ossText(vector, changed);
    return changed === null || oss === null ? [] : [{ vector, original: reading, changed, oss }];
  });
}

function check(t: Test, { vector: { name } }: Trial, hop: Hop, found: Mismatch): void {
  t.equal(found.cause, hop.cause, name);
  if (hop.name !== undefined) t.equal(found.name, hop.name, name);
  t.equal(found.isProven, true, name);
}

t.test("the vectors are signatures that OSS would take", async (t) => {
  t.ok(samples.length >= 60, `${samples.length} samples`);
  for (const version of ["V1", "V2", "V4"]) {
    for (const location of ["header", "url"]) {
      t.ok(
        samples.some(({ vector }) => vector.version === version && vector.location === location),
        version + location,
      );
    }
  }
});

for (const hop of HOPS) {
  t.test(`a hop that ${hop.title} is found by the differences, behind the gateway and in it`, async (t) => {
    const found = trials(hop);
    t.ok(found.length > 0);
    for (const trial of found) {
      const { vector, original, changed, oss } = trial;
      const behind = explain({ vector, oss, received: original, sent: original });
      check(t, trial, hop, behind);
      t.equal(behind.place, "behind", vector.name);
      const inside = explain({ vector, oss, received: original, sent: changed });
      check(t, trial, hop, inside);
      t.equal(inside.place, "gateway", vector.name);
    }
  });
}

for (const hop of HOPS.filter(({ isLossy }) => isLossy !== true)) {
  t.test(`a hop before the gateway that ${hop.title} is proven where the secret is known`, async (t) => {
    for (const trial of trials(hop)) {
      const { vector, changed, oss } = trial;
      const found = explain({ vector, oss, received: changed, sent: changed, secret: vector.accessKeySecret });
      check(t, trial, hop, found);
      t.equal(found.place, "before", vector.name);
    }
  });
}

t.test("with another secret nothing is proven, and a request without marks is not blamed on anybody", async (t) => {
  for (const { vector, reading } of samples) {
    const oss = ossText(vector, reading, "another-secret") as OssText;
    const journey = { vector, oss, received: reading, sent: reading };
    const unknown = explain({ ...journey, secret: "a-third-secret" });
    t.equal(unknown.cause, "changed-before-or-wrong-secret", vector.name);
    t.equal(unknown.isProven, false, vector.name);
    // What the gateway knows made this very signature: OSS has another secret.
    const rotated = explain({ ...journey, secret: vector.accessKeySecret });
    t.equal(rotated.cause, "wrong-secret", vector.name);
    t.equal(rotated.isProven, true, vector.name);
    t.same(rotated.suspects, [], vector.name);
    t.equal(explain(journey).isProven, false, vector.name);
  }
});

t.test("without the secret, marks of the request tell what is likely", async (t) => {
  const find = (name: string): Sample => samples.find(({ vector }) => vector.name === name) as Sample;
  const likely = (name: string, change: (reading: Reading) => Reading, rawPath?: string): Mismatch => {
    const { vector, reading } = find(name);
    const changed = change(reading);
    const oss = ossText(vector, changed, "another-secret") as OssText;
    return explain({ vector, oss, received: changed, sent: changed, ...(rawPath === undefined ? {} : { rawPath }) });
  };
  const same = (reading: Reading): Reading => reading;
  const cases: readonly (readonly [MismatchCause, Mismatch])[] = [
    ["changed-before-or-wrong-secret", likely("gen-v1-url-plain-get", same)],
    ["changed-before-or-wrong-secret", likely("gen-v1-header-plain-get", same)],
    ["content-type-added", likely("gen-v1-url-plain-get", (r) => withHeaders(r, { "content-type": "text/plain" }))],
    [
      "content-type-added",
      likely("gen-v1-header-plain-get", (r) => withHeaders(r, { "content-type": "text/plain", via: "1.1 cache" })),
    ],
    ["header-added-by-hop", likely("gen-v1-header-plain-get", (r) => withHeaders(r, { "x-oss-meta-hop": "1" }))],
    ["header-added-by-hop", likely("gen-v4-header-plain-get", (r) => withHeaders(r, { "content-md5": "1B2M" }))],
    // An SDK may sign a type with a read.
    [
      "changed-before-or-wrong-secret",
      likely("gen-v1-header-plain-get", (r) => withHeaders(r, { "content-type": "text/plain" })),
    ],
    [
      "header-added-by-hop",
      likely("gen-v4-header-plain-get", (r) => withHeaders(r, { "x-oss-range-behavior": "standard" })),
    ],
    ["key-encoded-twice", likely("gen-v1-url-space-key", (r) => ({ ...r, key: encodePath(r.key) }))],
    ["plus-as-space", likely("gen-v1-url-plus-key", same, "/a+b/c+d.txt")],
    ["changed-before-or-wrong-secret", likely("gen-v1-url-plus-key", same, "/a%2Bb/c%2Bd.txt")],
    ["query-changed", likely("gen-v4-url-plain-get", (r) => ({ ...r, query: [...r.query, ["utm_source", "x"]] }))],
  ];
  for (const [cause, found] of cases) {
    t.equal(found.cause, cause);
    t.match(found, { place: "before", isProven: false });
  }
});

t.test(
  "a V4 answer without its canonical request still tells whether something changed behind the gateway",
  async (t) => {
    const v4 = samples.filter(({ vector }) => vector.version === "V4");
    for (const { vector, reading } of v4) {
      const changed = withHeaders(reading, { "x-oss-meta-new": "1" });
      const { stringToSign } = ossText(vector, changed) as OssText;
      const found = explain({
        vector,
        oss: { stringToSign, canonicalRequest: null },
        received: reading,
        sent: reading,
      });
      t.equal(found.place, "behind", vector.name);
      const same = ossText(vector, reading, "another-secret") as OssText;
      const oss = { stringToSign: same.stringToSign, canonicalRequest: null };
      t.equal(explain({ vector, oss, received: reading, sent: reading }).place, "before", vector.name);
    }
  },
);

t.test("texts that are none are no harm, and every cause is of the closed set", async (t) => {
  for (const { vector, reading } of samples) {
    for (const text of ["", "GET", "\n\n\n\n\n\n\n", "GET\n\n\n\nno resource", "a\nb\nc\nd\ne:f\n/\n"]) {
      const oss = { stringToSign: text, canonicalRequest: text };
      const found = explain({ vector, oss, received: reading, sent: reading, secret: "another-secret" });
      t.ok(MISMATCH_CAUSES.includes(found.cause), found.cause);
    }
  }
});

t.test("what is no signature is told as such, whatever else differs", async (t) => {
  const pieces: readonly (readonly [change: (signature: string) => string, cause: MismatchCause])[] = [
    [(signature) => signature.slice(0, -3), "signature-cut"],
    [(signature) => `${signature}A`, "signature-cut"],
    [() => "", "signature-cut"],
    [(signature) => `-${signature.slice(1)}`, "signature-cut"],
    [(signature) => signature.toUpperCase().replace(/[G-Z=/+]/g, "A"), "signature-cut"],
  ];
  for (const { vector, reading } of samples) {
    const stated = statedSignature(reading, classOf(reading));
    if (stated === null) throw new Error(vector.name);
    t.equal(flawedSignature(stated), null, vector.name);
    for (const [change, cause] of pieces) {
      const signature = change(stated.signature);
      t.match(
        flawedSignature({ ...stated, signature }),
        { cause, isProven: true, name: /./ },
        `${vector.name} ${signature}`,
      );
    }
    if (!stated.signature.includes("+")) continue;
    const signature = stated.signature.replaceAll("+", " ");
    t.match(flawedSignature({ ...stated, signature }), { cause: "plus-as-space", isProven: true }, vector.name);
  }
});

t.test("a signature that was changed behind the gateway is told by what OSS got", async (t) => {
  for (const { vector, reading } of samples) {
    const oss = ossText(vector, reading, "another-secret") as OssText;
    const stated = statedSignature(reading, classOf(reading));
    if (stated === null) throw new Error(vector.name);
    const journey = { vector, received: reading, sent: reading };
    const other = stated.signature.startsWith("a") ? `b${stated.signature.slice(1)}` : `a${stated.signature.slice(1)}`;
    for (const [signatureProvided, cause] of [
      [other, "signature-changed"],
      [stated.signature.slice(1), "signature-cut"],
    ] as const) {
      const found = explain({ ...journey, oss: { ...oss, signatureProvided } });
      t.match(found, { cause, place: "behind", isProven: true }, vector.name);
    }
    const same = explain({ ...journey, oss: { ...oss, signatureProvided: `${stated.signature}\n` } });
    t.equal(same.place, "before", vector.name);
  }
});

t.test("suspects are what is signed and a hop may have touched, by name, and few", async (t) => {
  const suspectsOf = (name: string, change: (reading: Reading) => Reading): readonly string[] => {
    const { reading } = samples.find(({ vector }) => vector.name === name) as Sample;
    const changed = change(reading);
    return signedParts(changed, statedSignature(changed, classOf(changed)) as StatedSignature);
  };
  const more = (reading: Reading): Reading => ({
    ...withHeaders(reading, {
      "content-type": "text/plain",
      "content-md5": "1B2M",
      "x-oss-meta-secret": "value",
      host: "h",
      via: "1.1 x",
    }),
    query: [...reading.query, ["acl", null], ["utm", "1"]],
  });
  const headers = ["content-type", "content-md5", "x-oss-meta-secret"];
  const sorted = (names: readonly string[]): readonly string[] => [...names].sort();
  t.same(sorted(suspectsOf("gen-v1-header-plain-get", more)), sorted([...headers, "?acl"]));
  t.same(sorted(suspectsOf("gen-v1-url-plain-get", more)), sorted([...headers, "?acl"]));
  t.same(sorted(suspectsOf("gen-v4-header-plain-get", more)), sorted([...headers, "?acl", "?utm"]));
  t.same(sorted(suspectsOf("gen-v4-url-plain-get", more)), sorted([...headers, "?acl", "?utm"]));
  const many = suspectsOf("gen-v4-url-plain-get", (reading) => ({
    ...reading,
    query: [...reading.query, ...Array.from({ length: 100 }, (_, i) => [`${i}\n${"x".repeat(500)}`, null] as const)],
  }));
  t.equal(many.length, 16);
  t.ok(many.every((name) => name.length <= 65 && !name.includes("\n")));
});
