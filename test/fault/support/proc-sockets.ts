import { readdirSync, readFileSync, readlinkSync } from "node:fs";

/** Linux's own books of processes and their sockets. */

/** The pids of the children of a process. */
export function childrenOf(pid: number): readonly number[] {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim();
  return text === "" ? [] : text.split(" ").map(Number);
}

/** Resident memory in MiB. */
export function rssMib(pid: number): number {
  return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0) / 1024;
}

interface TcpSocket {
  readonly localPort: number;
  readonly remotePort: number;
  readonly inode: string;
}

/** The established IPv4 connections of this machine whose own end is at one of these ports. */
export function connectionsAt(ports: readonly number[]): readonly TcpSocket[] {
  const ESTABLISHED = "01";
  return readFileSync("/proc/net/tcp", "utf8")
    .split("\n")
    .slice(1)
    .flatMap((line) => {
      const [, local = "", remote = "", state, , , , , , inode = ""] = line.trim().split(/\s+/);
      const localPort = portOf(local);
      if (state !== ESTABLISHED || !ports.includes(localPort)) return [];
      return [{ localPort, remotePort: portOf(remote), inode }];
    });
}

function portOf(address: string): number {
  return Number.parseInt(address.split(":")[1] ?? "0", 16);
}

/** The clients' ports of the connections at these ports that a process holds. */
export function clientPortsOf(pid: number, ports: readonly number[]): readonly number[] {
  const inodes = new Set(
    readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
      try {
        return /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1] ?? [];
      } catch {
        return [];
      }
    }),
  );
  return connectionsAt(ports)
    .filter(({ inode }) => inodes.has(inode))
    .map(({ remotePort }) => remotePort);
}
