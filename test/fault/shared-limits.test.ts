import { Agent, request } from "node:http";
import t, { type Test } from "tap";
import { NEEDS_REDIS, type RedisServer, startRedis } from "../integration/budgets-redis.js";
import { startEmulator } from "../support/gateway.js";
import { Program } from "./support/program.js";

const RATE = 60;
const BURST = 12;

const config = (emulatorUrl: string, redis: RedisServer): string => `
listeners: [{ name: web, address: "127.0.0.1:0" }]
admin: { address: "127.0.0.1:0" }
log: { access: { format: off } }
limits: { shared: "${redis.url.href}" }
buckets:
  one: { bucket: examplebucket, region: cn-beijing, endpoint: "${emulatorUrl}" }
routes:
  - name: images
    match: { hosts: [img.test] }
    bucket: one
    limits: { requests: ${RATE}/s, burst: ${BURST} }
`;

interface Machine {
  readonly port: number;
  readonly admin: number;
}

async function startMachine(t: Test, text: string): Promise<Machine> {
  const program = new Program(t, text);
  const port = await program.serves();
  return { port, admin: Number(/"admin":\{[^}]*"port":(\d+)/.exec(program.stderr)?.[1]) };
}

/** Asks each machine again and again, one request at a time each, until `enough` says so. */
class Load {
  readonly #agent = new Agent({ keepAlive: true });
  /** Answers by status, and what failed by its code. */
  readonly outcomes = new Map<number | string, number>();
  #isOver = false;
  readonly #loops: readonly Promise<void>[];
  #look: () => void = () => {};

  constructor(machines: readonly Machine[]) {
    this.#loops = machines.map((machine) => this.#run(machine.port));
  }

  count(outcome: number | string): number {
    return this.outcomes.get(outcome) ?? 0;
  }

  /** Resolves when so many more have been let in. */
  admits(more: number): Promise<void> {
    const goal = this.count(200) + more;
    return new Promise((resolve) => {
      this.#look = () => {
        if (this.count(200) >= goal) resolve();
      };
    });
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#loops);
    this.#agent.destroy();
  }

  async #run(port: number): Promise<void> {
    while (!this.#isOver) {
      const outcome = await this.#ask(port);
      this.outcomes.set(outcome, this.count(outcome) + 1);
      this.#look();
    }
  }

  #ask(port: number): Promise<number | string> {
    return new Promise((resolve) => {
      const options = { host: "127.0.0.1", port, path: "/k", agent: this.#agent, headers: { host: "img.test" } };
      const sent = request(options, (answer) => {
        answer.resume();
        answer.on("end", () => resolve(answer.statusCode ?? 0));
        answer.on("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? "error"));
      });
      sent.on("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? "error"));
      sent.end();
    });
  }
}

const metricsOf = async ({ admin }: Machine): Promise<string> =>
  (await fetch(`http://127.0.0.1:${admin}/metrics`)).text();

/** Resolves when each machine says that the server answers, or that it does not. */
async function untilShared(machines: readonly Machine[], isUp: boolean): Promise<void> {
  const line = `\nossgate_limits_shared_up ${isUp ? 1 : 0}\n`;
  for (const machine of machines) while (!(await metricsOf(machine)).includes(line));
}

t.test(
  "three machines share a budget; Redis is killed and comes back, and no request fails",
  NEEDS_REDIS,
  async (t) => {
    const emulator = await startEmulator(t);
    emulator.addBucket({ name: "examplebucket", region: "cn-beijing", acl: "public-read" });
    emulator.putObject("examplebucket", "k", "text");
    const redis = await startRedis(t);
    const text = config(emulator.url, redis);
    const machines = await Promise.all([1, 2, 3].map(() => startMachine(t, text)));
    await untilShared(machines, true);

    const load = new Load(machines);
    t.teardown(() => load.stop());
    // By then each knows of the others.
    await load.admits(60);
    const startMs = performance.now();
    await load.admits(150);
    const seconds = (performance.now() - startMs) / 1_000;
    t.ok(150 <= RATE * seconds + BURST, `150 were let in within ${seconds.toFixed(2)} s`);

    await redis.kill();
    await untilShared(machines, false);
    await load.admits(60);

    await redis.start();
    await untilShared(machines, true);
    const backMs = performance.now();
    await load.admits(120);
    const secondsBack = (performance.now() - backMs) / 1_000;
    // A server that has forgotten everything begins with a burst of its own.
    t.ok(120 <= RATE * secondsBack + 2 * BURST, `120 were let in within ${secondsBack.toFixed(2)} s`);

    await load.stop();
    t.ok(load.count(429) > 0, "there was more than the budget lets in");
    t.same([...load.outcomes.keys()].sort(), [200, 429], "nothing but these was answered, and nothing broke");
  },
);
