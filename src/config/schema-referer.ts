import { listOf, mapOf, oneOf, textLeaf, yesOrNo } from "./leaves.js";
import { optional, withDefault } from "./schema-keys.js";
import * as values from "./values-policies.js";

/** `routes[].referer`: OSS's hotlink protection (oss-semantics §5.1), or NGINX's `valid_referers`. */

const pattern = () => textLeaf({ type: "referer", expected: values.REFERER_EXPECTED, parse: values.parseReferer });

export const refererSchema = mapOf({
  mode: withDefault(
    oneOf(["enforce", "report"]),
    "enforce",
    "`report`: lets everything pass, and counts and logs what `enforce` would refuse.",
  ),
  allowEmptyReferer: withDefault(
    yesOrNo(),
    true,
    "Whether requests without a Referer pass. As at OSS, `false` counts only where `refererList` is not empty.",
  ),
  refererList: withDefault(
    listOf(pattern(), "referers"),
    [],
    "Referers that pass, from the beginning on; `*` is any text and `?` one character. Empty: all that are not on the blacklist.",
    ["https://www.example.com", "https://*.example.com"],
  ),
  refererBlacklist: withDefault(
    listOf(pattern(), "referers"),
    [],
    "Referers that do not pass, whatever `refererList` says.",
    ["https://bad.example.net"],
  ),
  allowTruncateQueryString: withDefault(
    yesOrNo(),
    true,
    "Whether the Referer's query is cut off before it is compared.",
  ),
  truncatePath: withDefault(yesOrNo(), false, "Whether the Referer's path is cut off too."),
  strict: withDefault(
    yesOrNo(),
    true,
    "A pattern that ends in a host ends at the host: `https://a.com` does not let `https://a.com.evil.net` pass. `false`: as OSS compares.",
  ),
  validReferers: optional(
    listOf(
      textLeaf({
        type: "referer",
        expected: values.VALID_REFERER_EXPECTED,
        parse: values.parseValidReferer,
      }),
      "referers as NGINX writes them",
      1,
    ),
    "OSS's rules, above",
    "NGINX's `valid_referers` instead of OSS's lists: `none`, `blocked`, `server_names` (the route's hosts), names with a wildcard and perhaps a path, and `~` before a regular expression (RE2).",
    ["none", "server_names", "*.example.com"],
  ),
});
