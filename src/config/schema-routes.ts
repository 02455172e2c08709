import { OPERATIONS } from "../core/operations.js";
import { parseDomain, parseRouteHost } from "./host-name.js";
import { duration, listOf, mapOf, oneOf, size, textLeaf, wholeNumber, yesOrNo } from "./leaves.js";
import { allowSchema, denySchema } from "./schema-access.js";
import { answerKeys } from "./schema-answers.js";
import { corsSchema } from "./schema-cors.js";
import { name, optional, reference, required, withDefault } from "./schema-keys.js";
import { budgetKeys } from "./schema-limits.js";
import { tlsKeys } from "./schema-listeners.js";
import { refererSchema } from "./schema-referer.js";
import { hlsSchema, signSchema } from "./schema-signing.js";
import { secretRef } from "./secret-ref.js";
import * as values from "./values.js";
import { parseForwardUrl } from "./values-credentials.js";
import { PATTERN_EXPECTED, parsePathPattern } from "./values-policies.js";

/** `routes[]` */

const match = mapOf({
  hosts: required(
    listOf(
      textLeaf({
        type: "host",
        expected: "a host name, a wildcard such as *.example.com, or an address",
        parse: parseRouteHost,
      }),
      "host names, wildcards or addresses",
      1,
    ),
    "Names, wildcards (`*.` is one or more labels), or the gateway's own address, as they stand in `Host`; compared in lower case, without port and trailing dot. An exact host beats a wildcard, the longest wildcard wins.",
    ["img.example.com", "*.img.example.com", "47.0.2.74"],
  ),
  listeners: optional(
    listOf(reference(values.REFERENCE_EXPECTED.listener), "names of listeners", 1),
    "all",
    "The listeners that serve this route.",
    ["web"],
  ),
  pathPrefix: withDefault(
    textLeaf({
      type: "path",
      expected: "a decoded path prefix such as / or /media",
      parse: values.parsePathPrefix,
      pattern: /^\//,
    }),
    "/",
    "The decoded path begins with this and ends there or goes on with a slash. The longest prefix of a host wins.",
    "/media",
  ),
  pathPattern: optional(
    textLeaf({ type: "expression", expected: PATTERN_EXPECTED, parse: parsePathPattern }),
    "every path below `pathPrefix`",
    "An RE2 expression that must be found in the decoded path, besides the prefix. Of routes with the same host and prefix those with a pattern come first, in the order of the file; a longer prefix goes before any pattern. A bucket in the path and an image style (`!small`) are parts of the path.",
    "(?i)\\.(jpg|png)$",
  ),
});

