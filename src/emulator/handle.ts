import { headerValue, headerValues } from "../core/headers.js";
import { splitTarget } from "../core/target.js";
import { classify } from "../signing/classify.js";
import type { Verdict } from "../signing/types.js";
import { verifyRequest } from "../signing/verify.js";
import { anonymousRefusal, hasAccess } from "./access.js";
import { isRefusal, type Outcome } from "./answer.js";
import { listBuckets } from "./bucket-handlers.js";
import { withCors, withVary } from "./cors.js";
import { notEmulated, type Refusal, refuse } from "./errors.js";
import type { Arrival, Exchange, World } from "./exchange.js";
import { type HostMatch, isBucketName, isInternalHost, matchHost, publicEndpoint } from "./host.js";
import { keyOfPath } from "./key.js";
import { parameterProblem } from "./not-emulated.js";
import { findOperation } from "./operations.js";
import { postObject } from "./post-object.js";
import { parseQuery, type Query } from "./query.js";
import { refererRefusal } from "./referer.js";
import type { Bucket } from "./store.js";

/** A request of which the Host and the target are understood. */
interface Addressed {
  readonly arrival: Arrival;
  readonly world: World;
  readonly key: string;
  readonly rawPath: string;
  readonly rawQuery: string;
  readonly query: Query;
  readonly hostHeader: string;
  readonly host: HostMatch;
  readonly nowMs: number;
}

/**
 * Answers one request, in this order: host, bucket, region, signature, referer, operation, access, and then the operation.
 * The order between the first two and the signature is not documented.
 */
export async function handleRequest(arrival: Arrival, world: World): Promise<Outcome> {
  const addressed = addressRequest(arrival, world);
  if (isRefusal(addressed)) return addressed;
  if (addressed.host.kind === "service") return handleService(addressed, addressed.host.region);
  const place = findBucket(addressed);
  if (isRefusal(place)) return place;
  const outcome = await handleBucket(addressed, place);
  return withVary(outcome, place.bucket.cors);
}

function addressRequest(arrival: Arrival, world: World): Addressed | Refusal {
  const hosts = headerValues(arrival.headers, "host");
  if (hosts.length > 1) return refuse("InvalidRequest", { message: "The request has more than one Host header." });
  if (!arrival.rawTarget.startsWith("/")) return notEmulated("a request target that is not a path");
  const { rawPath, rawQuery } = splitTarget(arrival.rawTarget);
  const key = keyOfPath(rawPath);
  if (typeof key !== "string") return key;
  const hostHeader = hosts[0] ?? "";
  const host = matchHost(hostHeader);
  return {
    arrival,
    world,
    key,
    rawPath,
    rawQuery,
    query: parseQuery(rawQuery),
    hostHeader,
    host,
    nowMs: world.nowMs(),
  };
}

async function handleService(addressed: Addressed, region: string | null): Promise<Outcome> {
  if (addressed.key !== "") return refuse("SecondLevelDomainForbidden");
  const verdict = verify(addressed, { bucketName: "", region });
  if (isRefusal(verdict)) return verdict;
  const isList = addressed.arrival.method === "GET" && !addressed.query.has("regions");
  if (!isList) return notEmulated("service requests but ListBuckets");
  return verdict.accessKeyId === null ? anonymousRefusal("owner") : listBuckets(addressed.world, addressed.query);
}

interface Place {
  readonly bucket: Bucket;
  /** For the scope of V4; `null` where the host tells none. */
  readonly region: string | null;
  readonly isDefaultDomain: boolean;
  readonly isAccelerate: boolean;
}

function findBucket({ host, world, hostHeader }: Addressed): Place | Refusal {
  if (host.kind === "not-emulated") return notEmulated(host.what);
  if (host.kind === "bucket") return findNamedBucket(host, world, hostHeader);
  const bucket = host.kind === "other-name" ? world.store.findByDomain(host.name) : undefined;
  if (bucket === undefined) return refuse("NonStandardHostForbidden");
  return { bucket, region: bucket.region, isDefaultDomain: false, isAccelerate: false };
}

