import type { OssCredentials } from "../../src/core/secret.js";
import { CredentialSet } from "../../src/credentials/credential-set.js";
import { RecentSets } from "../../src/credentials/recent-sets.js";
import type { CredentialsSource } from "../../src/credentials/source.js";

/** A source of fixed credentials, for tests. They expire where they say so. */
export function staticSource(name: string, credentials: OssCredentials): CredentialsSource {
  const sets = new RecentSets();
  sets.add(new CredentialSet(credentials), 0);
  return {
    name,
    current: (nowMs) => sets.current(nowMs),
    find: (accessKeyId, nowMs) => sets.find(accessKeyId, nowMs),
    start: () => Promise.resolve(),
    noteRefused: () => {},
    close: () => {},
  };
}
