import { duration, listOf, mapOf, oneOf, textLeaf, yesOrNo } from "./leaves.js";
import { byteRate } from "./leaves-rates.js";
import { optional, reference, required, withDefault } from "./schema-keys.js";
import { REFERENCE_EXPECTED } from "./values.js";
import * as signing from "./values-signing.js";

/** `routes[].sign` and `routes[].hls` */

export const signSchema = mapOf({
  credentials: required(
    reference(REFERENCE_EXPECTED.credentials),
    "What signs, by its name in `credentials`.",
    "media-reader",
  ),
  version: withDefault(
    oneOf(["v4", "v1"]),
    "v4",
    "The signature that OSS is sent. `v4` needs the bucket's `region`; `v1` is the old one.",
  ),
  plusInPath: withDefault(
    oneOf(["space", "literal"]),
    "space",
    "What a raw `+` in a client's path means: `space`, as OSS reads it, or the plus itself. `%2B` is a plus in any case.",
  ),
  process: withDefault(
    listOf(
      textLeaf({ type: "text", expected: signing.PROCESS_EXPECTED, parse: signing.parseProcess }),
      "values of x-oss-process",
    ),
    [],
    "Values of `x-oss-process` that clients may ask for; a `*` at the end stands for letters, digits and `_,.-`.",
    ["style/thumb", "image/resize,w_*"],
  ),
  responseOverrides: withDefault(
    listOf(oneOf(signing.RESPONSE_OVERRIDES, { hint: signing.responseOverrideHint }), "response-* parameters"),
    [],
    "The `response-*` parameters that clients may send.",
    ["response-content-disposition"],
  ),
  trafficLimit: optional(
    byteRate({ min: "100KiB/s", max: "100MiB/s", example: "8MiB/s", inBits: "819200bit/s to 838860800bit/s" }),
    "no limit",
    "What one transfer gets of OSS itself (`x-oss-traffic-limit`), 100KiB/s to 100MiB/s, or 819200bit/s to 838860800bit/s.",
    "8MiB/s",
  ),
});

export const hlsSchema = mapOf({
  mode: required(
    oneOf(["rewrite", "ossSign"]),
    "`rewrite`: the gateway puts a link of its own behind every URI of a playlist; needs `allow.links`. `ossSign`: OSS signs them (`x-oss-process=hls/sign`), which shows the AccessKey id and the STS token to viewers.",
    "rewrite",
  ),
  ttl: optional(
    duration({ min: "10s", max: "7d", example: "1h" }),
    "`1h`; with `mode: rewrite` not above `allow.links.maxAge`",
    "How long the links to segments hold, from each load of the playlist.",
    "1h",
  ),
  sessionTtl: optional(
    duration({ min: "10s", max: "7d", example: "12h" }),
    "`12h`, not above `allow.links.maxAge`",
    "How long the links to playlists hold when no link admitted the first one. With `mode: rewrite`.",
    "12h",
  ),
  root: optional(
    textLeaf({
      type: "path",
      expected: "a decoded path that begins and ends with a slash, /vod/ say",
      parse: signing.parseDirectory,
      pattern: /^\/(?:.*\/)?$/,
    }),
    "the playlist's own directory",
    "Where the URIs of a playlist may lead when no link admitted it. With `mode: rewrite`.",
    "/vod/",
  ),
  bindClient: withDefault(
    yesOrNo(),
    true,
    "Whether links in playlists hold for the viewer's address alone. With `mode: rewrite`.",
  ),
});
