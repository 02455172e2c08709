import type { RouteConfig } from "../config/gateway-config.js";
import type { CredentialsSource } from "../credentials/source.js";
import { DayKeyCache } from "../signing/day-key.js";
import { HeaderSigner } from "../signing/header-signer.js";
import type { CompiledBucket, CompiledSigning } from "./compiled-route.js";
import { rulesOf } from "./signing-rules.js";

/** What a route signs with; `null` for one that relays. */
export function compileSigning(
  route: RouteConfig,
  buckets: readonly CompiledBucket[],
  sources: ReadonlyMap<string, CredentialsSource>,
): CompiledSigning | null {
  const { sign } = route;
  const rules = rulesOf(route);
  if (sign === null || rules === null) return null;
  const source = sources.get(sign.credentials);
  if (source === undefined) throw new Error(`no credentials ${sign.credentials} in the checked configuration`);
  const signers = new Map(buckets.map((bucket) => [bucket, headerSigner(bucket, sign.version)]));
  return {
    source,
    rules,
    clientSignatures: route.clientSignatures,
    plusIsSpace: sign.plusInPath === "space",
    dayKeys: new DayKeyCache(),
    signerOf: (bucket) => signers.get(bucket) as HeaderSigner,
  };
}

function headerSigner({ ossName, region }: CompiledBucket, version: "v1" | "v4"): HeaderSigner {
  return new HeaderSigner({ bucket: ossName, region: region ?? "", product: "oss", version });
}
