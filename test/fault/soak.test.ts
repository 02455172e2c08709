import { execFileSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import t, { type Test } from "tap";
import type { Emulator } from "../../src/emulator/index.js";
import { DnsServer } from "./support/dns.js";
import { childrenOf, clientPortsOf, connectionsAt, rssMib } from "./support/proc-sockets.js";
import { Program } from "./support/program.js";
import { HOST, startAt } from "./support/rig.js";
import { type Failure, http1Client, http2Client, type SoakTarget } from "./support/soak-clients.js";
import { closedPort } from "./support/sockets.js";

/** A minute; `OSSGATE_SOAK_SECONDS=600` is the long one. */
const SECONDS = Number(process.env.OSSGATE_SOAK_SECONDS ?? 60);
const RELOAD_MS = 5_000;
const KILL_MS = 7_000;
const RENEW_MS = 6_000;
const ADDRESSES_MS = 3_000;
const UPGRADE_MS = 11_000;
/** Which worker is killed when: another number is another run. */
const SEED = Number(process.env.OSSGATE_SOAK_SEED ?? 1);
/** With a worker killed each 7 s another serves: seconds without any answer mean that none does. */
const LONGEST_SILENCE_MS = 3_000;
const ADDRESSES = ["127.0.0.2", "127.0.0.3"];
const WORKERS = 2;

t.setTimeout((SECONDS + 120) * 1_000);

const skip = process.platform === "linux" ? false : "reads /proc";

t.test("a long time of everything at once: only what a killed worker held fails", { skip }, async (t) => {
  const world = await start(t);
  const { program, target, ports } = world;
  const ownOfKilled = new Set<number>();
  const failures: Failure[] = [];
  let done = 0;
  const clients = [
    ...[1, 2, 3, 4].map((index) => http1Client(target, index)),
    ...[1, 2].map((index) => http1Client(target, index, { isTls: true })),
    http1Client(target, 1, { keepAlive: false }),
    http1Client(target, 2, { isTls: true, keepAlive: false }),
    ...[1, 2].map((index) => http2Client(target, index)),
  ];
  const silence = new LongestSilence();
  const running = clients.map((client) =>
    client.run(
      () => {
        done += 1;
        silence.heard();
      },
      (failure) => failures.push(failure),
    ),
  );
  const pick = randomOf(SEED);
  const upgrades: boolean[] = [];
  const watch = new Watch(program.child.pid as number, world.adminPort);
  await everyUntil(SECONDS * 1_000, [
    [RELOAD_MS, async (i) => world.reload(i)],
    [KILL_MS, async () => killWorker(program.child.pid as number, ports, ownOfKilled, pick)],
    [UPGRADE_MS, async () => void upgrades.push(await world.upgrade())],
    [RENEW_MS, async (i) => world.renew(i)],
    [ADDRESSES_MS, async (i) => world.moveTo(i)],
    [1_000, async () => watch.look()],
  ]);
  for (const client of clients) client.stop();
  const longestMs = silence.end();
  await Promise.all(running);

  const others = failures.filter(({ port }) => !ownOfKilled.has(port));
  t.same(others, [], "no request failed but on connections of killed workers");
  t.comment(`${done} requests were answered, ${failures.length} failed on connections of killed workers`);
  t.ok(done > SECONDS * 5, `${done} requests`);
  t.ok(longestMs < LONGEST_SILENCE_MS, `for ${longestMs} ms nobody was answered`);
  t.ok(
    upgrades.includes(true),
    `${upgrades.length} upgrades, of which ${upgrades.filter((ok) => ok).length} to the end`,
  );
  t.same(watch.falls, [], "counters never fall");
  // Those that were asked for while an upgrade ran are one.
  t.ok(watch.generation > (SECONDS * 1_000) / RELOAD_MS / 2, `generation ${watch.generation}`);
  t.ok(watch.growthMib() < 40, `the main process grew by ${watch.growthMib().toFixed(1)} MiB`);
  await until(() => connectionsAt(ports).length === 0, "the clients' sockets are gone");
  await until(async () => (await world.metric("ossgate_client_connections")) === 0, "no open connection is counted");
  await until(async () => (await world.metric("ossgate_requests_in_flight")) === 0, "nothing is in flight");
  program.child.kill("SIGTERM");
  t.equal(await program.exited, 0);
  for (const emulator of world.emulators) await emulator.until(() => emulator.openSockets() === 0);
});

interface World {
  readonly program: Program;
  readonly emulators: readonly Emulator[];
  readonly target: SoakTarget;
  /** Of the listeners. */
  readonly ports: readonly number[];
  readonly adminPort: number;
  reload(i: number): Promise<void>;
  renew(i: number): void;
  moveTo(i: number): void;
  /** Whether it went to its end: a worker may be killed in the middle of it. */
  upgrade(): Promise<boolean>;
  /** The sum of a metric over its labels. */
  metric(name: string): Promise<number>;
}

async function start(t: Test): Promise<World> {
  const emulators = await startAt(t, ADDRESSES);
  const large = randomBytes(3 * 1024 * 1024);
  for (const emulator of emulators) emulator.putObject("examplebucket", "large.bin", large);
  const dns = new DnsServer(t, [ADDRESSES[0] as string]);
  const servers = [await dns.listen()];
  const directory = mkdtempSync(join(tmpdir(), "ossgate-soak-"));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const certificates = [makeCertificate(directory, "first"), makeCertificate(directory, "second")];
  const [port, tlsPort, adminPort] = [await closedPort(), await closedPort(), await closedPort()];
  const install = (i: number): void => {
    const { cert, key } = certificates[i % 2] as { cert: string; key: string };
    writeFileSync(join(directory, "new.key"), readFileSync(key));
    writeFileSync(join(directory, "new.pem"), readFileSync(cert));
    renameSync(join(directory, "new.key"), join(directory, "tls.key"));
    renameSync(join(directory, "new.pem"), join(directory, "tls.pem"));
  };
  install(0);
  const text = (i: number): string =>
    JSON.stringify({
      workers: WORKERS,
      listeners: [
        { name: "web", address: `127.0.0.1:${port}` },
        {
          name: "secure",
          address: `127.0.0.1:${tlsPort}`,
          tls: { certificates: [{ certFile: join(directory, "tls.pem"), keyFile: join(directory, "tls.key") }] },
        },
        // It comes and goes.
        ...(i % 2 === 1 ? [{ name: "other", address: "127.0.0.1:0" }] : []),
      ],
      admin: { address: `127.0.0.1:${adminPort}` },
      log: { access: { format: "off" } },
      buckets: {
        media: {
          bucket: "examplebucket",
          region: "cn-beijing",
          endpoint: `http://oss.test:${emulators[0]?.port}`,
          dns: { minTtl: "500ms", maxTtl: "1s", servers },
          // Another one each third time: then the connections to OSS are other ones too.
          connections: i % 3 === 2 ? 128 : 256,
        },
      },
      routes: [
        {
          name: "files",
          match: { hosts: [HOST] },
          bucket: "media",
          methods: ["GET", "HEAD", "PUT"],
          limits: { requests: `${100_000 + i}/s` },
        },
      ],
    });
  const program = new Program(t, text(0));
  await program.serves();
  const config = program.configFile;
  const metrics = async (): Promise<string> => (await fetch(`http://127.0.0.1:${adminPort}/metrics`)).text();
  return {
    program,
    emulators,
    target: {
      port,
      tlsPort,
      ca: certificates.map(({ cert }) => readFileSync(cert, "utf8")).join("\n"),
      large: { sha256: createHash("sha256").update(large).digest("hex"), size: large.length },
    },
    ports: [port, tlsPort],
    adminPort,
    reload: async (i) => {
      writeFileSync(`${config}.new`, text(i + 1));
      renameSync(`${config}.new`, config);
      program.child.kill("SIGHUP");
    },
    renew: install,
    moveTo: (i) => {
      dns.zone = i % 3 === 2 ? ADDRESSES : [ADDRESSES[i % 2] as string];
    },
    upgrade: async () => {
      const response = await fetch(`http://127.0.0.1:${adminPort}/upgrade`, { method: "POST" });
      return ((await response.json()) as { readonly ok: boolean }).ok;
    },
    metric: async (name) => sumOf(await metrics(), name),
  };
}

function makeCertificate(directory: string, name: string): { readonly cert: string; readonly key: string } {
  const [cert, key] = [join(directory, `${name}.pem`), join(directory, `${name}.key`)];
  const subject = ["-subj", `/CN=${HOST}`, "-addext", `subjectAltName=DNS:${HOST},IP:127.0.0.1`];
  execFileSync(
    "openssl",
    // biome-ignore format: options and their values
    ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", ...subject, "-keyout", key, "-out", cert],
    { stdio: "ignore" },
  );
  return { cert, key };
}

/** What a worker holds is read while it stands still, so that nothing is missed. */
async function killWorker(
  main: number,
  ports: readonly number[],
  owned: Set<number>,
  pick: (below: number) => number,
): Promise<void> {
  const workers = childrenOf(main);
  const worker = workers[pick(workers.length)];
  if (worker === undefined) return;
  process.kill(worker, "SIGSTOP");
  // What the main process has accepted and not seen taken yet is on its way to this worker.
  for (const pid of [worker, main]) for (const port of clientPortsOf(pid, ports)) owned.add(port);
  process.kill(worker, "SIGKILL");
}

/** Reads the numbers each second. */
class Watch {
  /** Counters that were less than before. */
  readonly falls: string[] = [];
  generation = 0;
  readonly #main: number;
  readonly #adminPort: number;
  readonly #rss: number[] = [];
  #last = new Map<string, number>();

  constructor(main: number, adminPort: number) {
    this.#main = main;
    this.#adminPort = adminPort;
  }

  async look(): Promise<void> {
    this.#rss.push(rssMib(this.#main));
    const text = await (await fetch(`http://127.0.0.1:${this.#adminPort}/metrics`)).text();
    const next = new Map<string, number>();
    for (const line of text.split("\n")) {
      const [, name = "", value = ""] =
        /^(ossgate_\w+_(?:total|count|bucket|sum)(?:\{[^}]*\})?) (\S+)$/.exec(line) ?? [];
      if (name !== "") next.set(name, Number(value));
    }
    for (const [name, value] of this.#last) {
      if ((next.get(name) ?? 0) < value) this.falls.push(`${name}: ${value}, then ${next.get(name)}`);
    }
    this.#last = next;
    this.generation = sumOf(text, "ossgate_config_generation");
  }

  /** From the second quarter to the last, by what is seen least of in each: peaks are not growth. */
  growthMib(): number {
    const quarter = Math.floor(this.#rss.length / 4);
    return Math.min(...this.#rss.slice(-quarter)) - Math.min(...this.#rss.slice(quarter, 2 * quarter));
  }
}

function sumOf(metrics: string, name: string): number {
  let sum = 0;
  for (const line of metrics.split("\n")) {
    if (line.startsWith(`${name} `) || line.startsWith(`${name}{`))
      sum += Number(line.slice(line.lastIndexOf(" ") + 1));
  }
  return sum;
}

const TICK_MS = 50;

/**
 * How long nobody was answered, at most. Counted in turns of this process's own event loop, so that a machine on which it
 * gets no turn itself is not blamed on the gateway.
 */
class LongestSilence {
  #ticks = 0;
  #longest = 0;
  readonly #timer = setInterval(() => {
    this.#ticks += 1;
    this.#longest = Math.max(this.#longest, this.#ticks);
  }, TICK_MS);

  heard(): void {
    this.#ticks = 0;
  }

  /** @returns milliseconds */
  end(): number {
    clearInterval(this.#timer);
    return this.#longest * TICK_MS;
  }
}

/** Whole numbers below another, the same ones for the same seed (Numerical Recipes' generator). */
function randomOf(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

type Chore = readonly [periodMs: number, act: (i: number) => Promise<void> | void];

/** Does each chore again and again until the time is over. */
async function everyUntil(totalMs: number, chores: readonly Chore[]): Promise<void> {
  const end = performance.now() + totalMs;
  await Promise.all(
    chores.map(async ([periodMs, act]) => {
      for (let i = 0; performance.now() + periodMs < end; i += 1) {
        await sleep(periodMs);
        await act(i);
      }
    }),
  );
}

async function until(holds: () => boolean | Promise<boolean>, what: string): Promise<void> {
  for (let i = 0; i < 200; i += 1) {
    if (await holds()) return;
    await sleep(100);
  }
  throw new Error(`not seen within 20 s: ${what}`);
}
