import type { AllowConfig, LinksConfig, RouteConfig } from "../config/gateway-config.js";
import type { readSecret } from "../credentials/secret-ref.js";
import { type AccessPolicy, compileAccess } from "../policy/access.js";
import { compileLinkKeys } from "../policy/link-check.js";
import { LinkSigner } from "../policy/link-token.js";
import { compileSecureLink } from "../policy/secure-link.js";
import type { CompiledLinks } from "./compiled-route.js";

export type ReadSecret = typeof readSecret;

/** Who may use a route; `null`: everybody, which a route that signs must say out loud. */
export function compileRouteAccess({ allow, deny, satisfy }: RouteConfig): AccessPolicy | null {
  if ((allow === null || allow.anyone) && deny.clients.length === 0) return null;
  const members = allow === null ? null : membersOf(allow);
  return compileAccess({ allow: members, satisfy, deny });
}

function membersOf({ anyone, clients, links, signatures, basic, forwardAuth, certificates }: AllowConfig) {
  const asking = { basic: basic !== null, forwardAuth: forwardAuth !== null };
  return { anyone, clients, links: links !== null, signatures, certificates, ...asking };
}

/** @param where the route's place in the configuration, `routes[2]` */
export function compileRouteLinks(route: RouteConfig, where: string, read: ReadSecret): CompiledLinks | null {
  const links = route.allow?.links ?? null;
  if (links === null) return null;
  const place = `${where}.allow.links`;
  const secret = read(links.secret, `${place}.secret`);
  const previous = links.previousSecrets.map((ref, i) => read(ref, `${place}.previousSecrets[${i}]`));
  const secureLink = compileNginxForm(links, place, read);
  const { maxAgeMs } = links;
  return {
    keys: compileLinkKeys({ route: route.name, secrets: [secret, ...previous], maxAgeMs, secureLink }),
    signer: new LinkSigner(secret, route.name),
    secureLinkNames:
      links.secureLink === null
        ? null
        : { md5: links.secureLink.md5Parameter, expires: links.secureLink.expiresParameter },
  };
}

function compileNginxForm({ secureLink, maxAgeMs }: LinksConfig, place: string, read: ReadSecret) {
  if (secureLink === null) return null;
  // The links are out there already, so how long their secret is cannot be chosen here.
  const secret = read(secureLink.secret, `${place}.secureLink.secret`, undefined, 1);
  return compileSecureLink({ expression: secureLink.expression, secret, maxAgeMs });
}
