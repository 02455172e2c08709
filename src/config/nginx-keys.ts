const REQUESTS = "routes[].limits.perClient.requests with burst, or routes[].limits.requests for all clients together";
const CONNECTIONS = "routes[].limits.perClient.connections, or routes[].limits.connections for all clients together";

/** NGINX's directives and where their meaning is written here; paths as in the reference. */
export const NGINX_KEYS: ReadonlyMap<string, string> = new Map([
  ["limit_req", REQUESTS],
  ["limit_req_zone", REQUESTS],
  ["limit_req_status", "routes[].limits.status"],
  ["limit_req_dry_run", "routes[].limits.dryRun"],
  ["limit_conn", CONNECTIONS],
  ["limit_conn_zone", CONNECTIONS],
  ["limit_conn_status", "routes[].limits.status"],
  ["limit_conn_dry_run", "routes[].limits.dryRun"],
  ["limit_rate", "routes[].limits.perClient.egress, or routes[].sign.trafficLimit for each transfer"],
  ["client_max_body_size", "routes[].limits.bodySize"],
  ["auth_basic", "routes[].allow.basic.realm beside routes[].allow.basic.file"],
  ["auth_basic_user_file", "routes[].allow.basic.file"],
  ["auth_request", "routes[].allow.forwardAuth.url"],
  ["secure_link", "routes[].allow.links.secureLink"],
  ["secure_link_md5", "routes[].allow.links.secureLink.expression"],
  ["valid_referers", "routes[].referer.validReferers"],
  ["add_header", "routes[].responseHeaders.set"],
  ["proxy_hide_header", "routes[].responseHeaders.remove"],
  ["set_real_ip_from", "trustedProxies"],
  ["real_ip_header", "trustedProxies for X-Forwarded-For, and listeners[].proxyProtocol for PROXY headers"],
]);

/** What to write instead of a directive of NGINX's, for those who know it by heart; `null` for other keys. */
export function nginxHint(key: string): string | null {
  const here = NGINX_KEYS.get(key);
  return here === undefined ? null : `For NGINX's ${key} write ${here}.`;
}
