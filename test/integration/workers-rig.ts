/** The real program with its worker processes before an emulator. */
import { readFileSync } from "node:fs";
import { readdir, writeFile } from "node:fs/promises";
import { Agent, request } from "node:http";
import type { Test } from "tap";
import type { Emulator } from "../../src/emulator/index.js";
import { ask } from "../fault/support/client.js";
import { Program } from "../fault/support/program.js";
import { fill, HOST } from "../fault/support/rig.js";
import { startEmulator } from "../support/gateway.js";

type Options = Readonly<Record<string, unknown>>;

export interface WorkersOptions {
  readonly workers?: number | "auto";
  readonly limits?: Options;
  readonly route?: Options;
  /** Beside these. */
  readonly more?: Options;
}

/** The text of a configuration; JSON is YAML. */
export function workersText(endpoint: string, { workers = 2, limits, route, more }: WorkersOptions = {}): string {
  return JSON.stringify({
    listeners: [{ name: "web", address: "127.0.0.1:0" }],
    admin: { address: "127.0.0.1:0" },
    workers,
    limits: { shutdownTimeout: "20s", ...limits },
    buckets: { media: { bucket: "examplebucket", region: "cn-beijing", endpoint } },
    routes: [{ name: "files", match: { hosts: [HOST] }, bucket: "media", methods: ["GET", "HEAD", "PUT"], ...route }],
    ...more,
  });
}

/** One that runs; ends with the test. */
export class WorkersRig {
  readonly emulator: Emulator;
  readonly program: Program;
  port = 0;
  adminPort = 0;

  constructor(emulator: Emulator, program: Program) {
    this.emulator = emulator;
    this.program = program;
  }

  async serves(): Promise<void> {
    this.port = await this.program.serves();
    this.adminPort = Number(/"admin":\{[^}]*"port":(\d+)/.exec(this.program.stderr)?.[1]);
  }

  async admin(path: string, method = "GET"): Promise<string> {
    const response = await fetch(`http://127.0.0.1:${this.adminPort}${path}`, { method });
    return response.text();
  }

  /** The value of one metric line, `name{labels}` as it is printed; 0 when it is not there. */
  async metric(nameAndLabels: string): Promise<number> {
    const line = (await this.admin("/metrics")).split("\n").find((text) => text.startsWith(`${nameAndLabels} `));
    return line === undefined ? 0 : Number(line.slice(nameAndLabels.length + 1));
  }

  /** All lines of one metric, added up. */
  async sum(name: string): Promise<number> {
    const lines = (await this.admin("/metrics")).split("\n").filter((line) => line.startsWith(`${name}{`));
    return lines.reduce((total, line) => total + Number(line.slice(line.lastIndexOf(" ") + 1)), 0);
  }

  /** Asks again until it holds; each try waits for what it asks. */
  async until(what: () => Promise<boolean>): Promise<void> {
    while (!(await what())) await new Promise((resolve) => setTimeout(resolve, 20));
  }

  /** Requests in the access log, by the process that served them: ids begin alike in one. */
  servedBy(): ReadonlyMap<string, number> {
    const counts = new Map<string, number>();
    for (const [, id = ""] of this.program.stdout.matchAll(/"requestId":"([0-9A-F]{12})/g)) {
      counts.set(id, (counts.get(id) ?? 0) + 1);
    }
    return counts;
  }

  async workerPids(): Promise<readonly number[]> {
    const parent = String(this.program.child.pid);
    const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
    return pids.filter((pid) => isWorkerOf(pid, parent)).map(Number);
  }

  async writeConfig(text: string): Promise<void> {
    await writeFile(this.program.configFile, text);
  }
}

function isWorkerOf(pid: string, parent: string): boolean {
  const stat = read(`/proc/${pid}/stat`);
  const [state, ppid] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  // One that was forked and has not become the program yet, or is dead and not waited for, is none.
  return ppid === parent && state !== "Z" && /worker/.test(read(`/proc/${pid}/cmdline`));
}

function read(file: string): string {
  try {
    return readFileSync(file, "latin1");
  } catch {
    return "";
  }
}

export async function startWorkers(t: Test, options: WorkersOptions = {}): Promise<WorkersRig> {
  const emulator = fill(await startEmulator(t));
  const rig = new WorkersRig(emulator, new Program(t, workersText(emulator.url, options)));
  await rig.serves();
  return rig;
}

export interface Reply {
  readonly status: number;
  readonly body: string;
  /** What the server said of the connection. */
  readonly connection: string;
}

/** One request; rejects when it gets no whole answer. */
export function get(port: number, path: string, agent: Agent | false = false): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const req = request({ host: "127.0.0.1", port, path, agent, headers: { Host: HOST } });
    req.on("error", reject);
    req.on("response", (res) => {
      let body = "";
      res.setEncoding("latin1").on("data", (text: string) => {
        body += text;
      });
      res.on("error", reject);
      res.on("end", () =>
        resolve({
          status: res.statusCode ?? 0,
          body,
          connection: String(res.headers.connection ?? ""),
        }),
      );
    });
    req.end();
  });
}

