/** Which server a host belongs to, on which address. */
import { isClosed } from "./closing.js";
import type { Findings } from "./findings.js";
import type { Listen } from "./listen.js";
import type { Listeners } from "./listeners.js";
import { closedAt, type Placed, placeOf } from "./placed.js";
import { WHOLE } from "./reach.js";
import type { Server } from "./servers.js";

export interface Claimed {
  readonly servers: readonly Server[];
  /** Those that NGINX passes over wholly. */
  readonly passedOver: readonly Server[];
}

/** Of several servers with one name on one address NGINX takes the first, and passes over the others. */
export function withoutRivals(servers: readonly Server[], findings: Findings): Claimed {
  const owners = ownersOf(servers);
  const kept: Server[] = [];
  const passedOver: Server[] = [];
  for (const server of servers) {
    const own = ownOf(server, owners);
    const lost = server.hosts.filter((host) => server.names.hosts.includes(host) && own.listensOf(host).length === 0);
    if (lost.length > 0 || own.listens.length < server.listens.length)
      findings.dangerous(
        server.names.directive ?? server.directive,
        `NGINX passes over ${(lost.length > 0 ? lost : server.hosts).join(", ")} here, because an earlier server of the same address has the name: it is left out`,
      );
    if (own.hosts.length === 0) passedOver.push(server);
    else kept.push({ ...server, hosts: own.hosts, listens: own.listens });
  }
  return { servers: kept, passedOver };
}

const keyOf = ({ address }: Listen, host: string): string => `${address} ${host}`;

/** Names that are written go before those that a server for every host is given; of these its address's default is first. */
function ownersOf(servers: readonly Server[]): ReadonlyMap<string, Server> {
  const owners = new Map<string, Server>();
  const claim = (server: Server, listen: Listen, host: string): void => {
    const key = keyOf(listen, host);
    if (!owners.has(key)) owners.set(key, server);
  };
  for (const server of servers)
    for (const listen of server.listens) for (const host of server.names.hosts) claim(server, listen, host);
  for (const isDefault of [true, false])
    for (const server of servers)
      for (const listen of server.listens)
        if (listen.isDefault === isDefault) for (const host of server.hosts) claim(server, listen, host);
  return owners;
}

/** What is left of a server: hosts that it has on the same addresses. */
function ownOf(server: Server, owners: ReadonlyMap<string, Server>) {
  const listensOf = (host: string): readonly Listen[] =>
    server.listens.filter((listen) => owners.get(keyOf(listen, host)) === server);
  const [first] = server.hosts.filter((host) => listensOf(host).length > 0);
  const listens = first === undefined ? [] : listensOf(first);
  const hosts = server.hosts.filter(
    (host) => listens.length > 0 && listens.every((one) => listensOf(host).includes(one)),
  );
  return { hosts, listens, listensOf };
}

/**
 * Hosts that a server has by name do not come to the route of another one's wildcard: those that have no route are
 * closed wherever such a one would take them.
 */
export function withNamedHosts(
  routes: readonly Placed[],
  servers: readonly Server[],
  listeners: Listeners,
): readonly Placed[] {
  const closed = servers.flatMap((server) =>
    server.hosts.flatMap((host) =>
      [...new Set(server.listens.map((listen) => listeners.nameOf(listen)))].flatMap((name) => {
        const here = routes.filter((route) => route.listeners.has(name));
        if (here.some(({ hosts }) => hosts.includes(host))) return [];
        const taker = here.find(({ hosts, body }) => !isClosed(body) && hosts.some((one) => isBelow(host, one)));
        return taker === undefined ? [] : [closedHost(server, host, name, taker)];
      }),
    ),
  );
  return [...routes, ...closed];
}

/** `*.example.com` has `a.example.com` and `*.b.example.com`. */
const isBelow = (host: string, wildcard: string): boolean =>
  wildcard.startsWith("*.") && host !== wildcard && host.endsWith(wildcard.slice(1));

function closedHost({ directive }: Server, host: string, listener: string, taker: Placed): Placed {
  const site = {
    ...{ directive, server: directive, from: placeOf(directive), reach: WHOLE, hosts: [host], order: -1, within: [] },
    listeners: new Set([listener]),
  };
  const closed = closedAt(site, "/");
  return { ...closed, body: { bucket: taker.body.bucket, ...closed.body } };
}
