import { listOf, mapOf, oneOfNumbers, textLeaf, wholeNumber, yesOrNo } from "./leaves.js";
import { byteRate, requestRate } from "./leaves-rates.js";
import { optional, reference, withDefault } from "./schema-keys.js";
import { secretRef } from "./secret-ref.js";
import { REFERENCE_EXPECTED } from "./values.js";
import { parseSharedUrl, SHARED_EXPECTED } from "./values-policies.js";

/** Rates and counts: `limits` of buckets and routes, `quota`, `quotas`, and what several machines share. */

const NONE = "no limit";

const rates = (of: string) => ({
  requests: optional(requestRate(), NONE, `Requests per second of ${of}.`, "2000/s"),
  burst: optional(
    wholeNumber(1, 1_000_000),
    "half a second's worth of `requests`, at least 1",
    "Requests that may come at once after a pause. With `requests`.",
    100,
  ),
  connections: optional(wholeNumber(1, 1_000_000), NONE, `Requests of ${of} that run at the same time.`, 20),
  egress: optional(
    byteRate(),
    NONE,
    `What ${of} may download, \`50MiB/s\` in bytes or \`400Mbit/s\` in bits; it is slowed down, not cut.`,
    "50MiB/s",
  ),
  ingress: optional(byteRate(), NONE, `What ${of} may upload, likewise.`, "10MiB/s"),
});

const perClient = mapOf(rates("one client"));

/** The keys of `limits` that a bucket and a route have in common. */
export const budgetKeys = {
  ...rates("all clients together"),
  perClient: optional(perClient, "no limits", "What one client may take, by its address; IPv6 clients by their /64.", {
    requests: "50/s",
    connections: 20,
  }),
  status: withDefault(oneOfNumbers([429, 503]), 429, "Of refusals, which say `Retry-After`. NGINX answers 503."),
  dryRun: withDefault(
    yesOrNo(),
    false,
    "Counts what would be refused or slowed down (and logs refusals), and lets it pass.",
  ),
};

export const bucketLimits = mapOf(budgetKeys);

const thresholds = (of: string) => ({
  requests: optional(
    requestRate(),
    "not watched",
    `Requests per second at which OSS refuses requests of ${of}.`,
    "10000/s",
  ),
  egress: optional(byteRate(), "not watched", `Downloads at which OSS slows ${of} down.`, "10Gbit/s"),
  ingress: optional(byteRate(), "not watched", `Uploads at which OSS slows ${of} down.`, "10Gbit/s"),
  shed: withDefault(
    yesOrNo(),
    false,
    "Answers 503 here, the routes of the lowest `priority` first, before OSS refuses requests at random.",
  ),
});

export const bucketQuota = mapOf(thresholds("the bucket"));

export const accountQuota = mapOf({
  buckets: optional(
    listOf(reference(REFERENCE_EXPECTED.bucket), "aliases of buckets", 1),
    "all",
    "Aliases of the buckets of this account.",
    ["media"],
  ),
  ...thresholds("the account"),
});

export const sharedKeys = {
  shared: optional(
    textLeaf({ type: "URL", expected: SHARED_EXPECTED, parse: parseSharedUrl, pattern: /^rediss?:\/\/[^@?#]+$/ }),
    "each machine for itself",
    "The Redis or Valkey server by which several machines share the rates of routes and buckets; without user and password. While it does not answer, each machine holds its own share.",
    "redis://10.0.0.5:6379/0",
  ),
  sharedPassword: optional(
    secretRef(),
    "none",
    "The password of the server in `shared`; it may be shorter than 16 bytes.",
    { env: "REDIS_PASSWORD" },
  ),
};