/** Clients that keep a connection each. */
export function agentsOf(t: Test, count: number): readonly Agent[] {
  const agents = Array.from({ length: count }, () => new Agent({ keepAlive: true, maxSockets: 1 }));
  t.teardown(() => {
    for (const agent of agents) agent.destroy();
  });
  return agents;
}

export function askAll(rig: WorkersRig, agents: readonly Agent[]): Promise<readonly Reply[]> {
  return Promise.all(agents.map((agent) => get(rig.port, "/hello.txt", agent)));
}

interface LoadOptions {
  /** A connection for each request. */
  readonly isNewEach?: boolean;
}

/** A client that asks as fast as it is answered, on connections that it keeps, and tries nothing again. */
export class Load {
  readonly failures: string[] = [];
  answered = 0;
  readonly #agents: Agent[] = [];
  readonly #loops: Promise<void>[] = [];
  readonly #watchers = new Set<() => void>();
  #isOver = false;

  constructor(
    port: number,
    path: string,
    connections: number,
    isRight: (reply: Reply) => boolean,
    { isNewEach = false }: LoadOptions = {},
  ) {
    for (let i = 0; i < connections; i += 1) {
      const agent = new Agent({ keepAlive: !isNewEach, maxSockets: 1 });
      this.#agents.push(agent);
      this.#loops.push(this.#ask(port, path, agent, isRight));
    }
  }

  /** Resolves when so many more were answered. */
  async more(count: number): Promise<void> {
    const target = this.answered + count;
    while (this.answered < target) await new Promise<void>((resolve) => this.#watchers.add(resolve));
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#loops);
    for (const agent of this.#agents) agent.destroy();
  }

  async #ask(port: number, path: string, agent: Agent, isRight: (reply: Reply) => boolean): Promise<void> {
    while (!this.#isOver) {
      try {
        const reply = await get(port, path, agent);
        if (!isRight(reply)) this.failures.push(`${reply.status} ${reply.body.slice(0, 200)}`);
      } catch (error) {
        this.failures.push(String((error as NodeJS.ErrnoException).code ?? error));
      }
      this.answered += 1;
      for (const look of this.#watchers) look();
      this.#watchers.clear();
    }
  }
}

/** Resolves when the process is gone. */
export async function gone(pid: number): Promise<void> {
  for (;;) {
    const stat = read(`/proc/${pid}/stat`);
    if (stat === "" || stat.slice(stat.lastIndexOf(")") + 2).startsWith("Z")) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** What a reload comes to. */
export interface Outcome {
  readonly ok: boolean;
  readonly generation: number;
  readonly problems: readonly string[];
}

export async function reload(rig: WorkersRig, options?: WorkersOptions | string): Promise<Outcome> {
  if (options !== undefined) {
    await rig.writeConfig(typeof options === "string" ? options : workersText(rig.emulator.url, options));
  }
  return JSON.parse(await rig.admin("/reload", "POST")) as Outcome;
}

/** Nothing but GET. */
export const ONLY_GET = { route: { methods: ["GET"] } };

export async function putStatuses(rig: WorkersRig, count: number): Promise<readonly number[]> {
  const statuses: number[] = [];
  for (let i = 0; i < count; i += 1) {
    // A connection of its own each, so that each worker gets some.
    statuses.push((await ask(rig.port, "/put.txt", { method: "PUT", body: "x" })).status);
  }
  return statuses;
}

export const isHello = ({ status, body }: Reply): boolean => status === 200 && body === "hello";
