import * as z from "zod";
import { listOf, mapOf, textByName, textLeaf, yesOrNo } from "./leaves.js";
import { optional, withDefault } from "./schema-keys.js";
import * as values from "./values-policies.js";

/** What a route does to the answers of OSS: preview, documents of a site, and headers. */

const headerName = () =>
  z
    .string()
    .regex(values.HEADER_NAME, { error: "the name of a response header" })
    .refine(values.isSettableHeader, { error: "a response header, and none that frames or describes the body" });

const responseHeaders = mapOf({
  set: withDefault(
    textByName(
      headerName(),
      textLeaf({ type: "text", expected: values.HEADER_VALUE_EXPECTED, parse: values.parseHeaderValue }),
      "map of values by header names",
    ),
    {},
    "Headers that answers of OSS with 200, 204, 206, 301, 302 and 304 get, instead of those of the same name.",
    { "cache-control": "private, max-age=60" },
  ),
  always: withDefault(yesOrNo(), false, "`set` is for every status, and for the gateway's own answers too."),
  remove: withDefault(
    listOf(
      textLeaf({
        type: "header name",
        expected: "the name of a response header such as server",
        parse: values.parseRemovedResponseHeader,
      }),
      "header names",
    ),
    [],
    "Headers of OSS that clients do not get.",
    ["server"],
  ),
});

export const answerKeys = {
  preview: withDefault(
    yesOrNo(),
    false,
    "Takes back OSS's forced download (`x-oss-force-download`), so that browsers show what they would save; a disposition of the object's own stays. Where a domain is bound to the bucket, `hostHeader` is the better way.",
  ),
  trusted: withDefault(
    yesOrNo(),
    false,
    "HTML, SVG and XML of the bucket may run script on this host, as a site of your own does. Else they get `Content-Security-Policy: sandbox` where `preview` or `hostHeader` has them shown.",
  ),
  indexDocument: optional(
    textLeaf({ type: "file name", expected: values.INDEX_EXPECTED, parse: values.parseIndexDocument }),
    "none",
    "Put behind a path that ends at a slash.",
    "index.html",
  ),
  errorDocument: optional(
    textLeaf({ type: "key", expected: values.ERROR_DOCUMENT_EXPECTED, parse: values.parseErrorDocument }),
    "OSS's own answer",
    "The key, below `keyPrefix`, of what is shown with a 404, whose status is kept.",
    "404.html",
  ),
  responseHeaders: withDefault(responseHeaders, {}, "Changes to the answers' headers."),
};
