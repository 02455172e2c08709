import { connect } from "node:net";
import type { GatewayConfig } from "../config/gateway-config.js";
import { readSecret } from "../credentials/secret-ref.js";
import { SharedServer } from "../limits/shared-server.js";
import { Report } from "./finding.js";
import { within } from "./within.js";

/** Not the gateways' own prefix: among them the doctor must not count as one more. */
const PREFIX = "ossgate-doctor";

/** Services that the gateway asks: the server of shared limits, forwardAuth, the applications of callbacks. */
export async function examineServices(config: GatewayConfig, timeoutMs: number): Promise<readonly Report[]> {
  const urls = new Map<string, URL>();
  for (const { name, allow, target } of config.routes) {
    if (allow?.forwardAuth) urls.set(`route ${name}|forwardAuth`, allow.forwardAuth.url);
    if (target.kind === "callback") urls.set(`route ${name}|callback`, target.forward);
  }
  const asked = [...urls].map(([place, url]) => {
    const [subject = "", check = ""] = place.split("|");
    return examineConnect(new Report(subject), check, { url, timeoutMs });
  });
  return Promise.all([...(config.limits.shared === null ? [] : [examineShared(config, timeoutMs)]), ...asked]);
}

async function examineShared({ limits }: GatewayConfig, timeoutMs: number): Promise<Report> {
  const report = new Report("limits.shared");
  const shared = limits.shared as NonNullable<GatewayConfig["limits"]["shared"]>;
  const where = shared.url.host;
  let reason = `no answer within ${timeoutMs} ms`;
  let password = null;
  try {
    password = shared.password === null ? null : readSecret(shared.password, "limits.shared.password", process.env, 1);
  } catch (error) {
    report.add(
      "broken",
      "server",
      (error as Error).message,
      "Give the password where the configuration says that it is.",
    );
    return report;
  }
  const server = new SharedServer({
    url: shared.url,
    password,
    prefix: PREFIX,
    onState: (isUp, why) => {
      reason = isUp ? "" : why;
    },
    onSharers: () => {},
  });
  await within(server.started, timeoutMs);
  if (server.isUp) report.ok("server", `${where} answers`);
  else {
    const next =
      "Start the server, let this machine reach it, and check its password; until then each machine holds to its own share.";
    report.add("broken", "server", `${where}: ${reason}`, next);
  }
  await within(server.close(), timeoutMs);
  return report;
}

function examineConnect(
  report: Report,
  check: string,
  { url, timeoutMs }: { readonly url: URL; readonly timeoutMs: number },
): Promise<Report> {
  const port = url.port === "" ? (url.protocol === "https:" ? 443 : 80) : Number(url.port);
  const host = url.hostname.replace(/^\[|\]$/g, "");
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    const end = (problem: string | null): void => {
      if (problem === null) report.ok(check, `${host}:${port} takes connections`);
      else
        report.add("broken", check, `${host}:${port}: ${problem}`, "Start the service, and let this machine reach it.");
      socket.destroy();
      resolve(report);
    };
    socket.setTimeout(timeoutMs, () => end(`no connection within ${timeoutMs} ms`));
    socket.once("connect", () => end(null));
    socket.once("error", (error: NodeJS.ErrnoException) => end(error.code ?? error.message));
  });
}
