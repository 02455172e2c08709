import { LRUCache } from "lru-cache";

/** Clients of one budget that are remembered; an entry is about 200 bytes. */
const MAX_CLIENTS = 65_536;

export interface ClientMap<T> {
  (client: string): T;
  /** What is known of any client. */
  all(): Iterable<T>;
}

/**
 * What is known of each client, bounded: who was not seen for longest is forgotten and then begins anew. Whoever commands
 * more than 65,536 addresses of a kind (IPv6: networks of /64) gets their bursts again; the rate of the whole holds.
 */
export function clientMap<T extends object>(make: (client: string) => T, maxClients = MAX_CLIENTS): ClientMap<T> {
  // By `max` the cache would set memory aside for all clients at once, for every budget of every route.
  const entries = new LRUCache<string, T>({ maxSize: maxClients, sizeCalculation: () => 1 });
  const of = (client: string): T => {
    const known = entries.get(client);
    if (known !== undefined) return known;
    const made = make(client);
    entries.set(client, made);
    return made;
  };
  return Object.assign(of, { all: () => entries.values() });
}
