import type * as z from "zod";
import { parseSocketAddress } from "./address.js";
import { duration, listOf, mapOf, oneOf, size, textLeaf, wholeNumber, yesOrNo } from "./leaves.js";
import { network } from "./schema-access.js";
import { bucketSchema } from "./schema-buckets.js";
import { credentialsSchema } from "./schema-credentials.js";
import { mapByName, optional, required, withDefault } from "./schema-keys.js";
import { accountQuota, sharedKeys } from "./schema-limits.js";
import { acmeChallengeDirectory, listener, workers } from "./schema-listeners.js";
import { routeSchema } from "./schema-routes.js";
import { secretRef } from "./secret-ref.js";
import { parseLogOutput } from "./values.js";

/**
 * The one source of the configuration's types, defaults, reference and JSON Schema; its parts stand in `schema-*.ts`.
 * Every key says what it means, and has a default or an example.
 */

const socketAddress = () =>
  textLeaf({
    type: "address and port",
    expected: 'an address and a port, 0.0.0.0:80 or "[::]:80"',
    numberHint: "Add an address: 0.0.0.0:80 say.",
    parse: (text) => parseSocketAddress(text),
  });

const admin = mapOf({
  address: withDefault(
    socketAddress(),
    "127.0.0.1:9180",
    "Where `/metrics`, `/status`, `/healthz`, `/readyz` and the other pages for operators are served. It may not overlap a listener, because clients must not reach it. With any but a loopback address `bearerSecret` is needed.",
  ),
  bearerSecret: optional(
    secretRef(),
    "`POST /sign` and `POST /policy` are off",
    "Opens `POST /sign` and `POST /policy`, which make links, presigned URLs and upload forms: who asks sends it as `Authorization: Bearer …`. Where `address` is no loopback address, everything but `/healthz` and `/readyz` needs it.",
    { env: "OSSGATE_ADMIN_SECRET" },
  ),
  readerSecret: optional(
    secretRef(),
    "`bearerSecret` alone does",
    "Opens the pages and metrics, and nothing that signs or changes: for Prometheus.",
    { env: "OSSGATE_READER_SECRET" },
  ),
});

const logOutput = (stream: "stdout" | "stderr") => {
  const expected = `${stream}, journald, or the absolute path of a file`;
  return textLeaf({ type: "path", expected, parse: parseLogOutput(stream, expected) });
};

const log = mapOf({
  level: withDefault(
    oneOf(["debug", "info", "warn", "error"]),
    "info",
    "The least important messages that are written.",
  ),
  output: withDefault(
    logOutput("stderr"),
    "stderr",
    "Where they go. `journald` is standard error with the priorities that systemd reads; a file is opened again on SIGUSR2.",
  ),
  access: withDefault(
    mapOf({
      format: withDefault(
        oneOf(["json", "combined", "off"]),
        "json",
        "One JSON object for each request, a line as NGINX's `combined` has it, or none.",
      ),
      output: withDefault(
        logOutput("stdout"),
        "stdout",
        "Where it goes. `journald` is standard output with the priorities that systemd reads; a file is opened again on SIGUSR2.",
        "/var/log/ossgate/access.log",
      ),
      unmasked: withDefault(
        yesOrNo(),
        false,
        "Signatures, security tokens and link tokens are written out, in targets and referers. Whoever reads the log can use them.",
      ),
    }),
    {},
    "The access log.",
  ),
});

const limits = mapOf({
  headerSize: withDefault(
    size({ min: "1KiB", max: "1MiB", example: "32KiB" }),
    "32KiB",
    "All header bytes of a request, its request line included; more is answered 431.",
  ),
  headerCount: withDefault(wholeNumber(1, 10_000), 200, "Header lines of a request; more is answered 431."),
  targetSize: withDefault(
    size({ min: "256B", max: "1MiB", example: "16KiB" }),
    "16KiB",
    "The request target (path and query); more is answered 414. Below `headerSize`.",
  ),
  headerTimeout: withDefault(
    duration({ min: "1ms", max: "24h", example: "60s" }),
    "60s",
    "From the first byte of a request to the end of its headers; longer is answered 408.",
  ),
  clientIdleTimeout: withDefault(
    duration({ min: "1ms", max: "24h", example: "75s" }),
    "75s",
    "The longest silence of a client: between two requests, two reads of a body or two writes of an answer.",
  ),
  connections: withDefault(wholeNumber(1, 1_000_000), 10_000, "Open client connections of the whole gateway."),
  shutdownTimeout: withDefault(
    duration({ min: "0s", max: "24h", example: "30s" }),
    "30s",
    "How long running requests may still take, and idle connections may still ask, after SIGTERM.",
  ),
  ...sharedKeys,
});

export const configSchema = mapOf({
  listeners: required(listOf(listener, "listeners", 1), "Where clients connect."),
  admin: withDefault(admin, {}, "The listener for operators."),
  trustedProxies: withDefault(
    listOf(network("Name the networks of your own proxies."), "networks or addresses"),
    [],
    "Proxies whose `X-Forwarded-For` and PROXY header are believed; everybody else's change nothing. Their `X-Forwarded-Proto` is believed too, for redirects and `forwardAuth`. Without this, all clients behind a load balancer are one client to `perClient`, `allow`, `deny` and links.",
    ["10.0.0.0/8"],
  ),
  workers,
  log: withDefault(log, {}, "Logs."),
  metrics: withDefault(
    mapOf({
      compat: optional(
        oneOf(["vts"]),
        "none",
        "`vts`: the names that nginx-module-vts has are shown too, for dashboards that chart them.",
        "vts",
      ),
    }),
    {},
    "What Prometheus scrapes.",
  ),
  acmeChallengeDirectory,
  limits: withDefault(limits, {}, "Limits of the whole gateway."),
  quotas: withDefault(
    mapByName(accountQuota, "a map of accounts by names of yours"),
    {},
    "OSS's throttling thresholds of whole accounts, by names of yours: events, as CloudMonitor's, from 0.8 of them on.",
    { main: { requests: "10000/s" } },
  ),
  credentials: withDefault(
    mapByName(credentialsSchema, "a map of credentials by their names"),
    {},
    "What signs for the gateway, by name. Each has a `type`, which decides what other keys it has.",
    { "media-reader": { type: "env" } },
  ),
  buckets: required(
    mapByName(bucketSchema, "a map of buckets by their aliases").refine((buckets) => Object.keys(buckets).length > 0, {
      error: "at least one bucket",
    }),
    "The buckets by alias.",
  ),
  routes: required(listOf(routeSchema, "routes", 1), "Which request goes to which bucket."),
});

/** What the schema makes of a file that has no problems in any single field. */
export type ParsedConfig = z.output<typeof configSchema>;
