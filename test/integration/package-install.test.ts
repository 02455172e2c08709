import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import t, { type Test } from "tap";
import { type Built, build, CONFIG, nextVersion, run, temporary } from "./package-build.js";
import { configOf, needs, startOrigin } from "./systemd-service.js";

/** Maintainer scripts run in a root of their own, which only root may make. */
const needsRoot =
  process.env.OSSGATE_REQUIRE_PEERS === "1" || process.getuid?.() === 0
    ? needs("dpkg-deb", "--version")
    : { skip: "must be root" };

let shared: { readonly first: Built; readonly next: Built } | null = null;

/** A build takes seconds: one serves all tests. */
function sharedBuilds() {
  if (shared === null) {
    const first = build(t);
    shared = { first, next: nextVersion(t, first) };
  }
  return shared;
}

/** A machine with nothing but a shell, rm and the libraries that the package depends on. */
class Machine {
  readonly root: string;

  constructor(t: Test) {
    this.root = temporary(t);
    for (const path of ["var/lib/dpkg/info", "var/lib/dpkg/updates", "dev", "proc", "tmp", "var/log/ossgate"]) {
      mkdirSync(join(this.root, path), { recursive: true });
    }
    for (const file of ["status", "available"]) writeFileSync(join(this.root, "var/lib/dpkg", file), "");
    for (const program of ["/bin/sh", "/bin/rm"]) this.#copyProgram(program);
    for (const library of librariesOf(process.execPath)) this.#copy(library);
    run("mknod", [join(this.root, "dev/null"), "c", "1", "3"]);
    chmodSync(join(this.root, "dev/null"), 0o666);
    run("mount", ["-t", "proc", "proc", join(this.root, "proc")]);
    t.teardown(() => run("umount", [join(this.root, "proc")]));
  }

  /** As apt does it where nobody answers questions. Libraries are there, but no package has them. */
  dpkg(...args: readonly string[]): string {
    return run("dpkg", [`--root=${this.root}`, "--force-depends", "--force-confdef", "--force-confold", ...args]);
  }

  path(name: string): string {
    return join(this.root, name);
  }

  has(name: string): boolean {
    return existsSync(this.path(name));
  }

  /** With no environment at all, not even PATH. */
  ossgate(...args: readonly string[]): string {
    return run(ENV, ["-i", CHROOT, this.root, "/usr/bin/ossgate", ...args]);
  }

  #copyProgram(program: string): void {
    this.#copy(program);
    for (const library of librariesOf(program)) this.#copy(library);
  }

  #copy(file: string): void {
    mkdirSync(dirname(this.path(file)), { recursive: true });
    copyFileSync(realpathSync(file), this.path(file));
    chmodSync(this.path(file), 0o755);
  }
}

const CHROOT = "/usr/sbin/chroot";
/** An empty environment given to a child does not stay empty: the test runner puts its own into all of them. */
const ENV = "/usr/bin/env";
const librariesOf = (program: string): string[] => run("ldd", [program]).match(/\/\S+/g) ?? [];

interface NotifySocket {
  on(event: "message", listener: (message: Buffer) => void): void;
  bind(path: string): void;
  close(): void;
}

/** Resolves with the first message that systemd would get from a program of the machine. */
function notified(t: Test, path: string): Promise<string> {
  const { createSocket } = createRequire(import.meta.url)("unix-dgram") as {
    createSocket(type: "unix_dgram"): NotifySocket;
  };
  const socket = createSocket("unix_dgram");
  t.teardown(() => socket.close());
  const message = new Promise<string>((resolve) => socket.on("message", (text) => resolve(text.toString())));
  socket.bind(path);
  return message;
}

