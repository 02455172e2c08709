import { request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";
import { createServer } from "node:net";
import type { GatewayConfig, ListenAddress, SocketAddress } from "../config/gateway-config.js";
import { Report } from "./finding.js";

interface Door {
  readonly subject: string;
  readonly address: SocketAddress | ListenAddress;
  readonly tls: boolean;
  /** What ossgate answers there, and nobody else. */
  readonly path: string;
  readonly isAdmin: boolean;
}

/** Whether the addresses can be had, or are ossgate's already. */
export async function examineListeners(
  { listeners, admin }: GatewayConfig,
  timeoutMs: number,
): Promise<readonly Report[]> {
  const doors: readonly Door[] = [
    ...listeners.map(({ name, address, tls }) => ({
      subject: `listener ${name}`,
      address,
      tls: tls !== null,
      path: "/ossgate-doctor",
      isAdmin: false,
    })),
    { subject: "admin", address: admin.address, tls: false, path: "/healthz", isAdmin: true },
  ];
  return Promise.all(doors.map((door) => examineDoor(door, timeoutMs)));
}

async function examineDoor(door: Door, timeoutMs: number): Promise<Report> {
  const report = new Report(door.subject);
  const { address } = door;
  if ("systemd" in address && address.systemd !== null) {
    report.skipped("address", `systemd binds the socket ${address.systemd}`);
    return report;
  }
  const where = address.host.includes(":") ? `[${address.host}]:${address.port}` : `${address.host}:${address.port}`;
  const code = await tryToBind(address);
  if (code === null) report.ok("address", `${where} is free`);
  else if (code === "EADDRINUSE") await examineTaken(report, door, { where, timeoutMs });
  else report.add(code === "EACCES" ? "warn" : "broken", "address", `${where} cannot be bound (${code})`, nextOf(code));
  return report;
}

function nextOf(code: string): string {
  if (code === "EACCES") {
    return "Ports below 1024 need CAP_NET_BIND_SERVICE, which the service's unit gives; this user has it not.";
  }
  if (code === "EADDRNOTAVAIL") return "This machine has no such address: write one that it has, or 0.0.0.0 for all.";
  return "Choose another address.";
}

/** @returns the code of what went wrong; `null`: nothing, and it is free again */
function tryToBind({ host, port }: SocketAddress): Promise<string | null> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? "unknown"));
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(null)));
  });
}

async function examineTaken(
  report: Report,
  door: Door,
  { where, timeoutMs }: { readonly where: string; readonly timeoutMs: number },
): Promise<void> {
  if (await isOurs(door, timeoutMs)) report.ok("address", `${where} is served by ossgate now`);
  else {
    const next = `Stop the other program (ss -ltnp 'sport = :${door.address.port}' names it), or choose another port.`;
    report.add("broken", "address", `${where} is taken by another program`, next);
  }
}

function isOurs({ address, tls, path, isAdmin }: Door, timeoutMs: number): Promise<boolean> {
  const host = address.host === "0.0.0.0" ? "127.0.0.1" : address.host === "::" ? "::1" : address.host;
  return new Promise((resolve) => {
    const name = isAdmin ? "localhost" : "ossgate-doctor.invalid";
    const options = { host, port: address.port, path, agent: false, headers: { host: name }, timeout: timeoutMs };
    // Who is there, and not whether it is trusted, is asked.
    const sent = tls ? httpsRequest({ ...options, rejectUnauthorized: false }) : httpRequest(options);
    sent.once("error", () => resolve(false));
    sent.once("timeout", () => sent.destroy());
    sent.once("response", (answer) => {
      answer.resume();
      const { headers } = answer;
      const isNamed = headers.server === "ossgate" || headers["x-ossgate-error"] !== undefined;
      resolve(isNamed || (isAdmin && answer.statusCode === 200));
      sent.destroy();
    });
    sent.end();
  });
}
