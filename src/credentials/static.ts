import type { OssCredentials } from "../core/secret.js";
import { CredentialSet } from "./credential-set.js";
import { RecentSets } from "./recent-sets.js";
import type { CredentialsSource } from "./source.js";

/** A source of fixed credentials, for tests and tools. They expire where they say so. */
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