t.test(
  "installed on a machine with nothing else it checks and serves; upgrade and removal keep the configuration",
  needsRoot,
  async (t) => {
    const machine = new Machine(t);
    const { first, next } = sharedBuilds();
    const said = machine.dpkg("--install", first.deb);
    t.match(
      said,
      /1\. write \/etc\/ossgate\/gateway\.yaml[^\n]*\n[^\n]*2\. ossgate check[^\n]*\n[^\n]*3\. systemctl enable --now/,
    );
    t.match(machine.ossgate("--version"), /^ossgate \d+\.\d+\.\d+\n$/);
    t.match(machine.ossgate("check", `/${CONFIG}`), /: ok /);
    t.notOk(machine.has("etc/systemd"), "nothing is enabled");

    const edited = configOf(["127.0.0.1:0"], await startOrigin(t));
    writeFileSync(machine.path(CONFIG), edited);
    const ready = notified(t, machine.path("notify"));
    const command = [CHROOT, machine.root, "/usr/bin/ossgate", "run", "--config", `/${CONFIG}`];
    const program = spawn(ENV, ["-i", "NOTIFY_SOCKET=/notify", ...command], {
      stdio: ["ignore", "ignore", "pipe"],
    });
    const ended = once(program, "close");
    t.teardown(async () => {
      program.kill("SIGKILL");
      await ended;
    });
    let log = "";
    program.stderr.setEncoding("utf8").on("data", (text: string) => {
      log += text;
    });
    const before = await Promise.race([ready, ended.then(() => `it ended: ${log}`)]);
    t.match(before, /^READY=1\n/);
    while (!log.includes("ossgate serves")) await once(program.stderr, "data");
    const port = /"listeners":\[\{[^}]*"port":(\d+)/.exec(log)?.[1];
    const answer = await fetch(`http://127.0.0.1:${port}/hello.txt`);
    t.same([answer.status, await answer.text()], [200, "hello"]);
    program.kill("SIGTERM");
    t.same(await ended, [0, null]);

    t.notMatch(machine.dpkg("--install", next.deb), /1\. write/);
    t.equal(machine.ossgate("--version"), "ossgate 99.0.0\n");
    t.equal(readFileSync(machine.path(CONFIG), "utf8"), edited);
    t.ok(machine.has(`${CONFIG}.dpkg-dist`), "the new default is beside it");

    writeFileSync(machine.path("var/log/ossgate/access.log"), "a line\n");
    machine.dpkg("--remove", "ossgate");
    t.notOk(machine.has("usr/lib/ossgate"));
    t.notOk(machine.has("usr/bin/ossgate"));
    t.equal(readFileSync(machine.path(CONFIG), "utf8"), edited);
    t.ok(machine.has("var/log/ossgate/access.log"));

    machine.dpkg("--purge", "ossgate");
    t.notOk(machine.has("etc/ossgate"));
    t.notOk(machine.has("etc/logrotate.d/ossgate"));
    t.notOk(machine.has("var/log/ossgate"));
  },
);

/** Stands in for systemctl, and writes down what it is asked. */
const SYSTEMCTL = `#!/bin/sh
echo "$*" >> /calls
`;

t.test(
  "where systemd runs, its units are read again, and stopped on removal alone; nothing is enabled or started",
  needsRoot,
  async (t) => {
    const machine = new Machine(t);
    mkdirSync(machine.path("run/systemd/system"), { recursive: true });
    mkdirSync(machine.path("usr/bin"), { recursive: true });
    writeFileSync(machine.path("usr/bin/systemctl"), SYSTEMCTL, { mode: 0o755 });
    const calls = (): string[] => {
      const text = machine.has("calls") ? readFileSync(machine.path("calls"), "utf8") : "";
      rmSync(machine.path("calls"), { force: true });
      return text.trim().split("\n");
    };
    const { first, next } = sharedBuilds();
    machine.dpkg("--install", first.deb);
    t.same(calls(), ["daemon-reload"]);
    machine.dpkg("--install", next.deb);
    t.same(new Set(calls()), new Set(["daemon-reload", "--quiet is-active ossgate.service"]));
    machine.dpkg("--remove", "ossgate");
    t.match(calls(), [/^stop ossgate/, /^--quiet --no-reload disable ossgate/, "daemon-reload"]);
    machine.dpkg("--purge", "ossgate");
    t.same(calls(), ["daemon-reload"]);
  },
);