const callback = mapOf({
  forward: required(
    textLeaf({
      type: "URL",
      expected: "a URL such as https://app.example.com/uploaded",
      parse: parseForwardUrl,
      pattern: /^https?:\/\/[^?#@]+$/,
    }),
    "The application that is told of an upload: a URL with its path.",
    "https://app.example.com/uploaded",
  ),
  buckets: required(
    listOf(reference(values.REFERENCE_EXPECTED.bucket), "aliases of buckets", 1),
    "Aliases of the buckets whose uploads may call.",
    ["media"],
  ),
  secret: required(secretRef(), "Signs the tokens that `POST /policy` puts into callback URLs, at least 16 bytes.", {
    env: "CALLBACK_SECRET",
  }),
  timeout: withDefault(
    duration({ min: "100ms", max: "4.5s", example: "4s" }),
    "4s",
    "How long the application may take. OSS itself waits 5 s.",
  ),
});

/** Plain reading, writing and deleting needs no name. */
function operationHint(input: string): string {
  const isPlain = /^(?:Get|Head|Put|Delete)Object$/i.test(input);
  return isPlain ? "The route's methods allow it without being named here." : "";
}

const METHODS = ["GET", "HEAD", "OPTIONS", "PUT", "POST", "DELETE"] as const;

export const routeSchema = mapOf({
  name: required(name(), "The route's label in logs and metrics.", "images"),
  match: required(match, "Which requests take this route."),
  bucket: optional(
    reference(values.REFERENCE_EXPECTED.bucket),
    "`buckets` or `callback`",
    "The alias of the bucket that serves this route. Exactly one of this, `buckets` and `callback`.",
    "media",
  ),
  buckets: optional(
    listOf(reference(values.REFERENCE_EXPECTED.bucket), "aliases of buckets", 1),
    "`bucket` or `callback`",
    "Aliases of buckets in path style: the first segment of the path is the OSS name of one of them, any other is answered 404. Their own OSS host names are taken in `Host` too.",
    ["media"],
  ),
  callback: optional(
    callback,
    "`bucket` or `buckets`",
    "Instead of a bucket: this route takes upload callbacks of OSS, checks them and hands them to an application.",
    { forward: "https://app.example.com/uploaded", buckets: ["media"], secret: { env: "CALLBACK_SECRET" } },
  ),
  stripPrefix: withDefault(
    yesOrNo(),
    false,
    "Whether `match.pathPrefix` is taken off before the path becomes the key.",
  ),
  keyPrefix: withDefault(
    textLeaf({ type: "text", expected: 'the beginning of a key such as site/ or ""', parse: values.parseKeyPrefix }),
    "",
    "Put before the key.",
    "site/",
  ),
  hostHeader: withDefault(
    textLeaf({
      type: "`bucket`, `client` or domain",
      expected: "bucket, client or a domain of the bucket",
      parse: values.parseHostHeader(parseDomain),
    }),
    "bucket",
    "The `Host` that OSS sees: the bucket's OSS host name; the client's own `Host`, when every host of the route is a name of the bucket; or one of the bucket's `domains`, which browsers then show instead of downloading.",
    "img.example.com",
  ),
  methods: withDefault(
    listOf(oneOf(METHODS), "methods", 1),
    ["GET", "HEAD"],
    "The methods that pass; others are answered 405. A route with `callback` has `[POST]`.",
  ),
  auth: withDefault(
    oneOf(["relay", "sign"]),
    "relay",
    "`relay`: what the client signed arrives at OSS as it was signed. `sign`: the gateway signs; then `sign` and `allow` are needed.",
  ),
  sign: optional(signSchema, "none", "How the gateway signs. With `auth: sign`.", { credentials: "media-reader" }),
  clientSignatures: withDefault(
    oneOf(["refuse", "relay", "verify"]),
    "refuse",
    "What becomes of a request that the client signed, with `auth: sign`. `relay`: OSS decides. `verify`: checked here against the gateway's own credentials, then signed by the gateway.",
  ),
  operations: withDefault(
    listOf(
      oneOf(OPERATIONS, {
        expected: "the name of an operation such as ListObjectsV2",
        type: "operation",
        hint: operationHint,
      }),
      "operations",
    ),
    [],
    `What clients may ask beyond reading, writing and deleting one object, with \`auth: sign\`: ${OPERATIONS.join(", ")}.`,
    ["ListObjectsV2"],
  ),
  allow: optional(
    allowSchema,
    "everybody with `auth: relay`; **required** with `auth: sign`",
    "Who may use the route. With more than one member `satisfy` says whether one is enough.",
    { clients: ["203.0.113.0/24"] },
  ),
  satisfy: optional(
    oneOf(["any", "all"]),
    "**required** when `allow` has more than one member",
    "`any`: one member of `allow` is enough. `all`: every one is needed.",
    "any",
  ),
  deny: withDefault(denySchema, {}, "Who may not use the route. It is decided first and always wins."),
  hls: optional(hlsSchema, "playlists are files like others", "HLS from a private bucket. With `auth: sign`.", {
    mode: "rewrite",
  }),
  limits: withDefault(
    mapOf({
      bodySize: withDefault(
        size({ min: "0B", max: "1TiB", example: "5GiB" }),
        "5GiB",
        "The longest request body; more is answered 413. OSS itself takes 5 GiB at once.",
      ),
      ...budgetKeys,
    }),
    {},
    "What the requests of this route may take.",
  ),
  priority: withDefault(
    wholeNumber(-100, 100),
    0,
    "Where a quota has `shed: true`, the routes of the lowest priority are refused first.",
  ),
  referer: optional(
    refererSchema,
    "every Referer passes",
    "Hotlink protection by the Referer. Exempt, as at OSS, are only requests whose `Authorization` is an OSS signature that goes to OSS or was verified here.",
    { refererList: ["https://www.example.com"] },
  ),
  cors: optional(
    corsSchema,
    "the bucket's own rules, which OSS applies",
    "Which pages of other origins may read the answers. Preflights are answered here.",
    { rules: [{ allowedOrigins: ["https://www.example.com"], allowedMethods: ["GET"] }] },
  ),
  ...answerKeys,
  ...tlsKeys,
  requestHeaders: withDefault(
    mapOf({
      remove: withDefault(
        listOf(
          textLeaf({
            type: "header name",
            expected: "the name of a request header such as cookie",
            parse: values.parseRemovedHeader,
          }),
          "header names",
        ),
        [],
        "Request headers that are not sent to OSS. None that a signature or the framing of the message depends on.",
        ["cookie"],
      ),
    }),
    {},
    "Changes to the request's headers.",
  ),
});
