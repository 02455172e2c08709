/** Sockets that systemd has bound and passed to this process, see sd_listen_fds(3). */
export interface SystemdSockets {
  /** File descriptors of the sockets of this name, in their order; empty: none was passed. */
  find(name: string): readonly number[];
  /** What is passed under names that are not wanted, in sentences. */
  unused(wanted: ReadonlySet<string>): readonly string[];
}

/** sd-daemon.h: SD_LISTEN_FDS_START. */
const FIRST_FD = 3;
/** Nobody passes more; a wrong number must not be counted up to. */
const MAX_FDS = 1_024;
/** What sd_listen_fds_with_names(3) calls those that have no name. */
const NO_NAME = "unknown";

/**
 * Call in the main process, before it starts others.
 * @param env its variables are taken out: they are this process's, not for workers
 */
export function takeSystemdSockets(env: NodeJS.ProcessEnv = process.env, pid: number = process.pid): SystemdSockets {
  const { LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES } = env;
  for (const name of ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PIDFDID"]) delete env[name];
  const isOurs = LISTEN_PID !== undefined && Number(LISTEN_PID) === pid;
  return socketsByName(isOurs ? countOf(LISTEN_FDS) : 0, LISTEN_FDNAMES);
}

function countOf(text = ""): number {
  const count = /^\d{1,4}$/.test(text) ? Number(text) : 0;
  return count <= MAX_FDS ? count : 0;
}

function socketsByName(count: number, namesText: string | undefined): SystemdSockets {
  const names = namesText === undefined ? [] : namesText.split(":");
  const byName = new Map<string, number[]>();
  for (let index = 0; index < count; index += 1) {
    const name = names[index] ?? NO_NAME;
    byName.set(name, [...(byName.get(name) ?? []), FIRST_FD + index]);
  }
  return {
    find: (name) => byName.get(name) ?? [],
    unused: (wanted) =>
      [...byName.keys()]
        .filter((name) => !wanted.has(name))
        .map(
          (name) =>
            `systemd passed a socket named ${name}, and no listener has the address systemd:${name}; who connects there is not answered`,
        ),
  };
}
