import { bucketHosts } from "../config/endpoint.js";
import type { BucketConfig } from "../config/gateway-config.js";
import { clientKey } from "./honoured.js";
import type { Located } from "./issue-routes.js";
import { IssueRefusal } from "./refusal.js";

/** What a URL is signed for: the object that the gateway reads, since the signature is good at OSS too. */
export interface PlacedObject {
  readonly bucket: BucketConfig;
  /** Decoded, without leading slash; `""` is the bucket itself. */
  readonly key: string;
}

/** The bucket and the key that the path of a URL means on its route. */
export function placeObject({ route, url }: Located): PlacedObject | IssueRefusal {
  const { config } = route;
  const placed = place({ route, url });
  if (placed instanceof IssueRefusal || placed.key === "") return placed;
  return { bucket: placed.bucket, key: config.keyPrefix + placed.key };
}

/** Before the route's key prefix. */
function place({ route, url }: Located): PlacedObject | IssueRefusal {
  const { config, buckets } = route;
  if (config.target.kind === "callback")
    return cannot(`Route ${config.name} takes upload callbacks; it has no objects.`);
  if (config.target.kind === "bucket") {
    const [bucket] = buckets;
    if (bucket === undefined) throw new Error(`route ${config.name} has no bucket in the checked configuration`);
    return { bucket, key: clientKey({ route, url }) };
  }
  return placeByPath({ route, url });
}

/** Path style, or the OSS host name of one of the buckets: what `gateway/locate.ts` makes of it. */
function placeByPath({ route, url }: Located): PlacedObject | IssueRefusal {
  const path = route.config.stripPrefix ? url.path.slice(route.pathPrefix.length) : url.path;
  const end = path.indexOf("/", 1);
  const [name, key] = end === -1 ? [path.slice(1), ""] : [path.slice(1, end), path.slice(end + 1)];
  const byHost = route.buckets.find((bucket) => bucketHosts(bucket).includes(url.host));
  if (byHost !== undefined) {
    if (name !== byHost.bucket) return { bucket: byHost, key: path.slice(1) };
    return cannot(
      `On this host the gateway takes ${name}/ for path style. Use the address of route ${route.config.name}.`,
    );
  }
  const bucket = route.buckets.find((candidate) => candidate.bucket === name);
  if (bucket !== undefined) return { bucket, key };
  const names = route.buckets.map((candidate) => candidate.bucket).join(", ");
  return new IssueRefusal(
    404,
    `The path must begin with the name of a bucket of route ${route.config.name}: ${names}.`,
  );
}

function cannot(message: string): IssueRefusal {
  return new IssueRefusal(422, message);
}