function findNamedBucket(
  host: HostMatch & { readonly kind: "bucket" },
  world: World,
  hostHeader: string,
): Place | Refusal {
  const named = [["BucketName", host.bucket]] as const;
  if (!isBucketName(host.bucket)) return refuse("InvalidBucketName", { extra: named });
  const bucket = world.store.findBucket(host.bucket);
  if (bucket === undefined) return refuse("NoSuchBucket", { extra: named });
  if (host.isAccelerate && !bucket.hasAcceleration) return refuse("TransferAccelerationDisabled");
  if (host.region !== null && host.region !== bucket.region) return wrongRegion(bucket);
  if (bucket.forbidsPublicEndpoint && !isInternalHost(hostHeader)) return refuse("PublicEndpointForbidden");
  return { bucket, region: host.region, isDefaultDomain: true, isAccelerate: host.isAccelerate };
}

/** 403 with the right endpoint (oss-semantics §1.3). */
function wrongRegion(bucket: Bucket): Refusal {
  return refuse("AccessDenied", {
    message:
      "The bucket you are attempting to access must be addressed using the specified endpoint. Please send all future requests to this endpoint.",
    extra: [
      ["Bucket", bucket.name],
      ["Endpoint", publicEndpoint(bucket.region)],
    ],
  });
}

async function handleBucket(addressed: Addressed, place: Place): Promise<Outcome> {
  const { arrival, key, query } = addressed;
  const level = key === "" ? "bucket" : "object";
  const headerNames = lowerNames(arrival.headers);
  const operation = findOperation({ method: arrival.method, level, query, headerNames });
  if (isPostObject(addressed)) {
    const exchange = makeExchange(addressed, place, ANONYMOUS);
    return withCors(await postObject(exchange, place.region), exchange);
  }
  const early = isRefusal(operation) ? null : (operation.precheck?.(query, headerNames) ?? null);
  if (early !== null) return early;
  const isPreflight = !isRefusal(operation) && operation.need === "anyone";
  const verdict = isPreflight ? ANONYMOUS : verify(addressed, { bucketName: place.bucket.name, region: place.region });
  if (isRefusal(verdict)) return verdict;
  const exchange = makeExchange(addressed, place, verdict);
  const refused = isPreflight ? null : refererRefusal(exchange);
  if (refused !== null) return refused;
  if (isRefusal(operation)) return operation;
  const isAllowed = hasAccess(operation.need, place.bucket, place.bucket.objects.get(key), verdict.accessKeyId);
  if (!isAllowed) return anonymousRefusal(operation.need);
  return withCors(await operation.handle(exchange), exchange);
}

function makeExchange(addressed: Addressed, place: Place, { accessKeyId, signatureClass }: Passed): Exchange {
  const { arrival, world, key, query, hostHeader, nowMs } = addressed;
  const { headers } = arrival;
  return { ...place, arrival, world, key, query, headers, hostHeader, accessKeyId, signatureClass, nowMs };
}

/** A form to the bucket's root; its URL and headers do not authenticate (oss-semantics §9.1). */
function isPostObject({ arrival, key, query }: Addressed): boolean {
  const type = headerValue(arrival.headers, "content-type")?.trimStart().toLowerCase() ?? "";
  return (
    arrival.method === "POST" &&
    key === "" &&
    parameterProblem(query.keys(), NONE) === null &&
    type.startsWith("multipart/form-data")
  );
}

const NONE: ReadonlySet<string> = new Set();

type Passed = Extract<Verdict, { readonly ok: true }>;

const ANONYMOUS: Passed = { ok: true, signatureClass: "anonymous", accessKeyId: null };

function verify(
  addressed: Addressed,
  scope: { readonly bucketName: string; readonly region: string | null },
): Passed | Refusal {
  const { arrival, rawQuery, key, world, nowMs } = addressed;
  const { method, headers } = arrival;
  const signatureClass = classify(method, rawQuery, headers);
  // OSS puts the peer's address into what these sign (oss-semantics §2.2), so they cannot be verified here.
  const restriction = [...addressed.query.keys()].find((name) => name.startsWith("x-oss-ac-"));
  if (restriction !== undefined) return notEmulated(`the parameter ${restriction}`);
  if (signatureClass === "aws-sigv4") return notEmulated("signatures of the S3 dialect");
  const verdict = verifyRequest({ method, bucket: scope.bucketName, key, rawQuery, headers }, signatureClass, {
    nowMs,
    region: scope.region,
    product: "oss",
    findCredentials: (accessKeyId) => world.credentials.get(accessKeyId) ?? null,
  });
  return verdict.ok ? verdict : { kind: "refusal", headers: [], ...verdict };
}

function lowerNames(headers: Arrival["headers"]): ReadonlySet<string> {
  const names = new Set<string>();
  for (let i = 0; i < headers.length; i += 2) names.add((headers[i] as string).toLowerCase());
  return names;
}
